// The chat app with a vault: what is stored is sealed, and a locked page shows nothing of it.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { Profile } from './support/browser.mjs'
import { newGroup, openConversation, passphrase, protect, register, say, shows, unlock } from './support/chat.mjs'
import { startService } from './support/service.mjs'
import { frontendDir } from '../scripts/lib/paths.mjs'

const timeout = 90_000
/** Words that are nowhere else in a browser's profile. */
const words = { user: 'Annaquokka', other: 'Benwombat', group: 'Numbatberge', text: 'Treffen um acht bei der Zirbelkiefer', reply: 'Ich bringe Preiselbeeren mit', later: 'Das kam, als zu war: Steinpilze' }
let service

before(async () => { service = await startService(join(frontendDir, 'dist')) })
after(() => service?.stop())

const online = (page) => page.locator('[data-testid=connection-status][data-status=online]').waitFor({ state: 'attached' })
const locked = (page) => page.getByTestId('unlock-page').waitFor()

/** What takes longer than this on these pages does not happen. */
async function visit(profile, url = service.url) {
  const page = await profile.page(url)
  page.setDefaultTimeout(15_000)
  return page
}

async function person(name, protection, url = service.url) {
  const profile = await new Profile().start()
  try {
    const page = await visit(profile, url)
    await register(page, name, protection)
    await online(page)
    return { name, profile, page }
  } catch (error) {
    await profile.remove()
    throw error
  }
}

/** Everything that the page shows or holds: its elements, title, address and what fields contain. */
const shown = (page) => page.evaluate(() =>
  [document.documentElement.outerHTML, document.title, location.href, ...[...document.querySelectorAll('input, textarea')].map(({ value }) => value)].join('\n'))

async function assertShowsNothing(page, group) {
  const all = await shown(page)
  for (const secret of [...Object.values(words), group]) assert.equal(all.includes(secret), false, secret)
}

/** What the page still has in memory of these words, after its garbage was collected. */
async function remembered(page, needles) {
  // What this test has looked for is the last match of a regular expression until there is another one.
  await page.getByTestId('unlock-page').or(page.getByTestId('chat-app')).filter({ hasText: /./ }).waitFor()
  const session = await page.context().newCDPSession(page)
  const chunks = []
  session.on('HeapProfiler.addHeapSnapshotChunk', ({ chunk }) => chunks.push(chunk))
  for (let round = 0; round < 3; round += 1) await session.send('HeapProfiler.collectGarbage')
  await session.send('HeapProfiler.takeHeapSnapshot', { reportProgress: false })
  await session.detach()
  const heap = chunks.join('')
  return needles.filter((needle) => heap.includes(needle))
}

/** The group id of the conversation that is open, in hex. */
const groupOf = (page) => page.getByTestId('conversation-item').first().getAttribute('data-conversation-id')

describe('a passphrase', () => {
  let anna
  let ben
  let group

  before(async () => {
    ben = await person(words.other, 'plain')
    anna = { profile: await new Profile().start() }
    anna.page = await visit(anna.profile)
  })
  after(async () => {
    await anna?.profile.remove()
    await ben?.profile.remove()
  })

  test('is asked for twice, and not taken if it is short', { timeout }, async () => {
    const { page } = anna
    await page.getByTestId('name-input').fill(words.user)
    await page.getByTestId('new-passphrase-input').fill('short')
    await page.getByTestId('passphrase-again-input').fill('short')
    await page.getByTestId('register-button').click()
    await page.getByText('characters, please').waitFor()
    await page.getByTestId('new-passphrase-input').fill(passphrase)
    await page.getByTestId('register-button').click()
    await page.getByText('The two are not the same').waitFor()
    assert.deepEqual((await page.evaluate(() => indexedDB.databases())).map(({ name }) => name), ['chat profiles'])
    await protect(page, 'passphrase')
    await page.getByTestId('register-button').click()
    await online(page)
  })

  test('talk, and lock: nothing of it is left on the page', { timeout }, async () => {
    await newGroup(anna.page, words.group, [words.other])
    await openConversation(ben.page, words.group)
    await say(anna.page, words.text)
    await shows(ben.page, false, words.text)
    await say(ben.page, words.reply)
    await shows(anna.page, false, words.reply)
    group = await groupOf(anna.page)
    assert.equal((await shown(anna.page)).includes(words.text), true, 'there was something to hide')
    assert.deepEqual(await remembered(anna.page, [words.text, group]), [words.text, group])
    assert.equal(anna.page.url().includes(group), false, 'the browser keeps addresses')
    await anna.page.getByTestId('composer-input').fill(`${words.text}, noch nicht gesendet`)
    await anna.page.getByTestId('lock-button').click()
    await locked(anna.page)
    await assertShowsNothing(anna.page, group)
    assert.deepEqual(await remembered(anna.page, [...Object.values(words), group]), [])
  })

  test('of another one it says so, and changes nothing', { timeout }, async () => {
    await unlock(anna.page, 'not the passphrase at all')
    await anna.page.getByTestId('unlock-problem').waitFor()
    await assertShowsNothing(anna.page, group)
  })

  test('unlocks; what arrived meanwhile is there, and so is the draft', { timeout }, async () => {
    await say(ben.page, words.later)
    await unlock(anna.page)
    for (const text of [words.reply, words.later]) await shows(anna.page, false, text)
    await shows(anna.page, true, words.text, 'sent')
    assert.equal(await anna.page.getByTestId('composer-input').inputValue(), `${words.text}, noch nicht gesendet`)
    await anna.page.getByTestId('composer-input').fill('')
    await say(anna.page, words.text)
    await shows(ben.page, false, words.text)
  })

  test('is asked for again after a reload, and the conversation goes on where it was', { timeout }, async () => {
    await anna.page.reload()
    await locked(anna.page)
    await assertShowsNothing(anna.page, group)
    await unlock(anna.page, 'not the passphrase at all')
    await anna.page.getByTestId('unlock-problem').waitFor()
    await unlock(anna.page)
    await shows(anna.page, false, words.later)
    await say(ben.page, 'Noch da?')
    await shows(anna.page, false, 'Noch da?')
  })

  test('is changed, and the way to unlock listed', { timeout }, async () => {
    const { page } = anna
    const next = 'eight blue foxes write quickly'
    await page.getByTestId('settings-button').click()
    await page.getByTestId('protection-tab').click()
    await page.locator('[data-testid=unlock-way][data-kind=passphrase]').waitFor()
    await page.getByTestId('change-passphrase-button').click()
    await page.getByTestId('proof-passphrase-input').fill('not the passphrase at all')
    await page.getByTestId('new-passphrase-input').fill(next)
    await page.getByTestId('passphrase-again-input').fill(next)
    await page.getByTestId('change-confirm').click()
    await page.getByTestId('change-problem').waitFor()
    await page.getByTestId('proof-passphrase-input').fill(passphrase)
    await page.getByTestId('change-confirm').click()
    await page.getByTestId('change-confirm').waitFor({ state: 'detached' })
    await page.keyboard.press('Escape')
    await page.getByTestId('lock-button').click()
    await locked(page)
    await unlock(page)
    await page.getByTestId('unlock-problem').waitFor()
    await unlock(page, next)
    await shows(page, false, words.later)
    await page.getByTestId('settings-button').click()
    await page.getByTestId('protection-tab').click()
    await page.getByTestId('change-passphrase-button').click()
    await page.getByTestId('proof-passphrase-input').fill(next)
    await page.getByTestId('new-passphrase-input').fill(passphrase)
    await page.getByTestId('passphrase-again-input').fill(passphrase)
    await page.getByTestId('change-confirm').click()
    await page.getByTestId('change-confirm').waitFor({ state: 'detached' })
  })

  test('stays when the key is renewed, and everything opens again by itself', { timeout }, async () => {
    const { page } = anna
    await page.getByTestId('renew-key-button').click()
    await page.getByTestId('proof-passphrase-input').fill(passphrase)
    await page.getByTestId('change-confirm').click()
    await shows(page, false, words.later)
    await say(page, 'Mit neuem Schlüssel')
    await shows(ben.page, false, 'Mit neuem Schlüssel')
  })

  test('is asked for when nobody has touched the page for the time that was set', { timeout }, async () => {
    const { page } = anna
    await page.getByTestId('settings-button').click()
    await page.getByTestId('protection-tab').click()
    await page.getByTestId('lock-after').selectOption('1')
    // It shows what is on the disk.
    await page.waitForFunction(() => document.querySelector('[data-testid=lock-after]').value === '1')
    await page.keyboard.press('Escape')
    await page.evaluate(() => {
      const now = Date.now
      Date.now = () => now() + 61_000
    })
    await locked(page)
    await assertShowsNothing(page, group)
    await page.reload()
    await unlock(page)
    await shows(page, false, words.later)
  })

  test('the storage page tells usage, persistence and health', { timeout }, async () => {
    const { page } = anna
    await page.getByTestId('settings-button').click()
    await page.getByTestId('storage-tab').click()
    await page.getByTestId('storage-usage').waitFor()
    await page.getByTestId('persistence').waitFor()
    await page.getByTestId('health-button').click()
    await page.getByTestId('health-good').waitFor()
    await page.keyboard.press('Escape')
  })

  test('a group that cannot be read is found and set aside, and a member adds it anew', { timeout }, async () => {
    const { page } = anna
    const before = await page.evaluate(groupsInStore)
    await newGroup(page, 'Kaputt', [words.other])
    await say(page, 'wird gleich beschädigt')
    await page.getByTestId('lock-button').click()
    await locked(page)
    await page.evaluate(damage, (await page.evaluate(groupsInStore)).find((key) => !before.includes(key)))
    await unlock(page)
    await openConversation(page, words.group)
    await page.getByTestId('settings-button').click()
    await page.getByTestId('storage-tab').click()
    await page.getByTestId('health-button').click()
    await page.getByTestId('damaged-group').filter({ hasText: 'Kaputt' }).waitFor()
    assert.equal(await page.getByTestId('damaged-group').count(), 1)
    await page.getByTestId('repair-button').click()
    await page.locator('[data-testid=damaged-group][data-state=repaired]').waitFor()
    await page.keyboard.press('Escape')
    await openConversation(page, 'Kaputt')
    await page.locator('[data-testid=read-only][data-standing=damaged]').waitFor()
    await shows(page, true, 'wird gleich beschädigt', 'sent')
    await openConversation(ben.page, 'Kaputt')
    await ben.page.getByTestId('members-button').click()
    const member = ben.page.locator(`[data-testid=member][data-user=${words.user}]`)
    await member.locator('summary').click()
    await member.getByTestId('add-anew-button').click()
    await page.getByTestId('composer-input').waitFor()
    await ben.page.keyboard.press('Escape')
    await say(ben.page, 'wieder heil')
    await shows(page, false, 'wieder heil')
    await shows(page, true, 'wird gleich beschädigt', 'sent')
    await openConversation(page, words.group)
  })

  test('nothing of it is in the folder of the profile', { timeout }, async () => {
    await anna.profile.close()
    await ben.profile.close()
    const needles = Object.entries({ ...words, passphrase, groupId: group })
    const found = (profile) => {
      const files = profile.files()
      return needles.flatMap(([what, word]) => {
        const paths = files.filter(({ bytes }) => forms(word).some((form) => bytes.includes(form))).map(({ path }) => path)
        return paths.length === 0 ? [] : [{ what, paths }]
      })
    }
    // Ben's is in the clear, so that the search is known to find what there is.
    assert.deepEqual(found(ben.profile).map(({ what }) => what).sort(), ['group', 'groupId', 'later', 'other', 'reply', 'text', 'user'])
    assert.deepEqual(found(anna.profile), [])
  })

  test('no page had an error', () => {
    assert.deepEqual([...anna.profile.errors, ...ben.profile.errors], [])
  })
})

/** What text looks like on the disk, and of a group id in hex the bytes too. */
function forms(text) {
  const wide = Buffer.from(text, 'utf16le')
  const hex = /^[0-9a-f]{32}$/.test(text) ? [Buffer.from(text, 'hex')] : []
  return [Buffer.from(text), wide, Buffer.from(wide).swap16(), ...hex]
}

/** The blinded keys of the groups in the crypto client's database. */
async function groupsInStore() {
  const settle = (request) => new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })
  const name = (await indexedDB.databases()).map((database) => database.name).find((text) => text.startsWith('openmls-wasm '))
  const database = await settle(indexedDB.open(name))
  const keys = await settle(database.transaction('epoch_records').objectStore('epoch_records').getAllKeys())
  database.close()
  return [...new Set(keys.map((key) => key.split('/')[0]))]
}

/** Changes one bit of a record of this group. */
async function damage(group) {
  const settle = (request) => new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })
  const name = (await indexedDB.databases()).map((database) => database.name).find((text) => text.startsWith('openmls-wasm '))
  const database = await settle(indexedDB.open(name))
  const store = database.transaction('epoch_records', 'readwrite').objectStore('epoch_records')
  const key = (await settle(store.getAllKeys())).find((one) => one.split('/')[0] === group)
  const value = await settle(store.get(key))
  value[value.length - 1] ^= 1
  await settle(store.put(value, key))
  database.close()
}

describe('a database in the clear', () => {
  test('is sealed from the settings, and says before what it is', { timeout }, async () => {
    const carla = await person('Carlakiwi', 'plain')
    try {
      const { page } = carla
      await newGroup(page, 'Offene Runde', [])
      await say(page, 'im Klartext')
      await page.getByTestId('settings-button').click()
      await page.getByTestId('protection-tab').click()
      await page.getByTestId('plain-notice').waitFor()
      await protect(page, 'passphrase')
      await page.getByTestId('seal-button').click()
      await shows(page, true, 'im Klartext', 'sent')
      await say(page, 'ab jetzt nicht mehr')
      await page.goto(service.url)
      await unlock(page)
      await openConversation(page, 'Offene Runde')
      for (const text of ['im Klartext', 'ab jetzt nicht mehr']) await shows(page, true, text, 'sent')
      const clear = await page.evaluate(async () => {
        const settle = (request) => new Promise((resolve) => { request.onsuccess = () => resolve(request.result) })
        const names = (await indexedDB.databases()).map(({ name }) => name).filter((name) => name.startsWith('chat'))
        const found = []
        for (const name of names) {
          const database = await settle(indexedDB.open(name))
          for (const store of database.objectStoreNames) found.push(...await settle(database.transaction(store).objectStore(store).getAll()))
          database.close()
        }
        return JSON.stringify(found, (_, value) => (value instanceof Uint8Array ? String.fromCharCode(...value) : value))
      })
      for (const secret of ['Klartext', 'Offene', 'Carlakiwi']) assert.equal(clear.includes(secret), false, secret)
      assert.deepEqual(carla.profile.errors, [])
    } finally {
      await carla.profile.remove()
    }
  })
})

describe('a passkey', () => {
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
  // Passkeys are of a host name, not of an address.
  const url = () => service.url.replace('127.0.0.1', 'localhost')

  test('locks and unlocks, also after a reload; a passphrase is added beside it, and the passkey removed', { timeout }, async () => {
    const profile = await new Profile().start()
    try {
      const page = await visit(profile, url())
      await authenticator(page, { hasPrf: true })
      await register(page, 'Doragnu', 'passkey')
      await online(page)
      await newGroup(page, 'Schlüsselrunde', [])
      await say(page, 'mit Passkey')
      await page.getByTestId('lock-button').click()
      await locked(page)
      await page.getByTestId('unlock-passkey-button').click()
      await shows(page, true, 'mit Passkey', 'sent')
      await page.reload()
      await page.getByTestId('unlock-passkey-button').click()
      await shows(page, true, 'mit Passkey', 'sent')
      await page.getByTestId('settings-button').click()
      await page.getByTestId('protection-tab').click()
      await page.getByTestId('add-passphrase-button').click()
      await page.getByTestId('new-passphrase-input').fill(passphrase)
      await page.getByTestId('passphrase-again-input').fill(passphrase)
      await page.getByTestId('change-confirm').click()
      await page.locator('[data-testid=unlock-way][data-kind=passphrase]').waitFor()
      await page.locator('[data-testid=unlock-way][data-kind=passkey]').getByTestId('remove-unlock-button').click()
      await page.getByTestId('proof-passphrase-input').fill(passphrase)
      await page.getByTestId('change-confirm').click()
      await page.locator('[data-testid=unlock-way][data-kind=passkey]').waitFor({ state: 'detached' })
      await page.keyboard.press('Escape')
      await page.getByTestId('lock-button').click()
      await unlock(page)
      await shows(page, true, 'mit Passkey', 'sent')
      assert.deepEqual(profile.errors, [])
    } finally {
      await profile.remove()
    }
  })

  test('that cannot encrypt is told, and a passphrase offered instead', { timeout }, async () => {
    const profile = await new Profile().start()
    try {
      const page = await visit(profile, url())
      await authenticator(page, { hasPrf: false })
      await register(page, 'Emuemil', 'passkey')
      await page.getByTestId('passkey-problem').waitFor()
      await protect(page, 'passphrase')
      await page.getByTestId('register-button').click()
      await online(page)
    } finally {
      await profile.remove()
    }
  })

  test('is not offered under an address', { timeout }, async () => {
    const profile = await new Profile().start()
    try {
      const page = await visit(profile)
      await page.getByTestId('protection-device').waitFor()
      assert.equal(await page.getByTestId('protection-passkey').count(), 0)
    } finally {
      await profile.remove()
    }
  })
})
