// The vault on the disk: what the folder of a profile shows of it, and passkeys. What a kill leaves: `killed.test.mjs`.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { Profile } from './support/browser.mjs'
import { buildPage } from './support/page.mjs'
import { startService } from './support/service.mjs'

const rawKey = '5d41402abc4b2a76b9719d911017c592a3c1f0d6ee20c1b7a6f3b1f0a9c8d7e6'
const prfSecret = '0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f1'
const passphrase = 'a passphrase nobody else has'

/** How a test on this side says what the page is to make of it. */
const unlocks = {
  plain: 'undefined',
  device: `{ kind: 'device' }`,
  passphrase: `{ kind: 'passphrase', passphrase: '${passphrase}' }`,
  // What an authenticator's PRF gives; the test below has a real one.
  passkey: `{ kind: 'passkey', credentialId: new Uint8Array(16), secret: Uint8Array.from('${prfSecret}'.match(/../g), (pair) => parseInt(pair, 16)) }`,
  key: `{ kind: 'key', key: Uint8Array.from('${rawKey}'.match(/../g), (pair) => parseInt(pair, 16)) }`,
}

let service
let url

before(async () => {
  service = await startService(await buildPage('release', 'vault'))
  // Passkeys are of a host name, not of an address.
  url = `${service.url.replace('127.0.0.1', 'localhost')}/vault.html`
})

after(() => service?.stop())

async function visit(profile) {
  const page = await profile.page(url)
  await page.waitForFunction(() => window.ready)
  return page
}

function vaultOf(mode) {
  return mode === 'plain' ? 'undefined' : `{ unlock: ${unlocks[mode]} }`
}

describe('the folder of the profile, searched byte by byte', () => {
  const identity = 'identity-f3b8a1'
  const group = 'group-27c94e0d'
  const text = 'words-9e01d7b2'

  for (const mode of ['plain', 'device', 'passphrase', 'passkey', 'key']) {
    test(`after a conversation, ${mode}`, { timeout: 120_000 }, async (t) => {
      const profile = await new Profile().start()
      t.after(() => profile.remove())
      const page = await visit(profile)
      const { known, keys } = await page.evaluate(`converse('alice', ${vaultOf(mode)}, {
        identity: '${identity}', group: '${group}', text: '${text}', bobVault: { unlock: ${unlocks.key} },
      })`)
      // As a user quits the browser: everything is on the disk then.
      await profile.close()
      const files = profile.files()
      assert.ok(files.filter(({ path }) => /IndexedDB/.test(path)).reduce((size, { bytes }) => size + bytes.length, 0) > 10_000, 'there is something to search')
      const words = { identity, group, text, passphrase }
      const secrets = { signature: known.signature, rawKey, prfSecret, ...Object.fromEntries(keys.map((key, index) => [`key ${index}`, key])) }
      assert.ok(keys.length > (mode === 'plain' ? 2 : 5), `${keys.length} keys seen`)
      const needles = [
        ...Object.entries(words).flatMap(([what, word]) => forms(Buffer.from(word)).map((form) => [what, form])),
        ...Object.entries(secrets).flatMap(([what, secret]) => forms(Buffer.from(secret, 'hex')).map((form) => [what, form])),
      ]
      const found = [...new Set(needles.filter(([, needle]) => files.some(({ bytes }) => bytes.includes(needle))).map(([what]) => what))]
      switch (mode) {
        case 'plain':
          // So that the search is known to find what there is.
          assert.deepEqual(found.sort(), ['group', 'identity', 'signature', 'text'])
          break
        case 'device':
          assert.equal(found.length, 1, `nothing but the wrapping key: ${found}`)
          assert.match(found[0], /^key /)
          break
        default:
          assert.deepEqual(found, [])
      }
    })
  }
})

/** What bytes look like on the disk: as they are, in hex, and both in the two-byte characters of IndexedDB's keys. */
function forms(bytes) {
  const hex = bytes.toString('hex')
  const wide = (text) => [Buffer.from(text, 'utf16le'), Buffer.from(text, 'utf16le').swap16()]
  return [bytes, Buffer.from(hex), ...wide(hex), ...wide(bytes.toString('latin1'))]
}

describe('passkeys', () => {
  let profile

  before(async () => { profile = await new Profile().start() })
  after(() => profile?.remove())

  async function authenticator(page, options) {
    const session = await page.context().newCDPSession(page)
    await session.send('WebAuthn.enable')
    await session.send('WebAuthn.addVirtualAuthenticator', {
      options: {
        protocol: 'ctap2', ctap2Version: 'ctap2_1', transport: 'internal', hasResidentKey: true, hasUserVerification: true,
        automaticPresenceSimulation: true, isUserVerified: true, ...options,
      },
    })
  }

  test('a vault is made, and unlocked after a reload, with a passkey, and with no other', { timeout: 60_000 }, async () => {
    const page = await visit(profile)
    await authenticator(page, { hasPrf: true })
    await page.evaluate(async () => {
      const unlock = await openmls.createPasskey({ name: 'by passkey', userName: 'alice' })
      const client = await openmls.CoreCryptoClient.open({ name: 'by passkey', vault: { unlock } })
      await client.createIdentity(new TextEncoder().encode('alice'))
      await client.close()
    })
    // The virtual authenticator is of the page's session: it stays while the page does.
    const outcome = await page.evaluate(async () => {
      const { unlocks } = await openmls.vaultInfo('by passkey')
      const credentialIds = unlocks.map(({ credentialId }) => credentialId)
      const unlock = await openmls.usePasskey({ name: 'by passkey', credentialIds })
      const client = await openmls.CoreCryptoClient.open({ name: 'by passkey', vault: { unlock }, mustExist: true })
      const { identity } = await client.identity()
      await client.lock()
      await client.unlock(await openmls.usePasskey({ name: 'by passkey', credentialIds }))
      await client.close()
      const other = await openmls.createPasskey({ name: 'by passkey', userName: 'mallory' })
      const code = await openmls.CoreCryptoClient.open({ name: 'by passkey', vault: { unlock: other } }).catch(({ code }) => code)
      return [new TextDecoder().decode(identity), unlocks.map(({ kind }) => kind), code]
    })
    assert.deepEqual(outcome, ['alice', ['passkey'], 'unlock-failed'])
    await page.close()
  })

  test('an authenticator without PRF, and none, are told', { timeout: 60_000 }, async () => {
    const page = await visit(profile)
    await authenticator(page, { hasPrf: false })
    const code = await page.evaluate(() => openmls.createPasskey({ name: 'n', userName: 'alice' }).catch(({ code }) => code))
    assert.equal(code, 'passkey-unavailable')
    const none = await page.evaluate(() => openmls.usePasskey({ name: 'n', credentialIds: [new Uint8Array(16)] }).catch(({ code }) => code))
    assert.equal(none, 'passkey-unavailable')
    await page.close()
  })
})
