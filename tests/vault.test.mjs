// The vault on the disk: what the folder of a profile shows of it, what a kill at any point leaves, and passkeys.
//
// VAULT_ROUNDS=<n> runs another number of kills, VAULT_SEED=<seed of a round> that round alone.
import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { build } from 'vite'
import { root } from '../scripts/lib/paths.mjs'
import { Profile } from './support/browser.mjs'
import { seeded } from './support/random.mjs'
import { startService } from './support/service.mjs'

const rounds = Number(process.env.VAULT_ROUNDS ?? 12)
const onlySeed = process.env.VAULT_SEED === undefined ? undefined : Number(process.env.VAULT_SEED)
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
  const outDir = join(root, 'tests', 'dist', 'vault')
  await build({
    root: join(root, 'tests', 'page'), configFile: false, logLevel: 'warn',
    build: { outDir, emptyOutDir: true, target: 'es2022', rollupOptions: { input: join(root, 'tests', 'page', 'vault.html') } },
  })
  service = await startService(outDir)
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

describe('killed at any point of a conversion', () => {
  const group = 'group-27c94e0d'
  let profile

  before(async () => { profile = await new Profile().start() })
  after(() => profile?.remove())

  const seeds = onlySeed === undefined ? Array.from({ length: rounds }, () => randomInt(2 ** 31)) : [onlySeed]
  for (const seed of seeds) {
    test(`seed ${seed}`, { timeout: 60_000 }, async () => {
      const random = seeded(seed)
      const task = ['sealDatabase', 'rotateDataKey', 'unsealDatabase'][random.between(0, 2)]
      const begins = task === 'sealDatabase' ? 'plain' : 'key'
      const name = `killed ${seed}`
      let page = await visit(profile)
      const vaults = { plain: 'undefined', key: `{ unlock: ${unlocks.key} }` }
      await page.evaluate(`converse('${name}', ${vaults[begins]}, {
        identity: 'a', group: '${group}', text: 't', bobVault: { unlock: ${unlocks.key} },
      }).then(() => indexedDB.deleteDatabase('bob'))`)
      const before = await page.evaluate(`contents('${name}', ${vaults[begins]}, '${group}')`)
      // The whole browser now and then, as a power cut does; the page's process otherwise.
      for (let kills = random.between(1, 2); kills > 0; kills -= 1) {
        // As many as there are: so that the last step, and what follows it, are hit too.
        const reports = random.between(0, 24)
        const delay = random.between(0, 4)
        const due = new Promise((resolve) => { page.on('console', (message) => message.text() === 'kill me' && resolve()) })
        void page.evaluate(`(async () => {
          let left = ${reports}
          const onProgress = () => { if ((left -= 1) === 0) console.log('kill me') }
          await openmls.${task}({ name: '${name}', unlock: ${unlocks.key}, onProgress }).catch(() => undefined)
          console.log('kill me')
        })()`).catch(() => undefined)
        if (reports > 0) await due
        // Where in its work it is hit, not what the test waits for.
        await new Promise((resolve) => { setTimeout(resolve, delay) })
        if (random.between(0, 5) === 0) {
          await profile.kill()
          await profile.start()
        } else {
          await crash(page)
        }
        page = await visit(profile)
      }
      const info = await page.evaluate(`openmls.vaultInfo('${name}').then((info) => info?.state)`)
      const expected = { sealDatabase: [undefined, 'sealing', 'sealed'], rotateDataKey: ['sealed', 'rotating'], unsealDatabase: ['sealed', 'unsealing', undefined] }
      assert.ok(expected[task].includes(info), `${task}: ${info}`)
      let now = info === undefined ? 'plain' : 'key'
      if (info === 'unsealing') {
        // Opening finishes it, and says what has become of the vault.
        const code = await page.evaluate(`openmls.CoreCryptoClient.open({ name: '${name}', vault: ${vaults.key} }).catch(({ code }) => code)`)
        assert.equal(code, 'not-sealed')
        now = 'plain'
      }
      assert.equal(await page.evaluate(`contents('${name}', ${vaults[now]}, '${group}')`), before, `${task}, ${info}`)
      const after = await page.evaluate(`openmls.vaultInfo('${name}').then((info) => info?.state)`)
      assert.equal(after, now === 'key' ? 'sealed' : undefined)
      assert.deepEqual(await page.evaluate(mixed, name), now === 'key' ? ['sealed'] : ['clear'])
      await page.close()
    })
  }
})

/** The page's process is gone at once. */
async function crash(page) {
  const gone = new Promise((resolve) => { page.once('crash', resolve) })
  const session = await page.context().newCDPSession(page)
  await Promise.race([session.send('Page.crash').catch(() => undefined), gone])
  await gone
  await page.close().catch(() => undefined)
}

/** Which kinds of records a database has. */
async function mixed(name) {
  const database = await new Promise((resolve) => { indexedDB.open(name).onsuccess = ({ target }) => resolve(target.result) })
  const kinds = new Set()
  for (const store of database.objectStoreNames) {
    if (store === 'meta') continue
    const request = database.transaction(store).objectStore(store).getAll()
    const values = await new Promise((resolve) => { request.onsuccess = () => resolve(request.result) })
    for (const value of values) kinds.add((value instanceof Uint8Array ? value[0] === 0xe5 : value.kind === 'sealed') ? 'sealed' : 'clear')
  }
  database.close()
  return [...kinds]
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
