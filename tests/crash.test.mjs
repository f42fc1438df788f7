// Must-show 6: nothing is lost, nothing is handed over twice, no generation is used twice, whenever the browser dies.
//
// Two browsers with a profile on the disk each talk through the delivery service. One sends in a loop, each message as soon
// as the promise of the one before has settled; the other receives, saves to its history and acknowledges. One of the two is
// killed with SIGKILL and started again. What had happened before is known from reports that left the browser before the kill.
//
// All of it three times: with the wasm that ships; with one that puts the smallest lists into parts, and clients in which every
// group leaves memory after every write; and with databases that are sealed.
//
// CRASH_SEED=<seed of a round> runs that round alone; CRASH_ROUNDS=<n> runs another number of rounds.
import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { Ledger } from './support/ledger.mjs'
import { buildPage } from './support/page.mjs'
import { seeded } from './support/random.mjs'
import { startService } from './support/service.mjs'
import { LostByBrowser, settle, User } from './support/user.mjs'
import { Witness } from './support/witness.mjs'

const rounds = Number(process.env.CRASH_ROUNDS ?? 20)
const onlySeed = process.env.CRASH_SEED === undefined ? undefined : Number(process.env.CRASH_SEED)
/**
 * Of which reports to count, up to how many, until the kill, and of how many messages the loop is. Making a message is so much
 * faster than uploading it that a loop without end would leave hours of uploads behind.
 */
const killPoints = {
  sender: [['released', 100, 110], ['upload', 40, 60]],
  receiver: [['received', 60, 60], ['handed', 20, 60], ['acknowledged', 20, 60]],
}

/** Two people and two witnesses in one group: one witness reads the log, the other every ciphertext ever released. */
async function room(url, options) {
  const ledger = new Ledger()
  const users = [new User('anna', ledger, options), new User('ben', ledger, options)]
  await Promise.all(users.map(async (user) => {
    await user.start(url)
    await user.run(() => me.invitable())
  }))
  const [reader, decrypter] = [await Witness.join(url, 'reader'), await Witness.join(url, 'decrypter')]
  const conversation = await users[0].run(() => me.createGroup(['ben', 'reader', 'decrypter']))
  await reader.joinGroup()
  await decrypter.joinGroup()
  ledger.witnessedBy(decrypter)
  await users[1].run((group) => me.members(group, 4), conversation)
  return { users, ledger, reader, conversation, remove: () => Promise.all(users.map((user) => user.remove())) }
}

/** One side sends, one of the two is killed and comes back. */
async function round(here, url, seed) {
  const { users, ledger, conversation } = here
  const random = seeded(seed)
  const sender = users[random.between(0, 1)]
  // Alternately, as the seeds of the rounds are even and odd.
  const victim = seed % 2 === 0 ? sender : users.find((user) => user !== sender)
  const other = users.find((user) => user !== victim)
  const points = killPoints[victim === sender ? 'sender' : 'receiver']
  const [kind, most, messages] = points[random.between(0, points.length - 1)]
  const count = random.between(1, most)
  const delay = random.between(0, 6)
  const before = ledger.settled()
  const due = ledger.nth(victim.name, kind, count)
  const sending = sender.run(
    ([group, words, count]) => me.sendInALoop(group, words, count), [conversation, `round ${seed}:`, messages],
  ).catch((error) => { if (victim !== sender) throw error })
  // A receiver may take several at a time; then there is nothing left to come that could be counted.
  const allArrived = sending.then(() => (victim === sender ? due : settle(users, conversation))).catch(() => undefined)
  await Promise.race([due, allArrived])
  // Where in its work the victim is hit, not what the test waits for.
  await new Promise((resolve) => { setTimeout(resolve, delay) })
  await victim.kill()
  await sending
  const sent = ledger.settled() - before
  await victim.comeBack(url)
  await Promise.all(users.map((user) => user.run(() => me.online())))
  await other.run((group) => me.rest(group), conversation)
  await victim.run((group) => me.rest(group), conversation)
  return { sender: sender.name, victim: victim.name, kind, count, delay, sent }
}

/** All that must be true now that everything is at rest. @returns {Promise<string[]>} what is not */
async function findings({ users, ledger, reader, conversation }) {
  const end = await reader.readLog()
  for (const user of users) await user.run(([group, position]) => me.rest(group, position), [conversation, end])
  const found = [...ledger.findings(reader.log)]
  const logged = reader.log.filter(({ text }) => text !== undefined).map(({ text }) => text)
  for (const entry of reader.log) {
    if (entry.item?.kind === 'failed') found.push(`the witness cannot read position ${entry.position}: ${entry.item.code}`)
  }
  for (const user of users) {
    const lines = await user.run((group) => me.lines(group), conversation)
    const texts = lines.filter(({ kind }) => kind === 'text')
    // An own message that was in the log before it was in the history has no position there: see the chat's group-log.ts.
    const placed = texts.filter(({ own, position }) => position !== undefined || !own).map(({ text }) => text)
    found.push(...differences(`${user.name}'s history`, texts.map(({ text }) => text), logged, placed))
    for (const { event, position } of lines) {
      if (event === 'unreadable') found.push(`${user.name} cannot read position ${position}`)
    }
    for (const problem of await user.run(() => me.problems)) {
      // The delivery service has never heard of the groups of the crowd.
      const expected = user.always.crowded ? /: (network|unknown-group)$/ : /: network$/
      if (!expected.test(problem)) found.push(`${user.name}: ${problem}`)
    }
    for (const error of user.profile.errors) found.push(`${user.name}: uncaught ${error}`)
  }
  const states = [reader.info(), ...(await Promise.all(users.map((user) => user.run((group) => me.info(group), conversation))))]
  if (new Set(states.map((state) => JSON.stringify(state))).size !== 1) found.push(`states differ: ${JSON.stringify(states)}`)
  return found
}

/** Every text once; those with a place in the order of the log. */
function differences(whose, found, wanted, placed) {
  const [have, want] = [new Set(found), new Set(wanted)]
  const missing = wanted.filter((text) => !have.has(text))
  const extra = found.filter((text) => !want.has(text))
  const twice = found.filter((text, at) => found.indexOf(text) !== at)
  const inOrder = wanted.filter((text) => placed.includes(text)).every((text, at) => text === placed[at])
  if (missing.length + extra.length + twice.length === 0 && inOrder) return []
  return [`${whose}: missing [${missing}], unknown [${extra}], twice [${twice}]${inOrder ? '' : ', in another order'}`]
}

async function whereabouts(users) {
  for (const user of users) {
    console.error(user.name, await user.run(() => me.whereabouts()).catch((error) => error.message))
  }
}

/** Of the wasm, of the clients, and of how many rounds there are. */
const kinds = [
  { name: 'a browser killed while it sends or receives', flavour: 'release', options: {}, share: 1 },
  { name: 'the same with values in parts, and groups that leave memory at once', flavour: 'test-hooks', options: { crowded: true }, share: 0.3 },
  { name: 'the same in a vault', flavour: 'release', options: { vault: { unlock: { kind: 'device' } } }, share: 0.3 },
]

for (const { name, flavour, options, share } of kinds) describe(name, () => {
  let page
  let service
  let here
  before(async () => {
    page = await buildPage(flavour)
    await begin()
  })
  async function begin() {
    service = await startService(page)
    here = await room(service.url, options)
  }
  after(async () => {
    await here?.remove()
    await service?.stop()
  })

  /** Runs `work`, and again with other people when it was Chromium that lost the data of one, which is said. */
  async function onAnIntactBrowser(t, work) {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await work()
      } catch (error) {
        if (!(error instanceof LostByBrowser) || attempt === 3) throw error
        t.diagnostic(`Chromium found the databases of ${error.message} corrupt and deleted them; the client said database-missing; once more with others`)
        await here.remove()
        // The service has key packages of those whose data is gone, by the same names.
        await service.stop()
        await begin()
      }
    }
  }

  // The random points below seldom fall between a result and the end of its write; these do.
  for (const writes of [0, 1, 4]) {
    test(`the sender is killed while a write hangs, after ${writes} more`, { timeout: 90_000 }, (t) => onAnIntactBrowser(t, async () => {
      const { users: [anna], conversation } = here
      await hang(anna, writes)
      void anna.run(([group, words]) => me.sendInALoop(group, words, 20), [conversation, `hung after ${writes}:`]).catch(() => undefined)
      await killHanging(anna)
    }))

    test(`the receiver is killed while a write hangs, after ${writes} more`, { timeout: 90_000 }, (t) => onAnIntactBrowser(t, async () => {
      const { users: [anna, ben], conversation } = here
      await hang(ben, writes)
      await anna.run(([group, words]) => me.sendInALoop(group, words, 5), [conversation, `to one who hangs after ${writes}:`])
      await killHanging(ben)
    }))
  }

  const hang = (user, writes) => user.run((after) => faults.begin('hold', after), writes)

  async function killHanging(user) {
    await user.run(() => faults.meets(1))
    // What it has reported by now has arrived by the time this is answered.
    await user.run(() => new Promise((resolve) => { setTimeout(resolve) }))
    await user.kill()
    await user.comeBack(service.url)
    await settle(here.users, here.conversation)
    assert.deepEqual(await findings(here), [])
    // And a generation that was used before the kill is not used again.
    await user.run(([group]) => me.sendInALoop(group, `after the kill ${Math.random()}:`, 3), [here.conversation])
    await settle(here.users, here.conversation)
    assert.deepEqual(await findings(here), [])
  }

  const seeds = onlySeed === undefined ? Array.from({ length: Math.ceil(rounds * share) }, (_, at) => 2 * randomInt(2 ** 31) + (at % 2)) : [onlySeed]
  for (const [at, seed] of seeds.entries()) {
    test(`round ${at + 1}, CRASH_SEED=${seed}`, { timeout: 120_000 }, async (t) => {
      // Before the end of a test that comes to none.
      const watch = setTimeout(() => void whereabouts(here.users), 80_000).unref()
      t.after(() => clearTimeout(watch))
      const { sender, victim, kind, count, delay, sent } = await onAnIntactBrowser(t, () => round(here, service.url, seed))
      t.diagnostic(`${sender} sends, ${victim} is killed ${delay} ms after "${kind}" number ${count}; ${sent} sends had settled`)
      assert.deepEqual(await findings(here), [])
    })
  }
})

// The control: were it so, would the rounds above have seen it?
test('a client that releases what is not durable is found out', { timeout: 90_000 }, async () => {
  const service = await startService(await buildPage())
  const here = await room(service.url)
  try {
    const [anna] = here.users
    await anna.run((group) => me.rest(group), here.conversation)
    await anna.run(() => me.close())
    await anna.run(async () => {
      window.me = await Person.open({ user: 'anna', swallowAfter: 6 })
      await me.start()
    })
    const due = here.ledger.nth('anna', 'released', 10)
    void anna.run((group) => me.sendInALoop(group, 'before', 10), here.conversation).catch(() => undefined)
    await due
    await anna.kill()
    await anna.start(service.url)
    await anna.run(([group]) => me.sendInALoop(group, 'after', 10), [here.conversation])
    await anna.run((group) => me.rest(group), here.conversation)
    await here.reader.readLog()
    const found = here.ledger.findings(here.reader.log).join('\n')
    assert.match(found, /"before \d" was sent, and is not in the log/)
    assert.match(found, /generation is used twice/)
  } finally {
    await here.remove()
    await service.stop()
  }
})
