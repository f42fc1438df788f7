import assert from 'node:assert/strict'
import { test } from 'node:test'
import { coded, conversation, fakeClient, fakeHistory, groupId, entry } from './fakes.mjs'
import { load } from './load.mjs'

const { IdleLock } = await load('app/vault/idle-lock.ts')
const { minPassphraseLength, passphraseHint, passphraseProblem } = await load('app/vault/passphrase.ts')
const { sizeText } = await load('app/storage/room.ts')
const { Emitter } = await load('sync/emitter.ts')
const { MessageStates } = await load('sync/states.ts')
const { SyncEngine } = await load('sync/engine.ts')
const { Intentions } = await load('sync/intentions.ts')
const { setAside } = await load('sync/repair.ts')

test('a passphrase is refused that is short, always the same, or not typed twice', () => {
  const good = 'a1b2c3d4e5f6'
  assert.equal(good.length, minPassphraseLength)
  assert.equal(passphraseProblem(good, good), undefined)
  for (const bad of ['', good.slice(1), 'aaaaaaaaaaaaaaaaaaaa', 'abababababababab']) assert.ok(passphraseProblem(bad, bad).passphrase, bad)
  assert.ok(passphraseProblem(good, `${good} `).again)
  // Counted as the user does.
  assert.ok(passphraseProblem('😀'.repeat(11), '😀'.repeat(11)).passphrase)
})

test('the hint never calls a passphrase good without a condition', () => {
  for (const passphrase of ['password1234', 'to be or not to be that is', 'x'.repeat(40), 'correct horse battery staple lamp']) {
    assert.match(passphraseHint(passphrase), /if|only/)
  }
})

test('a page that nobody touches is locked, also after the computer slept', (t) => {
  // Not the timers of `mock`: they repeat one that was cleared by itself.
  const timers = new Set()
  t.mock.method(globalThis, 'setInterval', (look) => { timers.add(look); return look })
  t.mock.method(globalThis, 'clearInterval', (look) => timers.delete(look))
  let now = 0
  let locked = 0
  const target = new EventTarget()
  const start = () => new IdleLock(5, () => (locked += 1), () => now, target)
  start()
  const pass = (minutes) => {
    now += minutes * 60_000
    for (const look of [...timers]) look()
  }
  pass(4)
  target.dispatchEvent(new Event('keydown'))
  pass(4)
  assert.equal(locked, 0)
  pass(1)
  assert.equal(locked, 1)
  pass(60)
  assert.equal(locked, 1, 'once')
  start()
  now += 60 * 60_000
  // No timer has run while it slept, and whoever comes back moves the mouse first.
  target.dispatchEvent(new Event('pointermove'))
  assert.equal(locked, 2)
})

test('a stopped idle lock does nothing', () => {
  let now = 0
  const target = new EventTarget()
  new IdleLock(1, () => assert.fail(), () => now, target).stop()
  now = 1e9
  target.dispatchEvent(new Event('visibilitychange'))
})

test('sizes are told in round figures', () => {
  assert.equal(sizeText(0), '0 bytes')
  assert.equal(sizeText(64 * 1024 * 1024).replace(',', '.'), '67.1 MB')
  assert.match(sizeText(123_456_789_012), /^123 GB$/)
})

function engineOf(client, history) {
  const delivery = { log: async () => ({ entries: [], more: false }), token: async () => { throw coded('network') } }
  return new SyncEngine({ client, history, delivery, own: { user: 'bob', client: '1' } })
}

test('an engine that is stopped for a lock reports no trouble, and its message is with the next one', async () => {
  const history = fakeHistory()
  const client = fakeClient({ sendMessage: async () => undefined })
  const engine = engineOf(client, history)
  const troubles = []
  engine.events.on('history-error', (error) => troubles.push(error))
  // Under way when the vault is locked: the message is durable, what follows is refused.
  client.inbox = async () => { engine.stop(); throw coded('vault-locked') }
  await engine.sendText(conversation, 'on its way')
  history.updateConversation = async () => { throw coded('vault-locked') }
  await engine.show(conversation)
  assert.deepEqual(troubles, [])
  assert.deepEqual(engine.states.allUnsaved().map(({ text }) => text), ['on its way'])
})

test('what was not saved before a lock is shown as not sent, unless it was saved after all', async () => {
  const history = { ...fakeHistory(), hasLine: async (id) => id === 'in the history' }
  const client = fakeClient()
  client.entries = [entry('message', 'in the outbox')]
  const engine = engineOf(client, history)
  await engine.restoreUnsaved(['in the history', 'in the outbox', 'lost'].map((id) => ({ id, conversation, text: id, at: 1 })))
  assert.deepEqual(engine.states.unsavedIn(conversation).map(({ id, failure }) => [id, failure]), [['lost', 'locked-meanwhile']])
})

test('a damaged group is set aside; what waited for it ends, and its conversation says so', async () => {
  const calls = []
  const client = fakeClient({ quarantineGroup: async () => void calls.push('quarantine') })
  client.entries = [entry('message', 'm'), entry('commit', 'c'), entry('message', 'other', { groupId: Uint8Array.of(1) })]
  client.rejectCommit = async () => { throw coded('group-not-found') }
  const history = { ...fakeHistory(), markUnsent: async (ids) => void calls.push(ids) }
  const states = new MessageStates(() => {})
  states.inOutbox('m', conversation)
  await setAside({ client, history, states, events: new Emitter() }, groupId)
  assert.deepEqual(calls, ['quarantine', ['m']])
  assert.deepEqual(client.entries.map(({ id }) => id), ['c', 'other'])
  assert.equal((await history.conversation(conversation)).standing, 'damaged')
  assert.equal(states.of('m'), 'sent')
})

test('whoever is added anew is removed first, and then invited like anybody else', async () => {
  const client = fakeClient()
  client.removeMembers = async (group, leaves, id) => {
    client.entries.push(entry('commit', id))
    client.members = client.members.filter(({ leafIndex }) => !leaves.includes(leafIndex))
  }
  const history = fakeHistory()
  const delivery = { clientsOf: async () => [{ client: '1' }], takeKeyPackages: async () => [{ client: '1', keyPackage: new TextEncoder().encode('ann/1') }] }
  const context = { client, history, delivery, events: new Emitter(), own: { user: 'bob', client: '1' } }
  const intentions = new Intentions(context, groupId)
  await history.putIntention({ id: 'a', conversation, attempts: 0, kind: 'add', user: 'ann', after: -1, anew: true })
  const step = async () => intentions.step(await client.groupInfo(groupId))
  await step()
  assert.equal(client.members.length, 1)
  assert.equal(history.records.get('a').commit, client.entries[0].id, 'a refusal is told where it was wished')
  client.entries = []
  await step()
  assert.equal(history.records.get('a').anew, undefined)
  await step()
  assert.equal(client.entries.length, 1)
  assert.equal(await intentions.addsOnlyInvited(client.entries[0]), true)
})
