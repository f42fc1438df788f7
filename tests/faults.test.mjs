// Must-show 7: a write that fails while two people talk. Nothing is released before it is durable; calls settle with their
// own results once writing works again, or reject after a rollback that leaves the next send and receive working; after a
// reload all of it is there.
import assert from 'node:assert/strict'
import { after, afterEach, before, describe, test } from 'node:test'
import { buildPage } from './support/page.mjs'
import { startService } from './support/service.mjs'
import { settle, twoUsers } from './support/user.mjs'

const timeout = 60_000
const kinds = ['abort early', 'abort late', 'abort between', 'quota', 'connection lost']
const patient = { attempts: 1_000_000, firstDelayMs: 1, maxDelayMs: 1 }
const impatient = { attempts: 3, firstDelayMs: 1, maxDelayMs: 1 }

/** What both should have by now. */
let said = []
let service
let here

async function together(options, flavour) {
  service = await startService(await buildPage(flavour))
  here = { ...(await twoUsers(service.url, options)), options }
  said = []
}

async function apart() {
  await here?.remove()
  await service?.stop()
}

/** Both have everything, in the same order, once; and still do after a reload. */
async function bothHaveAll() {
  const { users, conversation, anna, ben } = here
  // A test that failed half-way has left its fault behind.
  await Promise.all(users.map(mend))
  for (const visit of ['before', 'after']) {
    await settle(users, conversation)
    for (const user of users) {
      assert.deepEqual(await user.run((group) => me.texts(group), conversation), said, `${user.name}'s history ${visit} a reload`)
    }
    assert.deepEqual(await anna.run((group) => me.info(group), conversation), await ben.run((group) => me.info(group), conversation))
    if (visit === 'before') await Promise.all(users.map((user) => user.reload(here.options)))
  }
  for (const [from, text] of [[anna, 'and on'], [ben, 'and on and on']]) {
    await say(from, text)
    await settle(users, conversation)
  }
  for (const user of users) {
    assert.deepEqual(await user.run((group) => me.texts(group), conversation), said, `${user.name}'s history, later`)
    assert.deepEqual(user.profile.errors, [])
  }
}

async function say(user, text) {
  said.push(text)
  await user.run(([group, words]) => me.send(group, words), [here.conversation, text])
}

/** Makes every write of this user's crypto client fail. */
const fail = (user, kind) => user.run((fault) => faults.begin(fault), kind)
const mend = (user) => user.run(() => faults.end())
const reported = (user, kind) => user.reports.filter((report) => report.kind === kind)

/**
 * A send straight at the client, watched: what it settled with, and whether writing had been completed since it was called.
 */
function watchedSend(user, id, text) {
  return user.run(([group, key, words]) => {
    const before = faults.complete
    window.watched = { id: key, settled: undefined }
    const payload = new TextEncoder().encode(JSON.stringify({ type: 'text', text: words, at: 1 }))
    window.watching = me.client.sendMessage(fromHex(group), payload, key).then(
      (entry) => { watched.settled = { id: entry.id, durable: faults.complete > before } },
      (error) => { watched.settled = { code: error.code, aborted: faults.aborted } },
    )
  }, [here.conversation, id, text])
}

const outcome = (user) => user.run(async () => { await watching; return watched.settled })
const outcomeSoFar = (user) => user.run(() => watched.settled)

const crowds = [
  { how: '', options: {}, flavour: 'release' },
  { how: ', with values in parts and groups that leave memory at once', options: { crowded: true }, flavour: 'test-hooks' },
  { how: ', in a vault', options: { vault: { unlock: { kind: 'device' } } }, flavour: 'release' },
]

for (const { how, options, flavour } of crowds) describe(`a write fails for a while, then works again${how}`, () => {
  before(() => together({ retry: patient, ...options }, flavour))
  after(apart)
  afterEach(bothHaveAll, { timeout })

  for (const kind of kinds) {
    test(`sending: ${kind}`, { timeout }, async () => {
      const { anna } = here
      const id = `send-${kind.replaceAll(' ', '-')}`
      await fail(anna, kind)
      await watchedSend(anna, id, kind)
      await anna.run(() => faults.meets(3))
      assert.equal(await outcomeSoFar(anna), undefined, 'the send is pending')
      assert.deepEqual([reported(anna, 'released'), reported(anna, 'upload')].flat().filter((report) => report.id === id), [])
      await mend(anna)
      assert.deepEqual(await outcome(anna), { id, durable: true })
      said.push(kind)
      // The group's lane is told, as the app's own send would have done.
      await say(anna, `after ${kind}`)
    })

    test(`receiving: ${kind}`, { timeout }, async () => {
      const { anna, ben } = here
      await fail(ben, kind)
      const before = { received: reported(ben, 'received').length, handed: reported(ben, 'handed').length }
      await say(anna, `to ben, ${kind}`)
      await ben.run(() => faults.meets(3))
      assert.deepEqual(
        { received: reported(ben, 'received').length, handed: reported(ben, 'handed').length }, before, 'nothing is released',
      )
      assert.equal((await ben.run((group) => me.texts(group), here.conversation)).includes(`to ben, ${kind}`), false)
      await mend(ben)
    })

    test(`many calls in flight: ${kind}`, { timeout }, async () => {
      const { anna } = here
      await fail(anna, kind)
      const texts = ['one', 'two', 'three'].map((word) => `${word}, ${kind}`)
      const settled = anna.run(([group, words]) => Promise.all(words.map((text) => me.send(group, text))), [here.conversation, texts])
      await anna.run(() => faults.meets(2))
      await mend(anna)
      await settled
      said.push(...texts)
    })
  }
})

for (const { how, options, flavour } of crowds) describe(`a write fails until it is given up${how}`, () => {
  before(() => together({ retry: impatient, ...options }, flavour))
  after(apart)
  afterEach(bothHaveAll, { timeout })

  for (const kind of kinds) {
    test(`sending: ${kind}`, { timeout }, async () => {
      const { anna } = here
      const id = `lost-${kind.replaceAll(' ', '-')}`
      await fail(anna, kind)
      await watchedSend(anna, id, `lost, ${kind}`)
      const { code } = await outcome(anna)
      assert.equal(code, 'storage-failed')
      assert.deepEqual(await anna.run(async () => (await me.client.outbox()).map((entry) => entry.id)).catch((error) => [error.message]), [])
      await mend(anna)
      assert.deepEqual([reported(anna, 'released'), reported(anna, 'upload')].flat().filter((report) => report.id === id), [])
      await say(anna, `the next after ${kind}`)
    })

    test(`receiving: ${kind}`, { timeout }, async () => {
      const { anna, ben } = here
      const before = await ben.run(() => me.clientEvents.filter((name) => name === 'rolled-back' || name === 'engine-restarted').length)
      await fail(ben, kind)
      await say(anna, `given up by ben, ${kind}`)
      await ben.run((count) => me.until(() =>
        me.clientEvents.filter((name) => name === 'rolled-back' || name === 'engine-restarted').length > count), before)
      assert.equal((await ben.run((group) => me.texts(group), here.conversation)).includes(`given up by ben, ${kind}`), false)
      await mend(ben)
    })
  }
})

describe('a panic in wasm', () => {
  before(() => together({ retry: patient, panics: true }, 'test-hooks'))
  after(apart)
  afterEach(bothHaveAll, { timeout })

  test('while sending', { timeout }, async () => {
    const { anna } = here
    await anna.run(() => host.panicIn('sendMessage'))
    await watchedSend(anna, 'panicked', 'lost in a panic')
    assert.equal((await outcome(anna)).code, 'engine-panicked')
    await say(anna, 'the next after a panic')
    assert.deepEqual(await anna.run(() => me.clientEvents), ['engine-restarted'])
    assert.deepEqual([reported(anna, 'released'), reported(anna, 'upload')].flat().filter((report) => report.id === 'panicked'), [])
  })

  test('while sending, with others in the same transaction and in the next', { timeout }, async () => {
    const { anna } = here
    const settled = await anna.run(async (group) => {
      const send = (text) => {
        const payload = new TextEncoder().encode(JSON.stringify({ type: 'text', text, at: 1 }))
        return me.client.sendMessage(fromHex(group), payload).then(() => 'sent', (error) => error.code)
      }
      faults.begin('hold')
      const first = send('in a write when wasm panics')
      await faults.meets(1)
      const second = send('waits for that write')
      host.panicIn('sendMessage')
      const third = send('panics')
      faults.end()
      const fourth = send('called while the engine restarts')
      return Promise.all([first, second, third, fourth])
    }, here.conversation)
    assert.deepEqual(settled, ['sent', 'engine-panicked', 'engine-panicked', 'sent'])
    said.push('in a write when wasm panics', 'called while the engine restarts')
    await say(anna, 'after all of these')
  })

  test('while receiving', { timeout }, async () => {
    const { anna, ben } = here
    await ben.run(() => host.panicIn('receiveMessage'))
    await say(anna, 'panics ben')
    await ben.run(() => me.until(() => me.clientEvents.includes('engine-restarted')))
  })
})
