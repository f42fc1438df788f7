// Opening: what it costs until the first message is encrypted, by the number of groups that the client is in.
import { CoreCryptoClient } from '/openmls-wasm/dist/index.js'
import { createDatabase, fixture, recordsOf } from './fixture.js'
import { interleave, timed } from './interleave.js'
import { plaintext, rawDatabase, startEngine, wasmMemory, writeRaw } from './people.js'

const groupOf = (record) => record.key.split('/')[0]
const bytesOf = (hex) => Uint8Array.from(hex.match(/../g), (pair) => Number.parseInt(pair, 16))

/**
 * Per number of groups: opening a client and encrypting in a group, another one each time; and as a baseline what IndexedDB
 * needs to open the same database, read the same records in one transaction and write those of the message in another.
 */
export async function opening({ counts, blocks, warmUp, durability }) {
  const lists = await fixture('groups')
  const ofClient = recordsOf(lists.client)
  const ofGroups = recordsOf(lists.groups)
  const { categories, discard } = await startEngine()
  discard()
  const clientStores = categories.filter(({ scope }) => scope === 'client').map(({ name }) => name)
  const groupStores = categories.filter(({ scope }) => scope === 'group').map(({ name }) => name)
  const arms = {}
  const memory = {}
  const records = {}
  for (const count of counts) {
    const name = `groups-${count}`
    const groups = [...new Set(ofGroups.map(groupOf))].slice(0, count)
    const there = new Set(groups)
    const own = ofGroups.filter((record) => there.has(groupOf(record)))
    await createDatabase(name, [...ofClient, ...own])
    records[count] = ofClient.length + own.length
    memory[count] = []
    let turn = 0
    const next = () => groups[(turn += 7919) % groups.length]
    let written = []
    arms[`open-${count}`] = async () => {
      const groupId = bytesOf(next())
      let client
      const took = await timed(async () => {
        client = await CoreCryptoClient.open({ name, durability })
        await client.encryptMessage(groupId, plaintext)
      })
      memory[count].push(wasmMemory())
      await client.close()
      return [took]
    }
    arms[`raw-${count}`] = async () => {
      const group = next()
      if (written.length === 0) written = asOfAMessage(own.filter((record) => groupOf(record) === groupOf(own[0])))
      let database
      const took = await timed(async () => {
        database = await rawDatabase(name, categories, null)
        await readRaw(database, clientStores, groupStores, group)
        await writeRaw(database, { events: written }, durability, null)
      })
      database.close()
      return [took]
    }
  }
  return { results: await interleave(arms, { blocks, warmUp }), memory, records }
}

/** What a message writes, of a group that nobody asks for: the records of one in use, put back, would be its end. */
function asOfAMessage(records) {
  const other = 'f'.repeat(64)
  const secrets = records.filter(({ category }) => category === 'message_secrets')
  const moved = secrets.map(({ category, key, value }) => ({ category, key: other + key.slice(groupOf({ key }).length), value }))
  return [...moved, { category: 'group_context', key: other, value: new Uint8Array(600) }]
}

/** All records of the client, and those of one group. */
function readRaw(database, clientStores, groupStores, group) {
  return new Promise((resolve, reject) => {
    const transaction = database.transaction([...clientStores, ...groupStores], 'readonly')
    const range = IDBKeyRange.bound(group, `${group}0`, false, true)
    for (const [stores, part] of [[clientStores, undefined], [groupStores, range]]) {
      for (const name of stores) {
        const store = transaction.objectStore(name)
        store.getAllKeys(part)
        store.getAll(part)
      }
    }
    transaction.oncomplete = () => resolve()
    transaction.onabort = () => reject(transaction.error)
  })
}
