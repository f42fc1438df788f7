// Two members of one group, one of them in a CoreCryptoClient or in a bare MlsClient; and raw IndexedDB to compare with.
import { CoreCryptoClient, IndexedDbPersister, WasmEngineHost } from '/openmls-wasm/dist/index.js'
import { queueEvents } from '/openmls-wasm/dist/indexeddb-batch.js'

const host = new WasmEngineHost()

// The memory of the instance that was made last, which the package keeps to itself.
let memory
const { instantiate } = WebAssembly
WebAssembly.instantiate = async (...args) => {
  const made = await instantiate.apply(WebAssembly, args)
  memory = (made.instance ?? made).exports.memory ?? memory
  return made
}

/** Bytes of memory of the wasm instance that was made last. */
export const wasmMemory = () => memory.buffer.byteLength

/** An engine with an empty client. */
export const startEngine = () => host.start()

const utf8 = (text) => new TextEncoder().encode(text)

/** What every measured message says: 256 bytes. */
export const plaintext = new Uint8Array(256).map((_, index) => index)

/** An engine without a database: what it changed is drained and confirmed, and thereby forgotten. */
export async function bareClient(name) {
  const engine = await host.start()
  engine.client.createIdentity(utf8(name))
  forget(engine.client)
  return engine
}

/** Drains the batch of what was changed, and confirms it. */
export function forget(client) {
  const batch = client.drainStorageEvents()
  if (batch !== undefined) client.confirmBatch(batch.sequence)
  return batch ?? { events: [], deletedRanges: [] }
}

/**
 * `alice`, of either kind, in a group with a bare Bob. Both have spoken, so that her state holds what it holds in a
 * conversation.
 */
export async function groupOf(alice) {
  const bob = (await bareClient('bob')).client
  const groupId = await alice.createGroup()
  const { welcome } = await alice.addMembers(groupId, bob.generateKeyPackages(1))
  await alice.mergePendingCommit(groupId)
  bob.joinGroup(welcome)
  for (let round = 0; round < 3; round += 1) {
    await alice.processMessage(bob.encryptMessage(groupId, plaintext))
    bob.processMessage(await alice.encryptMessage(groupId, plaintext))
  }
  return { groupId, bob }
}

/** A CoreCryptoClient over IndexedDB, with an identity; `persister` replaces that of the package. */
export async function storedClient(name, durability, persister) {
  const client = await CoreCryptoClient.open({ name, durability, persister })
  await client.createIdentity(utf8(name))
  return client
}

/** What tells older records from newer ones: no value of MLS. */
const ofOurOwn = new Set(['digest_root', 'digest_node'])

/** The package's persister, counting what it is given to write. */
export function countingPersister(name) {
  const persister = new IndexedDbPersister({ name, durability: 'relaxed' })
  const nothing = { records: 0, bytes: 0, keys: 0, mls: 0 }
  let written = { ...nothing }
  const write = persister.write.bind(persister)
  persister.write = (batch) => {
    for (const { category, key, value } of batch.events) {
      written.records += 1
      written.bytes += value?.byteLength ?? 0
      written.keys += key.length
      if (!ofOurOwn.has(category)) written.mls += value?.byteLength ?? 0
    }
    return write(batch)
  }
  /** What was written since the last call. */
  const take = () => {
    const taken = written
    written = { ...nothing }
    return taken
  }
  return { persister, take }
}

/**
 * A database with the stores of the package, written to by nothing but {@link writeRaw}. `version`: null to open one
 * that is there.
 */
export async function rawDatabase(name, categories, version = 1) {
  const request = indexedDB.open(name, version ?? undefined)
  request.onupgradeneeded = () => {
    for (const category of categories) request.result.createObjectStore(category.name)
    request.result.createObjectStore('incoming', { autoIncrement: true })
    request.result.createObjectStore('meta').put(1, 'writer')
  }
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })
}

/** As many bytes of values as in a batch, as one record. */
export function asOneRecord({ events }) {
  const bytes = events.reduce((sum, { value }) => sum + (value?.byteLength ?? 0), 0)
  return { events: [{ category: 'delivery_cursor', key: 'all in one', value: new Uint8Array(bytes) }] }
}

/**
 * The least that a write must do: one transaction that reads the fence and puts the records, as fast as IndexedDB can. It
 * commits as soon as the fence is seen to be right, which is faster than to wait for the last put to report. `expected` is what
 * the fence must be; null if any is right.
 */
export function writeRaw(database, { events, deletedRanges }, durability, expected = 1) {
  return new Promise((resolve, reject) => {
    const stores = ['meta', ...new Set(events.map((event) => event.category))]
    const transaction = database.transaction(stores, 'readwrite', { durability })
    transaction.oncomplete = () => resolve()
    transaction.onabort = () => reject(transaction.error)
    const fence = transaction.objectStore('meta').get('writer')
    fence.onsuccess = () => (expected === null || fence.result === expected ? transaction.commit() : transaction.abort())
    queueEvents(transaction, events, deletedRanges)
  })
}
