// Commits in a large group: what merging the own one writes, and what of it is storage.
import { bareMember, deleteDatabase, fixture, rawCopy, storedMember } from './fixture.js'
import { interleave, timed, timedSync } from './interleave.js'
import { asOneRecord, countingPersister, forget, writeRaw } from './people.js'

/**
 * Own self-updates, durable and in memory. In memory the parts are apart: the commit, its merge, handing over what changed,
 * and one raw transaction of that. What OpenMLS itself does in the merge is in the merge. `member`: `alice`, or `fresh`, who
 * is the first to commit after everybody was added.
 */
export async function selfUpdates({ member, members, durability, blocks, warmUp }) {
  const name = `self-updates-${member}-${members}`
  const { persister, take } = countingPersister(name)
  const stored = await storedMember(member, members, { name, durability, persister })
  const bare = await bareMember(member, members)
  const database = await rawCopy(`raw-${name}`, (await fixture(`members-${members}`))[member], bare.categories)
  const { groupId } = stored
  const written = []
  const results = await interleave(
    {
      stored: async () => {
        const commit = await timed(() => stored.client.selfUpdate(groupId))
        take()
        const merge = await timed(() => stored.client.mergePendingCommit(groupId))
        written.push(take())
        return [{ commit, merge }]
      },
      memory: async () => {
        let batch
        const commit = timedSync(() => bare.client.selfUpdate(groupId))
        forget(bare.client)
        const merge = timedSync(() => bare.client.mergePendingCommit(groupId))
        const drain = timedSync(() => (batch = forget(bare.client)))
        const write = await timed(() => writeRaw(database, batch, durability, null))
        const one = asOneRecord(batch)
        const writeOne = await timed(() => writeRaw(database, one, durability, null))
        return [{ commit, merge, drain, write, writeOne }]
      },
    },
    { blocks, warmUp },
  )
  database.close()
  bare.discard()
  await stored.client.close()
  await deleteDatabase(name)
  return { results, written }
}
