import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { load } from './load.mjs'

const { toBase64Url, fromBase64Url, toHex, fromHex, parseIdentity } = await load('delivery/bytes.ts')
const { errorOfAnswer, isRefused, isUnreachable } = await load('delivery/errors.ts')
const { Backoff } = await load('delivery/backoff.ts')
const { liveEvent, logPage } = await load('delivery/answers.ts')
const { encodePayload, decodePayload } = await load('history/payload.ts')
const { orderLines } = await load('history/order.ts')
const { Lane } = await load('sync/lane.ts')
const { MessageStates } = await load('sync/states.ts')
const { usersOf, titleOf } = await load('app/naming.ts')
const { nameProblem, listNames } = await load('app/texts.ts')
const { dayText } = await load('app/time.ts')

const bytes = (...values) => Uint8Array.from(values)
const json = (value) => new TextEncoder().encode(JSON.stringify(value))

test('bytes survive base64url and hex, and bad text is refused', () => {
  for (const length of [0, 1, 2, 3, 100_000]) {
    const some = Uint8Array.from({ length }, (_, i) => (i * 31) & 255)
    assert.deepEqual(fromBase64Url(toBase64Url(some)), some)
    assert.deepEqual(fromHex(toHex(some.subarray(0, 300))), some.subarray(0, 300))
  }
  assert.equal(toBase64Url(bytes(251, 255)), '-_8')
  for (const bad of ['-_8=', 'a b', 'a+b', 'a', 'é']) assert.throws(() => fromBase64Url(bad), SyntaxError)
  for (const bad of ['a', 'zz', 'AB']) assert.throws(() => fromHex(bad), SyntaxError)
})

test('an identity is split at its first slash', () => {
  assert.deepEqual(parseIdentity(new TextEncoder().encode('Ann Müller/phone')), { user: 'Ann Müller', client: 'phone' })
  assert.deepEqual(parseIdentity(new TextEncoder().encode('nobody')), { user: 'nobody', client: '' })
})

test('only an answer about the request itself is a refusal', () => {
  const refusal = errorOfAnswer(409, { code: 'past-epoch', message: 'over', epoch: 4 })
  assert.ok(isRefused(refusal, 'past-epoch'))
  assert.equal(refusal.details.epoch, 4)
  for (const status of [401, 408, 429, 500, 503]) assert.ok(isUnreachable(errorOfAnswer(status, undefined)), String(status))
  // Not the delivery service's: a proxy's, a firewall's, or of a version that is not known here.
  for (const [status, code] of [[403, undefined], [404, 'not-found'], [409, 'conflict'], [400, 'past-epoch'], [502, 'past-epoch']]) {
    assert.ok(isUnreachable(errorOfAnswer(status, { code, message: 'no' })), `${status} ${code}`)
  }
})

test('the refusals are those that the delivery service documents', async () => {
  const text = await readFile(new URL('../delivery-service/README.md', import.meta.url), 'utf8')
  const api = text.slice(text.indexOf('## Interface'), text.indexOf('**Live.**'))
  const documented = [...api.matchAll(/\b(400|403|404|409|413)((?:,? `[a-z-]+`(?: `\{[^}]*\}`)?(?: \([^)]*\))?)+)/g)].flatMap(([, status, codes]) =>
    [...codes.matchAll(/`([a-z-]+)`/g)].map(([, code]) => [Number(status), code]))
  assert.ok(documented.length > 30)
  // Said of the request's address: of no message, commit or person.
  const other = new Set(['unknown-route', 'not-a-websocket'])
  const missing = documented.filter(([status, code]) => !other.has(code) && !isRefused(errorOfAnswer(status, { code })))
  assert.deepEqual(missing, [])
})

test('back-off grows to its limit and starts again', () => {
  const backoff = new Backoff(100, 1000, () => 1)
  assert.deepEqual([1, 2, 3, 4, 5, 6].map(() => backoff.next()), [100, 200, 400, 800, 1000, 1000])
  backoff.reset()
  assert.equal(backoff.next(), 100)
})

test('answers of the delivery service are checked', () => {
  const entry = { position: 3, id: 'a', sender: 'ann/1', message: 'AQI' }
  assert.deepEqual(logPage({ entries: [entry], more: false }).entries[0].message, bytes(1, 2))
  assert.throws(() => logPage({ entries: [{ ...entry, position: -1 }], more: false }), { code: 'unexpected-answer' })
  assert.equal(liveEvent({ type: 'ready' }), 'ready')
  assert.equal(liveEvent({ type: 'something newer' }), undefined)
  assert.throws(() => liveEvent({ type: 'entry' }), { code: 'unexpected-answer' })
})

test('payloads: ours come back, anything else is unreadable and never throws', () => {
  const text = { type: 'text', text: 'hello ☕', at: 12 }
  assert.deepEqual(decodePayload(encodePayload(text)), text)
  assert.equal(decodePayload(json({ type: 'name', name: ` ${'x'.repeat(200)}`, at: 1 })).name.length, 80)
  for (const foreign of [bytes(255), json(null), json([1]), json({ type: 'text', text: 1, at: 1 }), json({ type: 'text', text: 'a' }), json({ type: 'name', name: ' ', at: 1 })]) {
    assert.equal(decodePayload(foreign), undefined)
  }
})

test('lines follow the log; what waits stands last, in order of writing', () => {
  const line = (id, order, position, after = 0) => ({ id, order, after, ...(position === undefined ? {} : { position }) })
  const lines = [line('mine', 1, undefined, 4), line('waits1', 2, undefined, 4), line('waits2', 3, undefined, 4), line('five', 4, 5), line('four', 5, 4)]
  const ids = orderLines(lines, (id) => id.startsWith('waits')).map(({ id }) => id)
  assert.deepEqual(ids, ['four', 'mine', 'five', 'waits1', 'waits2'])
})

test('a lane never runs twice at a time, and once more for a request made while it runs', async () => {
  const gates = []
  let running = 0
  const lane = new Lane(async () => {
    assert.equal(++running, 1)
    await new Promise((open) => gates.push(open))
    running -= 1
  }, () => true)
  const first = lane.run()
  const second = lane.run()
  const third = lane.run()
  assert.equal(gates.length, 1)
  gates[0]()
  await first
  while (gates.length < 2) await Promise.resolve()
  gates[1]()
  await Promise.all([second, third])
  assert.equal(gates.length, 2)
})

test('a lane repeats what failed, keeps its callers waiting, and gives up where retrying is no use', async () => {
  let failures = 2
  const lane = new Lane(async () => {
    if (failures-- > 0) throw new Error('not yet')
  }, () => true, new Backoff(1, 1))
  await lane.run()
  assert.equal(failures, -1)
  const hopeless = new Lane(async () => {
    throw new Error('never')
  }, () => false)
  await assert.rejects(hopeless.run(), /never/)
})

test('the state of a message, from saving to sent and through a refusal', () => {
  const states = new MessageStates(() => {})
  states.save({ id: 'm', conversation: 'c', text: 'x', at: 1 })
  assert.equal(states.unsavedIn('c').length, 1)
  states.inOutbox('m', 'c')
  states.saved('m')
  assert.equal(states.of('m'), 'waiting')
  states.refuse('m', 'c', 'message-too-large')
  assert.equal(states.of('m'), 'failed')
  states.retry('m', 'c')
  assert.equal(states.of('m'), 'waiting')
  states.sent('m')
  assert.equal(states.of('m'), 'sent')
  assert.ok(states.isTaken('m'))
  states.settled('m')
  assert.equal(states.isTaken('m'), false)
})

test('an own message stands last until its place in the log is in the history', () => {
  const states = new MessageStates(() => {})
  states.inOutbox('m', 'c')
  assert.equal(states.standsLast('m'), true)
  states.sent('m')
  assert.deepEqual([states.of('m'), states.standsLast('m')], ['sent', true])
  states.settled('m')
  assert.equal(states.standsLast('m'), false)
})

test('members by user, and the title of a conversation without a name', () => {
  const members = ['bob/2', 'ann/1', 'bob/1']
  assert.deepEqual(usersOf(members), [{ user: 'ann', clients: ['1'] }, { user: 'bob', clients: ['2', '1'] }])
  assert.equal(titleOf({ name: '', members }, 'ann'), 'bob')
  assert.equal(titleOf({ name: '', members: ['ann/1'] }, 'ann'), 'New conversation')
  assert.equal(listNames(['a', 'b', 'c', 'd']), 'a, b and 2 more')
})

test('names, by the rules of the delivery service', () => {
  for (const good of ['a', 'Ann Müller', '名前', '👩‍🚀', 'é'.repeat(64)]) assert.equal(nameProblem(good), undefined, good)
  for (const bad of ['', '  ', 'a/b', 'a\nb', 'x'.repeat(65)]) assert.notEqual(nameProblem(bad), undefined, bad)
})

test('days are named by the calendar', () => {
  const now = new Date(2026, 2, 30, 0, 30).getTime()
  assert.equal(dayText(new Date(2026, 2, 30, 0, 1).getTime(), now), 'Today')
  assert.equal(dayText(new Date(2026, 2, 29, 23, 59).getTime(), now), 'Yesterday')
})
