// Messages of a conversation of two. Every function returns raw samples: judging them is done outside.
import { CoreCryptoClient } from '/openmls-wasm/dist/index.js'
import { interleave, repeat, timed } from './interleave.js'
import { bareClient, countingPersister, forget, groupOf, plaintext, rawDatabase, storedClient, writeRaw } from './people.js'

/**
 * (a) One encrypt, awaited until it is durable, against the same encrypt in memory and one raw transaction. Beside them, one
 * `sendMessage`: what a chat awaits, with its records of inbox and outbox.
 */
export async function awaited({ durability, blocks, warmUp, perBlock }) {
  const stored = await storedClient(`awaited-${durability}`, durability)
  const { groupId } = await groupOf(stored)
  const engine = await bareClient('baseline')
  const bare = engine.client
  const { groupId: bareGroup } = await groupOf(bare)
  forget(bare)
  const database = await rawDatabase(`raw-${durability}`, engine.categories)
  const results = await interleave(
    {
      measured: () =>
        repeat(perBlock, async () => {
          const started = performance.now()
          await stored.encryptMessage(groupId, plaintext)
          return performance.now() - started
        }),
      baseline: () =>
        repeat(perBlock, async () => {
          const started = performance.now()
          bare.encryptMessage(bareGroup, plaintext)
          const encrypted = performance.now()
          // To learn what records there are to put costs the measured side, and the baseline nothing.
          const batch = forget(bare)
          const begun = performance.now()
          await writeRaw(database, batch, durability)
          return performance.now() - begun + (encrypted - started)
        }),
      send: async () => {
        const samples = await repeat(perBlock, async () => {
          const started = performance.now()
          await stored.sendMessage(groupId, plaintext)
          return performance.now() - started
        })
        await acknowledge(stored)
        return samples
      },
    },
    { blocks, warmUp },
  )
  database.close()
  await stored.close()
  return results
}

/**
 * The same encrypt with the digest of the group and the root over those, and by a build that has neither. Beside them, one raw
 * transaction of what it writes (`both`), and of that without the root (`one`).
 */
export async function digestsAwaited({ durability, blocks, warmUp, perBlock }) {
  const { CoreCryptoClient: Without } = await import('/without-digests/openmls-wasm/dist/index.js')
  const arms = {}
  const clients = []
  for (const [arm, Client] of [['with', CoreCryptoClient], ['without', Without]]) {
    const client = await Client.open({ name: `digests-${arm}-${durability}`, durability })
    await client.createIdentity(new TextEncoder().encode(arm))
    const { groupId } = await groupOf(client)
    arms[arm] = () => repeat(perBlock, () => timed(() => client.encryptMessage(groupId, plaintext)))
    clients.push(client)
  }
  const engine = await bareClient('raw')
  const { groupId } = await groupOf(engine.client)
  forget(engine.client)
  engine.client.encryptMessage(groupId, plaintext)
  const { events: both } = forget(engine.client)
  const database = await rawDatabase(`raw-digests-${durability}`, engine.categories)
  for (const [arm, events] of [['both', both], ['one', both.filter(({ category }) => category !== 'digest_root')]]) {
    arms[arm] = () => repeat(perBlock, () => timed(() => writeRaw(database, { events }, durability)))
  }
  const results = await interleave(arms, { blocks, warmUp })
  database.close()
  for (const client of clients) await client.close()
  return results
}

/**
 * (b) Many calls at once, all durable, against as many by MlsClient alone, in memory and one after the other: without
 * records of inbox and outbox (`encryptMessage`), then with them (`sendMessage`).
 */
export async function inFlight({ durability, blocks, blocksOfSends, warmUp, calls }) {
  const stored = await storedClient(`in-flight-${durability}`, durability)
  const { groupId } = await groupOf(stored)
  const engine = await bareClient('baseline')
  const bare = engine.client
  const { groupId: bareGroup } = await groupOf(bare)
  forget(bare)
  const database = await rawDatabase(`raw-in-flight-${durability}`, engine.categories)
  const transactions = []
  let since = 0
  stored.on('saved', () => (since += 1))
  const atOnce = async (call) => {
    since = 0
    const started = performance.now()
    await Promise.all(Array.from({ length: calls }, call))
    const took = performance.now() - started
    transactions.push(since)
    return [took]
  }
  const alone = (call) => {
    const started = performance.now()
    Array.from({ length: calls }, call)
    return performance.now() - started
  }
  const encrypts = {
    encrypt: () => atOnce(() => stored.encryptMessage(groupId, plaintext)),
    aloneEncrypt: () => {
      const took = alone(() => bare.encryptMessage(bareGroup, plaintext))
      forget(bare)
      return [took]
    },
  }
  const sends = {
    encrypt: encrypts.encrypt,
    send: async () => {
      const samples = await atOnce(() => stored.sendMessage(groupId, plaintext))
      await acknowledge(stored)
      return samples
    },
    rawSend: async () => {
      const took = alone(() => bare.sendMessage(bareGroup, plaintext))
      const batch = forget(bare)
      const begun = performance.now()
      await writeRaw(database, batch, durability)
      const written = performance.now() - begun
      await acknowledge(bare)
      forget(bare)
      return [took + written]
    },
  }
  const results = {
    encrypts: await interleave(encrypts, { blocks, warmUp }),
    sends: await interleave(sends, { blocks: blocksOfSends, warmUp: 1 }),
  }
  database.close()
  await stored.close()
  return { results, transactions }
}

/** The delivery service has accepted it all, and the app has saved it: the next block begins with empty boxes. */
async function acknowledge(client) {
  const [outbox, inbox] = [await client.outbox(), await client.inbox()]
  await Promise.all(outbox.map((entry) => client.acknowledgeOutbox(entry.id)))
  await client.acknowledgeInbox(inbox.map((item) => item.id))
}

/** (c) Bytes of values written per call, in order, both members speaking in turn. */
export async function bytesWritten({ rounds }) {
  const { persister, take } = countingPersister('bytes')
  const stored = await storedClient('bytes', 'relaxed', persister)
  const { groupId, bob } = await groupOf(stored)
  const calls = { encryptMessage: [], processMessage: [], sendMessage: [], receiveMessage: [] }
  const count = async (name, call) => {
    take()
    const result = await call()
    calls[name].push(take())
    return result
  }
  for (let round = 0; round < rounds; round += 1) {
    bob.processMessage(await count('encryptMessage', () => stored.encryptMessage(groupId, plaintext)))
    const answer = bob.encryptMessage(groupId, plaintext)
    await count('processMessage', () => stored.processMessage(answer))
  }
  for (let round = 0; round < rounds; round += 1) {
    bob.processMessage((await count('sendMessage', () => stored.sendMessage(groupId, plaintext))).bytes)
    const bytes = bob.encryptMessage(groupId, plaintext)
    await count('receiveMessage', () => stored.receiveMessage({ bytes }))
    await acknowledge(stored)
  }
  await stored.close()
  return calls
}
