// What takes long: adding everybody, joining, processing a commit. Durable, on the page and in a worker, against in memory.
import { CoreCryptoClient } from '/openmls-wasm/dist/index.js'
import { openInWorker } from '/openmls-wasm/dist/in-worker.js'
import { bareMember, createDatabase, deleteDatabase, fixture, rawCopy, recordsOf } from './fixture.js'
import { interleave, timed, timedSync } from './interleave.js'
import { forget, plaintext, startEngine, writeRaw } from './people.js'

const open = { page: (options) => CoreCryptoClient.open(options), worker: (options) => openInWorker(options) }
const nextTask = () => new Promise((resolve) => setTimeout(resolve))

/** Counts the tasks of the page that block it for 50 ms and more, while a call is under way. */
function watchLongTasks() {
  const seen = []
  const observer = new PerformanceObserver((list) => seen.push(...list.getEntries()))
  observer.observe({ type: 'longtask' })
  const longest = []
  return {
    longest,
    /** Runs `work` in a task of its own. */
    async during(work) {
      await nextTask()
      const from = performance.now()
      const took = await timed(work)
      const until = performance.now()
      await nextTask()
      seen.push(...observer.takeRecords())
      const within = seen.filter(({ startTime, duration }) => startTime + duration > from && startTime < until)
      longest.push(Math.max(0, ...within.map(({ duration }) => duration)))
      return took
    },
  }
}

/** An operation that begins with the same records each time. */
async function fromTheSame(records, durability, { blocks, warmUp }, operation, before = () => undefined) {
  const tasks = watchLongTasks()
  const stored = (where) => async () => {
    const name = `${where}-${Math.random()}`
    await createDatabase(name, records)
    const client = await open[where]({ name, durability })
    await before(client)
    const work = () => operation(client)
    const took = where === 'worker' ? await tasks.during(work) : await timed(work)
    await client.close()
    await deleteDatabase(name)
    return [took]
  }
  const memory = async () => {
    const engine = await startEngine()
    engine.client.hydrate(records)
    await before(engine.client)
    const took = await timed(async () => {
      await operation(engine.client)
      forget(engine.client)
    })
    engine.discard()
    return [took]
  }
  const results = await interleave({ page: stored('page'), worker: stored('worker'), memory }, { blocks, warmUp })
  return { results, longTasks: tasks.longest }
}

/** Adds all others to a group of two. */
export async function addAll({ members, durability, ...how }) {
  const small = await fixture('members-2')
  const { packages } = await fixture(`members-${members}`)
  const groupId = small.group[0]
  return fromTheSame(recordsOf(small.alice), durability, how, async (client) => {
    await client.addMembers(groupId, packages)
    await client.mergePendingCommit(groupId)
  })
}

/** Joins the large group. */
export async function join({ members, durability, ...how }) {
  const { joiner, welcome } = await fixture(`members-${members}`)
  return fromTheSame(recordsOf(joiner), durability, how, (client) => client.joinGroup(welcome[0]))
}

/** Processes the commit that ends an epoch in which everybody has spoken, as in the ten before it. */
export async function endEpoch({ members, durability, ...how }) {
  const { bob, group } = await fixture(`members-${members}`)
  const alice = await bareMember('alice', members)
  const { bytes } = alice.client.selfUpdate(group[0])
  alice.discard()
  return fromTheSame(
    recordsOf(bob), durability, how,
    (client) => client.processMessage(bytes),
    (client) => client.groupInfo(group[0]),
  )
}

/** Processes the commits of another, one after the other. */
export async function processCommits({ members, durability, blocks, warmUp }) {
  const { bob, group } = await fixture(`members-${members}`)
  const tasks = watchLongTasks()
  const clients = {}
  for (const where of Object.keys(open)) {
    await createDatabase(`commits-${where}`, recordsOf(bob))
    clients[where] = await open[where]({ name: `commits-${where}`, durability })
  }
  const bare = await bareMember('bob', members)
  const floor = await bareMember('bob', members)
  const database = await rawCopy('commits-raw', bob, bare.categories)
  const alice = await bareMember('alice', members)
  const prepare = () => {
    const { bytes } = alice.client.selfUpdate(group[0])
    alice.client.mergePendingCommit(group[0])
    forget(alice.client)
    return bytes
  }
  // Each thread compiles its own JavaScript: messages warm that up too, and leave what commits are to find as it is.
  for (let sent = 0; sent < 50; sent += 1) {
    const message = alice.client.encryptMessage(group[0], plaintext)
    forget(alice.client)
    for (const client of Object.values(clients)) await client.processMessage(message)
    for (const { client } of [bare, floor]) client.processMessage(message)
    forget(bare.client)
    await writeRaw(database, forget(floor.client), durability, null)
  }
  const results = await interleave(
    {
      page: async (bytes) => [await timed(() => clients.page.processMessage(bytes))],
      worker: async (bytes) => [await tasks.during(() => clients.worker.processMessage(bytes))],
      memory: (bytes) => [
        timedSync(() => {
          bare.client.processMessage(bytes)
          forget(bare.client)
        }),
      ],
      raw: async (bytes) => [
        await timed(async () => {
          floor.client.processMessage(bytes)
          await writeRaw(database, forget(floor.client), durability, null)
        }),
      ],
    },
    { blocks, warmUp, prepare },
  )
  database.close()
  for (const where of Object.keys(open)) {
    await clients[where].close()
    await deleteDatabase(`commits-${where}`)
  }
  return { results, longTasks: tasks.longest }
}
