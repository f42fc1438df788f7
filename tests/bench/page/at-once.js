// A thousand calls at once in groups in use, all durable, against as many in memory, one after the other.
import { bareMember, deleteDatabase, storedMember } from './fixture.js'
import { interleave, timed, timedSync } from './interleave.js'
import { forget, plaintext } from './people.js'

/** Encrypts. */
export async function encryptsAtOnce({ members, durability, blocks, warmUp, calls }) {
  const stored = await storedMember('alice', members, { durability })
  const bare = await bareMember('alice', members)
  const { groupId } = stored
  const list = Array.from({ length: calls })
  const results = await interleave(
    {
      stored: async () => [await timed(() => Promise.all(list.map(() => stored.client.encryptMessage(groupId, plaintext))))],
      memory: () => {
        const took = timedSync(() => list.forEach(() => bare.client.encryptMessage(groupId, plaintext)))
        forget(bare.client)
        return [took]
      },
    },
    { blocks, warmUp },
  )
  await end(stored, bare)
  return results
}

/**
 * Decrypts: `processMessage`, and, with its item in the inbox, `receiveMessage`. There is no method that takes an array;
 * so many calls in one tick are the same.
 */
export async function decryptsAtOnce({ members, durability, blocks, warmUp, calls }) {
  const stored = await storedMember('bob', members, { durability })
  const receiving = await storedMember('bob', members, { durability })
  const bare = await bareMember('bob', members)
  const alice = await bareMember('alice', members)
  const prepare = () => {
    const messages = Array.from({ length: calls }, () => alice.client.encryptMessage(alice.groupId, plaintext))
    forget(alice.client)
    return messages
  }
  const results = await interleave(
    {
      stored: async (messages) => [await timed(() => Promise.all(messages.map((bytes) => stored.client.processMessage(bytes))))],
      memory: (messages) => {
        const took = timedSync(() => messages.forEach((bytes) => bare.client.processMessage(bytes)))
        forget(bare.client)
        return [took]
      },
      received: async (messages) => {
        const took = await timed(() => Promise.all(messages.map((bytes) => receiving.client.receiveMessage({ bytes }))))
        await receiving.client.acknowledgeInbox((await receiving.client.inbox()).map((item) => item.id))
        return [took]
      },
    },
    { blocks, warmUp, prepare },
  )
  alice.discard()
  await end(receiving, { discard: () => undefined })
  await end(stored, bare)
  return results
}

async function end(stored, bare) {
  bare.discard()
  await stored.client.close()
  await deleteDatabase(stored.name)
}
