// The sealed history, over a stand-in for IndexedDB that keeps records in memory and lets a test act in between.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { coded } from './fakes.mjs'
import { load } from './load.mjs'

const { Draft } = await load('history/draft.ts')
const { HistorySealer, makeBlinding } = await load('history/sealer.ts')
const { newConversation, takeOver } = await load('history/take-over.ts')
const { encodePayload } = await load('history/payload.ts')

const group = 'aabbccdd'
const utf8 = new TextEncoder()

/** A vault like the crypto client's: AES-GCM, bound to the place. */
async function fakeVault() {
  const key = await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt'])
  const how = (place, iv) => ({ name: 'AES-GCM', iv, additionalData: utf8.encode(place) })
  return {
    places: [],
    async sealAppData(place, value) {
      this.places.push(place)
      const iv = crypto.getRandomValues(new Uint8Array(12))
      return Uint8Array.of(...iv, ...new Uint8Array(await crypto.subtle.encrypt(how(place, iv), key, value)))
    },
    async openAppData(place, sealed) {
      const iv = sealed.slice(0, 12)
      return new Uint8Array(await crypto.subtle.decrypt(how(place, iv), key, sealed.slice(12)).catch(() => { throw coded('damaged-record') }))
    },
  }
}

/** Transactions are all or nothing; `committing` is called when one that writes begins. */
function fakeDatabase(committing = () => {}) {
  const stores = { conversations: new Map(), lines: new Map(), intentions: new Map(), meta: new Map() }
  return {
    stores,
    transaction(names, mode) {
      if (mode === 'readwrite') committing(stores)
      const changes = []
      let aborted = false
      const objectStore = (name) => ({
        get: async (key) => structuredClone(stores[name].get(key)),
        getAll: async () => [...stores[name].values()].map((record) => structuredClone(record)),
        put: async (record) => void changes.push(() => stores[name].set(record.id, record)),
        delete: async (key) => void changes.push(() => stores[name].delete(key)),
      })
      return {
        objectStore,
        get store() { return objectStore(names) },
        get done() { return new Promise((done) => setTimeout(() => { if (!aborted) for (const change of changes) change(); done() })) },
        abort() { aborted = true },
      }
    },
  }
}

async function open(committing) {
  const vault = await fakeVault()
  const sealer = await HistorySealer.open(vault, await makeBlinding(vault))
  const database = fakeDatabase(committing)
  const change = async (work) => {
    for (let tries = 1; ; tries += 1) {
      const draft = new Draft(database, sealer)
      await work(draft)
      if (await draft.commit()) return tries
    }
  }
  return { vault, sealer, database, change }
}

const own = { own: { user: 'ann', client: '1' }, now: 5, visible: undefined }
const message = (id, text) => ({
  kind: 'message', id, groupId: Uint8Array.of(0xaa, 0xbb, 0xcc, 0xdd), position: 1, sender: { kind: 'member', identity: utf8.encode('ben/1') },
  plaintext: encodePayload({ type: 'text', text, at: 3 }),
})

test('nothing of what is stored tells a text, a name or a group', async () => {
  const { database, change } = await open()
  await change((records) => takeOver(records, message(`${group}-1-x`, 'meet me at eight'), own))
  await change((records) => records.put('intentions', { id: `leave-${group}`, conversation: group, attempts: 0, kind: 'leave' }))
  const stored = JSON.stringify(Object.values(database.stores).map((store) => [...store]), (_, value) =>
    value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : value)
  for (const secret of ['meet me', 'ben', 'ann', group, 'leave']) assert.equal(stored.includes(secret), false, secret)
  assert.equal(database.stores.lines.size, 1)
})

test('an item that is handed over again changes nothing', async () => {
  const { database, change } = await open()
  const item = message(`${group}-1-x`, 'once')
  for (let round = 0; round < 2; round += 1) await change((records) => takeOver(records, item, own))
  assert.equal(database.stores.lines.size, 1)
  await change(async (records) => {
    const { unread, lastOrder } = await records.get('conversations', group)
    assert.deepEqual([unread, lastOrder], [1, 1])
  })
})

test('items of one hand-over build on each other, and are written together', async () => {
  let transactions = 0
  const { database, change } = await open(() => (transactions += 1))
  await change(async (records) => {
    for (const id of ['a', 'b', 'c']) await takeOver(records, message(id, id), own)
  })
  assert.equal(transactions, 1)
  assert.deepEqual([...database.stores.lines.values()].map(({ order }) => order), [1, 2, 3])
})

test('what another tab has written meanwhile is not overwritten', async () => {
  let intrude
  const { database, sealer, change } = await open((stores) => intrude?.(stores))
  await change((records) => records.put('conversations', newConversation(group, 1, true)))
  const theirs = await sealer.seal('conversations', { ...newConversation(group, 1, true), name: 'theirs' })
  intrude = (stores) => {
    intrude = undefined
    stores.conversations.set(theirs.id, theirs)
  }
  const tries = await change(async (records) => {
    const conversation = await records.get('conversations', group)
    await records.put('conversations', { ...conversation, unread: 7 })
  })
  assert.equal(tries, 2)
  const now = await sealer.open('conversations', database.stores.conversations.get(theirs.id))
  assert.deepEqual([now.name, now.unread], ['theirs', 7])
})

test('a change that fails writes nothing', async () => {
  const { database, change } = await open()
  await assert.rejects(change(async (records) => {
    await records.put('conversations', newConversation(group, 1, true))
    throw coded('no')
  }), { code: 'no' })
  assert.equal(database.stores.conversations.size, 0)
})

test('a line that was moved to another place does not open', async () => {
  const { sealer } = await open()
  const line = { id: 'l', conversation: group, order: 1, after: 0, at: 1, kind: 'event', event: { type: 'joined' } }
  const sealed = await sealer.seal('lines', line)
  assert.deepEqual(await sealer.open('lines', sealed), line)
  for (const moved of [{ order: 2 }, { conversation: await sealer.blind('conversations', 'ee') }, { id: 'other' }]) {
    await assert.rejects(sealer.open('lines', { ...sealed, ...moved }), { code: 'damaged-record' })
  }
})

test('keys are blinded by a secret of this history, and each store for itself', async () => {
  const [one, other] = [await open(), await open()]
  const key = await one.sealer.blind('conversations', group)
  assert.match(key, /^[0-9a-f]{32}$/)
  assert.equal(one.sealer.blindedConversation(group), key)
  assert.notEqual(key, await one.sealer.blind('lines', group))
  assert.notEqual(key, await other.sealer.blind('conversations', group))
})
