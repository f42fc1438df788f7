// Must-show 9: a database that cannot be opened is left as it is, to the byte, and the reason is typed. Then, mended, it opens
// and the conversation goes on: nothing was lost by the attempt.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { buildPage } from './support/page.mjs'
import { startService } from './support/service.mjs'
import { settle, twoUsers } from './support/user.mjs'

const timeout = 60_000
let service
let here
/** Ben's open client is closed and its page left, so that only the test has his database. */
let ben

before(async () => {
  service = await startService(await buildPage())
  here = await twoUsers(service.url)
  await talk('hello')
  ben = here.ben
  await ben.run(() => me.close())
  await ben.page.reload()
})

after(async () => {
  await here?.remove()
  await service?.stop()
})

async function talk(text) {
  const { anna, users, conversation } = here
  await anna.run(([group, words]) => me.send(group, words), [conversation, text])
  await settle(users, conversation)
  for (const user of users) {
    assert.equal((await user.run((group) => me.texts(group), conversation)).at(-1), text)
  }
}

/** Everything in the crypto database and in the app's, to the byte. */
const dump = () => ben.run(() => databases.dump('ben'))

/** What opening fails with. */
const opening = (page) => page.evaluate(async () => {
  const error = await Person.open({ user: 'ben' }).then(() => undefined, (reason) => reason)
  if (error === undefined) return 'open'
  return { typed: error instanceof CoreCryptoError, code: error.code, ...(error.category && { category: error.category, key: error.key }) }
})

/** Opens in vain, and looks that nothing has changed. */
async function refused(expected) {
  const before = await dump()
  for (let attempt = 0; attempt < 2; attempt += 1) {
    assert.deepEqual(await opening(ben.page), { typed: true, ...expected })
    assert.deepEqual(await dump(), before)
  }
}

/** What is only read when it is used: opening succeeds, using it fails, and all else works. Nothing of what was there changes. */
async function refusedInUse(expected, listed = 2) {
  const before = await dump()
  const seen = await ben.page.evaluate(async (group) => {
    const found = { code: 'used' }
    const { raw } = await Person.open({ user: 'ben' })
    try {
      await raw.keyPackages()
      await raw.groupInfo(Uint8Array.from(group.match(/../g), (pair) => parseInt(pair, 16)))
    } catch (error) {
      Object.assign(found, { typed: error instanceof CoreCryptoError, code: error.code, category: error.category, key: error.key })
    }
    const other = await raw.createGroup()
    await raw.encryptMessage(other, new Uint8Array(3))
    const { groups } = await raw.groupSummaries()
    found.listed = groups.length
    await raw.deleteGroup(other)
    await raw.close()
    return found
  }, here.conversation)
  assert.deepEqual(seen, { typed: true, listed, ...expected })
  const after = await dump()
  // The root has the digest of the other group too, which was made and deleted here.
  const isOfOther = (place) => place.includes('meta/writer') || place.includes('digest_')
  const changed = Object.keys(before).filter((place) => !isOfOther(place) && before[place] !== after[place])
  assert.deepEqual(changed, [])
}

/** The client opens again and goes on. */
async function goesOn(text) {
  await ben.begin()
  await ben.run(() => me.online())
  await talk(text)
  await ben.run(() => me.close())
  await ben.page.reload()
}

test('records of a newer format', { timeout }, async () => {
  const put = (format) => ben.run((value) => databases.put('ben', 'meta', 'format', value), format)
  const format = await ben.run(() => databases.get('ben', 'meta', 'format'))
  await put(format + 1)
  await refused({ code: 'newer-format' })
  await put(format)
  await goesOn('after a newer format')
})

test('a layout of a newer version', { timeout }, async () => {
  // There is no way back from a higher version, so this is a copy of the database.
  await ben.run(() => databases.copyWithHigherVersion('ben', 'newer'))
  const before = await ben.run(() => databases.dump('newer'))
  assert.ok(Object.keys(before).length > 10)
  const code = await ben.run(() => Person.open({ user: 'newer' }).then(() => 'open', (error) => error.code))
  assert.equal(code, 'newer-format')
  assert.deepEqual(await ben.run(() => databases.dump('newer')), before)
})

test('a record of a newer format', { timeout }, async () => {
  const { category, key, value } = (await ben.run(() => databases.records('ben', ['epoch_records'])))[0]
  await ben.run(([name, id, bytes]) => databases.put('ben', name, id, new Uint8Array([bytes[0] + 1, ...bytes.slice(1)])), [category, key, value])
  await refusedInUse({ code: 'damaged-record', category, key })
  await ben.run(([name, id, bytes]) => databases.put('ben', name, id, new Uint8Array(bytes)), [category, key, value])
  await goesOn('after a record of a newer format')
})

/** What belongs to the client itself. */
const readAtOpening = new Set(['identity', 'signature_key_pair', 'last_sequence', 'inbox', 'outbox', 'welcome_cursor', 'digest_root'])

/** The ways a value is damaged: done in the page, where a value need not be bytes. */
const damages = ['cut short', 'empty', 'one byte more', 'text', 'nothing but zeros']

test('a damaged record, of each category that has one', { timeout: 3 * timeout }, async (t) => {
  // Of groups, those of the conversation: what is left of another is read when that is asked for.
  const ofAnother = ({ category, key }) => !readAtOpening.has(category) && !category.startsWith('key_package') && !key.startsWith(here.conversation)
  const records = (await ben.run(() => databases.records('ben'))).filter((record) => !ofAnother(record))
  const categories = [...new Set(records.map(({ category }) => category))]
  assert.ok(categories.length >= 8, `${categories}`)
  for (const [at, category] of categories.entries()) {
    for (const damage of [damages[0], damages[1 + (at % (damages.length - 1))]]) {
      await t.test(`${category}: ${damage}`, async () => {
        const { key, value } = records.find((record) => record.category === category)
        await ben.run(([name, id, how]) => databases.damage('ben', name, id, how), [category, key, damage])
        const reading = readAtOpening.has(category) ? refused : refusedInUse
        await reading({ code: 'damaged-record', category, key })
        await ben.run(([name, id, bytes]) => databases.put('ben', name, id, new Uint8Array(bytes)), [category, key, value])
      })
    }
  }
  await goesOn('after all that damage')
})

test('a record of a group that is missing, or older than the others', { timeout }, async () => {
  const digestOf = (records) => records.filter(({ category }) => category === 'digest_root')
  const older = await ben.run(() => databases.records('ben'))
  await goesOn('one message more')
  const records = await ben.run(() => databases.records('ben'))
  assert.notDeepEqual(digestOf(records), digestOf(older))
  const put = ({ category, key, value }) =>
    ben.run(([name, id, bytes]) => databases.put('ben', name, id, bytes && new Uint8Array(bytes)), [category, key, value])
  const secrets = records.find(({ category }) => category === 'message_secrets')
  const before = older.find(({ category, key }) => category === 'message_secrets' && key === secrets.key)
  assert.notDeepEqual(before.value, secrets.value)
  await put(before)
  await refusedInUse({ code: 'damaged-group', category: undefined, key: undefined })
  await put({ ...secrets, value: undefined })
  await refusedInUse({ code: 'damaged-group', category: undefined, key: undefined })
  await put(secrets)
  await goesOn('after all records are as they were')
})

test('a group that is put back, or taken away, as a whole', { timeout }, async () => {
  const records = () => ben.run(() => databases.records('ben'))
  const ofGroup = (all) => all.filter(({ key, category }) => key.split('/')[0] === here.conversation && !category.startsWith('early_'))
  const putAll = (of) => ben.run(async (all) => {
    for (const [name, id, bytes] of all) await databases.put('ben', name, id, bytes && new Uint8Array(bytes))
  }, of.map(({ category, key, value }) => [category, key, value]))
  const older = ofGroup(await records())
  await goesOn('one message more, in the group as a whole')
  const newer = ofGroup(await records())
  const none = (all) => all.map((record) => ({ ...record, value: undefined }))
  await putAll([...none(newer), ...older])
  await refusedInUse({ code: 'damaged-group', category: undefined, key: undefined })
  await putAll(none(older))
  await refusedInUse({ code: 'damaged-group', category: undefined, key: undefined }, 1)
  await putAll(newer)
  await goesOn('after all of the group is as it was')
})

test('a second tab', { timeout }, async () => {
  await ben.begin()
  await ben.run(() => me.online())
  await settle(here.users, here.conversation)
  const second = await ben.profile.page(service.url)
  const before = await second.evaluate(() => databases.dump('ben'))
  for (let attempt = 0; attempt < 2; attempt += 1) {
    assert.deepEqual(await opening(second), { typed: true, code: 'already-open' })
    assert.deepEqual(await second.evaluate(() => databases.dump('ben')), before)
  }
  await talk('with a second tab')
  await second.close()
  await ben.run(() => me.close())
  await ben.page.reload()
  await goesOn('after a second tab')
})

test('a database that is not there, where there should be one', { timeout }, async () => {
  const found = await ben.run(async () => {
    const client = new CoreCryptoClient({ name: 'openmls-wasm nobody', mustExist: true })
    const code = await client.open().then(() => 'open', (error) => error.code)
    return { code, names: (await indexedDB.databases()).map(({ name }) => name) }
  })
  assert.equal(found.code, 'database-missing')
  assert.ok(!found.names.includes('openmls-wasm nobody'))
})
