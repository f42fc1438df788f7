// How large the database becomes on the disk.
import { bareMember, storedMember } from './fixture.js'
import { forget, plaintext } from './people.js'

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
