// How large the database becomes on the disk.
import { bareMember, createDatabase, fixture, recordsOf, storedMember } from './fixture.js'
import { forget, plaintext, rawDatabase, writeRaw } from './people.js'

/** So many messages in a group, half of them sent and half received, with a commit now and then, and nothing else stored. */
export async function fillDisk({ members, messages, commitEvery }) {
  const { client, groupId } = await storedMember('alice', members, { name: 'disk', durability: 'relaxed' })
  const bob = await bareMember('bob', members)
  for (let sent = 0; sent < messages; sent += 2) {
    bob.client.processMessage(await client.encryptMessage(groupId, plaintext))
    await client.processMessage(bob.client.encryptMessage(groupId, plaintext))
    if (sent % commitEvery === commitEvery - 2) {
      const { bytes } = await client.selfUpdate(groupId)
      await client.mergePendingCommit(groupId)
      bob.client.processMessage(bytes)
    }
    forget(bob.client)
  }
  await client.close()
  return (await navigator.storage.estimate()).usage
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
  for (let sent = 0; sent < messages; sent += 1) {
    bare.client.encryptMessage(bare.groupId, plaintext)
    await writeRaw(database, forget(bare.client), 'relaxed', null)
  }
  database.close()
  return (await navigator.storage.estimate()).usage
}
