// Messages in groups in use: bytes and time by the number of members, and by the number of epochs that are retained.
import { bareMember, deleteDatabase, storedMember } from './fixture.js'
import { interleave, repeat, timed, timedSync } from './interleave.js'
import { countingPersister, forget, plaintext, rawDatabase, writeRaw } from './people.js'

/** What is written per message, encrypted and decrypted in turn. `retained`: how many past epochs are kept. */
export async function bytesPerMessage({ members, retained, rounds }) {
  const counted = {}
  const stored = {}
  for (const who of ['alice', 'bob']) {
    const name = `bytes-${who}-${members}-${retained}`
    counted[who] = countingPersister(name)
    stored[who] = await storedMember(who, members, { name, durability: 'relaxed', persister: counted[who].persister })
    await stored[who].client.deletePastEpochSecrets(stored[who].groupId, { maxPastEpochs: retained })
  }
  const { groupId } = stored.alice
  const written = { encrypt: [], decrypt: [] }
  const count = async (operation, who, call) => {
    counted[who].take()
    const result = await call(stored[who].client)
    written[operation].push(counted[who].take())
    return result
  }
  for (let round = 0; round < rounds; round += 1) {
    const message = await count('encrypt', 'alice', (client) => client.encryptMessage(groupId, plaintext))
    await count('decrypt', 'bob', (client) => client.processMessage(message))
  }
  for (const { client, name } of Object.values(stored)) {
    await client.close()
    await deleteDatabase(name)
  }
  return written
}

/**
 * Awaited encrypts, one arm per group; beside each, the same encrypt in memory, and one raw transaction of the same bytes.
 * @param groups pairs of members and retained epochs
 */
export async function awaitedByGroup({ groups, durability, blocks, warmUp, perBlock }) {
  const arms = {}
  const ends = []
  for (const { members, retained } of groups) {
    const stored = await storedMember('alice', members, { durability })
    await stored.client.deletePastEpochSecrets(stored.groupId, { maxPastEpochs: retained })
    const bare = await bareMember('alice', members)
    bare.client.deletePastEpochSecrets(bare.groupId, { maxPastEpochs: retained })
    forget(bare.client)
    const database = await rawDatabase(`raw-${members}-${retained}-${durability}`, bare.categories)
    const { groupId } = stored
    bare.client.encryptMessage(groupId, plaintext)
    const batch = forget(bare.client)
    arms[`stored-${members}-${retained}`] = () =>
      repeat(perBlock, () => timed(() => stored.client.encryptMessage(groupId, plaintext)))
    arms[`memory-${members}-${retained}`] = () =>
      repeat(perBlock, () =>
        timedSync(() => {
          bare.client.encryptMessage(groupId, plaintext)
          forget(bare.client)
        }))
    arms[`raw-${members}-${retained}`] = () => repeat(perBlock, () => timed(() => writeRaw(database, batch, durability)))
    ends.push(async () => {
      database.close()
      bare.discard()
      await stored.client.close()
      await deleteDatabase(stored.name)
    })
  }
  const results = await interleave(arms, { blocks, warmUp })
  for (const end of ends) await end()
  return results
}
