// Must-show 8: a Welcome and three messages arrive while the client is closed, and while it is opening; and the page goes
// away in the midst of it. All is processed, in order, once.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { buildPage } from './support/page.mjs'
import { startService } from './support/service.mjs'
import { settle, User } from './support/user.mjs'

const timeout = 60_000
const words = ['one', 'two', 'three']
let service
let anna
/** Ben's browser: one profile, with a user of a name of its own for each test. */
let ben
let count = 0

before(async () => {
  // A wasm that can be made to panic: an engine that restarts is one of the two ways in which a restore runs.
  service = await startService(await buildPage('test-hooks'))
  anna = await new User('anna').start(service.url)
  ben = await new User('ben').browse(service.url)
})

after(async () => {
  await Promise.all([anna, ben].map((user) => user?.remove()))
  await service?.stop()
})

/** A new user in ben's browser: others can invite it, and it is away. */
async function away() {
  count += 1
  ben.name = `ben ${count}`
  await ben.begin()
  await ben.run(() => me.invitable())
  await ben.run(() => me.close())
  await ben.page.reload()
}

/** Anna invites ben and says three things. What the delivery service has for him, as he gets it. */
async function invited() {
  const released = anna.reports.length
  const conversation = await anna.run((name) => me.createGroup([name]), ben.name)
  for (const text of words) await anna.run(([group, said]) => me.send(group, said), [conversation, text])
  await anna.run((group) => me.rest(group), conversation)
  const entries = await anna.run(async (group) => {
    const { entries } = await me.delivery.log(fromHex(group), 0)
    return entries.map(({ position, id, message }) => ({ position, id, bytes: toBase64Url(message) }))
  }, conversation)
  const { id, welcome } = anna.reports.slice(released).find((report) => report.kind === 'released' && report.welcome)
  const groupPosition = entries.find((entry) => entry.id === id).position
  return {
    conversation,
    welcome: { id: 'welcome-1', position: 1, groupPosition, bytes: welcome },
    messages: entries.filter(({ position }) => position > groupPosition),
  }
}

/** In ben's page: a client that is not open yet, and what it announces. */
const makeClient = () => ben.run((user) => {
  window.host = new PanickingHost()
  window.client = new CoreCryptoClient({ name: databaseOf(user), engine: host })
  window.announced = []
  client.on('inbox', ({ items }) => announced.push(...items.map(word)))
}, ben.name)

/** Hands it over before or while the client opens; settles when all of it is durable. */
const handIn = ([welcome, messages, open]) => {
  const bytes = (entry) => ({ ...entry, bytes: fromBase64Url(entry.bytes) })
  const opened = open === 'first' ? client.open() : undefined
  const durable = [client.receiveWelcome(bytes(welcome)), ...messages.map((message) => client.receiveMessage(bytes(message)))]
  return Promise.all([opened, ...durable, open === 'last' ? client.open() : undefined]).then(() => undefined)
}

/** The app starts on what is there, connects, and is told all of it again by the delivery service. */
async function goesOn({ conversation }) {
  await ben.begin()
  await ben.run(() => me.online())
  await ben.run((group) => me.members(group, 2), conversation)
  await settle([anna, ben], conversation)
  assert.deepEqual(await ben.run((group) => me.texts(group), conversation), words)
  const lines = await ben.run((group) => me.lines(group), conversation)
  assert.equal(lines.filter(({ event }) => event === 'joined').length, 1)
  assert.deepEqual(lines.filter(({ event }) => event === 'unreadable'), [])
  await ben.run((group) => me.send(group, 'here I am'), conversation)
  await anna.run((group) => me.send(group, 'good'), conversation)
  const end = await settle([anna, ben], conversation)
  for (const user of [anna, ben]) {
    const texts = await user.run((group) => me.texts(group), conversation)
    assert.deepEqual(texts.toSorted(), [...words, 'here I am', 'good'].toSorted())
    assert.equal(await user.run((group) => me.position(group), conversation), end)
  }
  assert.deepEqual(await anna.run((group) => me.info(group), conversation), await ben.run((group) => me.info(group), conversation))
  assert.deepEqual(await ben.run(() => me.problems), [])
  await ben.run(() => me.close())
  await ben.page.reload()
  assert.deepEqual(ben.profile.errors, [])
}

/** What the client keeps for the app. */
const kept = () => ben.run(async () => (await client.inbox()).map(word).filter((text) => text !== 'tests'))
const announced = () => ben.run(() => window.announced.filter((text) => text !== 'tests'))

test('while the client is closed', { timeout }, async () => {
  await away()
  await goesOn(await invited())
})

for (const open of ['first', 'last']) {
  test(`while the client is opening: open called ${open}`, { timeout }, async () => {
    await away()
    const mail = await invited()
    await makeClient()
    await ben.run(handIn, [mail.welcome, mail.messages, open])
    assert.deepEqual(await kept(), ['joined', ...words])
    assert.deepEqual(await announced(), ['joined', ...words])
    await ben.run(() => client.close())
    await goesOn(mail)
  })
}

test('before the client is opened, in a page that goes away', { timeout }, async () => {
  await away()
  const mail = await invited()
  await makeClient()
  await ben.run(handIn, [mail.welcome, mail.messages, 'never'])
  assert.deepEqual(await announced(), [])
  await ben.page.reload()
  await makeClient()
  await ben.run(() => client.open())
  assert.deepEqual(await announced(), ['joined', ...words])
  await ben.run(() => client.close())
  await goesOn(mail)
})

test('messages that come before their Welcome', { timeout }, async () => {
  await away()
  const mail = await invited()
  await makeClient()
  await ben.run(async ([welcome, messages]) => {
    const bytes = (entry) => ({ ...entry, bytes: fromBase64Url(entry.bytes) })
    await Promise.all([...messages.map((message) => client.receiveMessage(bytes(message))), client.receiveWelcome(bytes(welcome))])
    await client.open()
  }, [mail.welcome, mail.messages])
  assert.deepEqual(await kept(), ['joined', ...words])
  await ben.run(() => client.close())
  await goesOn(mail)
})

// The race that lost groups in other libraries.
describe('a group joined but not yet saved while a restore runs and the page navigates away', () => {
  test('restored from the durable queue', { timeout: 3 * timeout }, async (t) => {
    let opened = false
    let write = 0
    // The page is left at each of its writes in turn, which hangs until then; the last time there is none left to hang.
    for (; !opened; write += 1) {
      await t.test(`left at write ${write + 1}`, { timeout }, async () => {
        await away()
        const mail = await invited()
        await makeClient()
        await ben.run(handIn, [mail.welcome, mail.messages, 'never'])
        opened = await ben.run((before) => {
          faults.begin('hold', before)
          return Promise.race([client.open().then(() => true, () => true), faults.meets(1).then(() => false)])
        }, write)
        await ben.page.goto('about:blank')
        await ben.page.goto(service.url)
        await makeClient()
        await ben.run(() => client.open())
        assert.deepEqual(await kept(), ['joined', ...words])
        await ben.run(() => client.close())
        await goesOn(mail)
      })
    }
    // Becoming the writer, the Welcome, the group's name and three messages.
    assert.ok(write - 1 >= 6, `${write - 1} writes`)
  })

  test('restored after a panic, with the join in a write that hangs', { timeout }, async () => {
    await away()
    const mail = await invited()
    await makeClient()
    await ben.run(async (welcome) => {
      await client.open()
      faults.begin('hold')
      window.joined = 'pending'
      client.receiveWelcome({ ...welcome, bytes: fromBase64Url(welcome.bytes) }).then(() => { joined = 'settled' }, () => { joined = 'rejected' })
      await faults.meets(1)
    }, mail.welcome)
    // The join is in memory and not in the database; the restore must not wait for the one nor forget the other.
    await ben.run(() => {
      host.panicIn('identity')
      client.identity().catch(() => undefined)
    })
    assert.equal(await ben.run(() => joined), 'pending')
    await ben.page.goto('about:blank')
    await ben.page.goto(service.url)
    await goesOn(mail)
  })
})
