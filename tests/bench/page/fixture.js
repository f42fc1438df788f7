// The groups that the native build has prepared, as clients of either kind. The format: openmls-wasm/examples/bench/file.rs.
import { CoreCryptoClient, IndexedDbPersister } from '/openmls-wasm/dist/index.js'
import { rawDatabase, startEngine } from './people.js'

const files = new Map()

/** The lists of byte strings in a file of the fixture. */
export function fixture(name) {
  if (!files.has(name)) files.set(name, read(name))
  return files.get(name)
}

async function read(name) {
  const response = await fetch(`/fixture/${name}.bin`)
  if (!response.ok) throw new Error(`no fixture ${name}: ${response.status}`)
  const view = new DataView(await response.arrayBuffer())
  const utf8 = new TextDecoder()
  let at = 0
  const number = () => {
    at += 4
    return view.getUint32(at - 4, true)
  }
  const bytes = () => {
    const length = number()
    at += length
    // A copy: of a view IndexedDB would store the whole file.
    return new Uint8Array(view.buffer.slice(at - length, at))
  }
  const lists = {}
  for (let lists_left = number(); lists_left > 0; lists_left -= 1) {
    const name = utf8.decode(bytes())
    lists[name] = Array.from({ length: number() }, bytes)
  }
  return lists
}

/** A list as records. */
export function recordsOf(list) {
  const utf8 = new TextDecoder()
  return Array.from({ length: list.length / 3 }, (_, index) => ({
    category: utf8.decode(list[3 * index]),
    key: utf8.decode(list[3 * index + 1]),
    value: list[3 * index + 2],
  }))
}

/** Makes a database of the package that holds these records. */
export async function createDatabase(name, records) {
  const engine = await startEngine()
  const persister = new IndexedDbPersister({ name, durability: 'relaxed' })
  await persister.connect({ categories: engine.categories, format: engine.formatVersion })
  await persister.claimWriter(() => undefined)
  for (let at = 0; at < records.length; at += 10_000) {
    await persister.write({ events: records.slice(at, at + 10_000), incomingDone: [] })
  }
  persister.close()
  engine.discard()
}

/** A database with these records, to be written to by `writeRaw` alone: what a range deletes there is there. */
export async function rawCopy(name, list, categories) {
  await createDatabase(name, recordsOf(list))
  return rawDatabase(name, categories, null)
}

export function deleteDatabase(name) {
  return new Promise((resolve, reject) => {
    const request = indexedDB.deleteDatabase(name)
    request.onsuccess = () => resolve()
    request.onerror = () => reject(request.error)
  })
}

/** `member` of the prepared group with so many members, as a client over a database. */
export async function storedMember(member, members, options) {
  const lists = await fixture(`members-${members}`)
  const name = options.name ?? `${member}-${members}-${Math.random()}`
  await createDatabase(name, recordsOf(lists[member]))
  return { client: await CoreCryptoClient.open({ ...options, name }), groupId: lists.group[0], name }
}

/** `member` of the prepared group with so many members, without a database. */
export async function bareMember(member, members) {
  const lists = await fixture(`members-${members}`)
  const engine = await startEngine()
  engine.client.hydrate(recordsOf(lists[member]))
  return { client: engine.client, categories: engine.categories, groupId: lists.group[0], discard: () => engine.discard() }
}
