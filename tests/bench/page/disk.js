// How large the database becomes on the disk.
import { bareMember, createDatabase, fixture, recordsOf, storedMember } from './fixture.js'
import { forget, plaintext, rawDatabase, writeRaw } from './people.js'

const usage = async () => (await navigator.storage.estimate()).usage

/** What the origin takes up, looked at now and then. */
function watchUsage() {
  let most = 0
  return {
    async after(sent) {
      if (sent % 250 === 0) most = Math.max(most, await usage())
    },
    async end() {
      const estimate = await usage()
      return { estimate, most: Math.max(most, estimate) }
    },
  }
}

/** So many messages in a group, half of them sent and half received, with a commit now and then, and nothing else stored. */
export async function fillDisk({ members, messages, commitEvery }) {
  const { client, groupId } = await storedMember('alice', members, { name: 'disk', durability: 'relaxed' })
  const bob = await bareMember('bob', members)
  const watched = watchUsage()
  for (let sent = 0; sent < messages; sent += 2) {
    bob.client.processMessage(await client.encryptMessage(groupId, plaintext))
    await client.processMessage(bob.client.encryptMessage(groupId, plaintext))
    if (sent % commitEvery === commitEvery - 2) {
      const { bytes } = await client.selfUpdate(groupId)
      await client.mergePendingCommit(groupId)
      bob.client.processMessage(bytes)
    }
    forget(bob.client)
    await watched.after(sent)
  }
  await client.close()
  return watched.end()
}

/**
 * As a baseline: the same records to begin with, and then so many transactions over the same few keys, each of what one message
 * writes. Nothing is ever added, so what this grows by is IndexedDB's own.
 */
export async function fillDiskRaw({ members, messages }) {
  const records = recordsOf((await fixture(`members-${members}`)).alice)
  await createDatabase('disk-raw', records)
  const bare = await bareMember('alice', members)
  const database = await rawDatabase('disk-raw', bare.categories, null)
  const watched = watchUsage()
  for (let sent = 0; sent < messages; sent += 1) {
    bare.client.encryptMessage(bare.groupId, plaintext)
    await writeRaw(database, forget(bare.client), 'relaxed', null)
    await watched.after(sent)
  }
  database.close()
  return watched.end()
}

/**
 * The least that a message which is durable by itself can come to: the same records to begin with, and then so many transactions
 * that put 16 bytes under one and the same key.
 */
export async function fillDiskLeast({ members, messages }) {
  const records = recordsOf((await fixture(`members-${members}`)).alice)
  await createDatabase('disk-least', records)
  const { categories } = await bareMember('alice', members)
  const database = await rawDatabase('disk-least', categories, null)
  const event = { category: 'delivery_cursor', key: '0000000000000000', value: new Uint8Array(16) }
  const watched = watchUsage()
  for (let sent = 0; sent < messages; sent += 1) {
    await writeRaw(database, { events: [event] }, 'relaxed', null)
    await watched.after(sent)
  }
  database.close()
  return watched.end()
}
