import assert from 'node:assert/strict'
import { test } from 'node:test'
import { coded, conversation, entry, fakeClient, fakeHistory, groupId, identity } from './fakes.mjs'
import { load } from './load.mjs'

const { Emitter } = await load('sync/emitter.ts')
const { GroupLog } = await load('sync/group-log.ts')
const { GroupSync } = await load('sync/group-sync.ts')
const { SyncEngine } = await load('sync/engine.ts')
const { Intentions } = await load('sync/intentions.ts')
const { MessageStates } = await load('sync/states.ts')
const { Uploads } = await load('sync/uploads.ts')
const { takeWelcomes } = await load('sync/welcomes.ts')
const { errorOfAnswer, DeliveryError } = await load('delivery/errors.ts')

const refusal = (status, code) => errorOfAnswer(status, { code, message: code })

/** What the parts share, for Bob's client, with what a test is about. */
function contextOf({ client = fakeClient(), delivery = {}, history = fakeHistory() } = {}) {
  const events = new Emitter()
  const problems = []
  events.on('problem', (problem) => problems.push(problem))
  return {
    client, history, events, problems,
    delivery: { log: async () => ({ entries: [], more: false }), registerGroup: async () => {}, ...delivery },
    states: new MessageStates(() => {}),
    own: { user: 'bob', client: '1' },
    ownAddress: 'bob/1',
    forViews: (write) => write,
    handOver: { kick() {}, run: async () => {} },
  }
}

function uploadsOf(context) {
  const log = new GroupLog(context, groupId)
  const intentions = new Intentions(context, groupId)
  return { log, intentions, uploads: new Uploads(context, groupId, log, intentions) }
}

const invitation = (id, user, more = {}) => ({ id, conversation, attempts: 0, kind: 'add', user, after: -1, ...more })

/** A delivery service that knows Carol and Dave, one device each, and offers the key package of `offered`. */
const inviting = (offered) => ({
  clientsOf: async () => [{ client: '1' }],
  takeKeyPackages: async () => [{ client: '1', keyPackage: identity(offered) }],
})

test('a refused commit fails the invitation it was made for, and no other', async () => {
  const context = contextOf({ delivery: { ...inviting('dave/1'), sendCommit: async () => Promise.reject(refusal(409, 'already-member')) } })
  const { intentions, uploads } = uploadsOf(context)
  // Carol's was made later, and is the first in the store.
  await context.history.putIntention(invitation('a', 'carol', { after: 7 }))
  await context.history.putIntention(invitation('b', 'dave'))
  await intentions.step(await context.client.groupInfo(groupId))
  await uploads.upload(context.client.entries[0])
  assert.equal(context.history.records.get('b').failure, 'already-member')
  assert.equal(context.history.records.get('a').failure, undefined)
  assert.deepEqual(context.client.entries, [])
})

test('a key package of somebody else is not uploaded, also when the app was killed after the commit', async () => {
  let sent = 0
  const context = contextOf({ delivery: { ...inviting('mallory/1'), sendCommit: async () => (sent += 1) } })
  await context.history.putIntention(invitation('a', 'carol'))
  await uploadsOf(context).intentions.step(await context.client.groupInfo(groupId))
  // What is durable at this moment is all that the next start has.
  await uploadsOf(context).uploads.upload(context.client.entries[0])
  assert.equal(sent, 0)
  assert.deepEqual(context.client.entries, [])
  assert.equal(context.history.records.get('a').failure, 'wrong-key-package')
})

test('only the delivery service’s own refusal gives up a commit or a message', async () => {
  let answer = refusal(403, 'blocked-by-policy')
  const context = contextOf({ delivery: { sendCommit: async () => Promise.reject(answer), sendMessage: async () => Promise.reject(answer) } })
  const { uploads } = uploadsOf(context)
  const commit = entry('commit', 'c')
  const message = entry('message', 'm')
  context.client.entries = [commit, message]
  for (const kept of [commit, message]) await assert.rejects(uploads.upload(kept), { kind: 'unreachable' })
  assert.equal(context.client.entries.length, 2)
  assert.equal(context.states.isRefused('m'), false)
  answer = refusal(413, 'message-too-large')
  for (const refused of [commit, message]) await uploads.upload(refused)
  assert.deepEqual(context.client.entries, [message])
  assert.equal(context.states.failure('m'), 'message-too-large')
})

/** A log with entries at these positions. */
const logOf = (positions, sender = 'ann/1') => ({
  reads: 0,
  entries: positions.map((position) => ({ position, id: `e${position}`, sender, message: Uint8Array.of(position) })),
  async log(_group, after) {
    this.reads += 1
    return { entries: this.entries.filter(({ position }) => position > after), more: false }
  },
})

/** A client at position 8 whose removal is at position 9, as Bob's who was added again at 10. */
function removedAt9() {
  const ids = []
  const client = fakeClient({
    cursor: 8,
    async receiveMessage({ position, id }) {
      assert.equal(position, client.cursor + 1)
      client.cursor = position
      ids.push(id)
      if (position !== 9) return { kind: 'failed', id, groupId, code: 'undecryptable' }
      client.active = false
      return { kind: 'commit', id, groupId, own: false, selfRemoved: true, added: [], removed: [] }
    },
  })
  return { client, ids }
}

test('the log of a membership ends with its removal, in pages and live, and after a restart', async () => {
  // Added again by a later commit, or by the very one that removed: then no gap shows.
  const cases = [[9, 11], [9, 10]].flatMap((positions) => ['pages', 'live', 'restart'].map((way) => [positions, way]))
  for (const [positions, way] of cases) {
    const { client, ids } = removedAt9()
    const delivery = logOf(positions)
    const context = contextOf({ client, delivery })
    let closed = 0
    const group = new GroupSync(context, groupId, () => (closed += 1, group.stop()))
    if (way === 'restart') await new GroupLog(context, groupId).catchUp()
    if (way === 'live') for (const live of delivery.entries) group.receive(live)
    await group.readLog()
    assert.equal(client.cursor, 9, way)
    assert.equal(ids.length, 1, way)
    assert.equal(closed, 1, way)
    assert.deepEqual(context.problems, [], way)
  }
})

test('the first position of a log is 1, and a gap ends the reading without spinning', async () => {
  const context = contextOf({ delivery: logOf([2, 3]) })
  const log = new GroupLog(context, groupId)
  await log.catchUp()
  assert.equal(context.client.cursor, 0)
  assert.ok(log.isBroken)
  log.push({ position: 4 })
  await log.catchUp()
  assert.equal(context.delivery.reads, 1)
})

test('lines of two memberships at the same position have ids of their own', async () => {
  const ids = new Set()
  for (let membership = 0; membership < 2; membership += 1) {
    const client = fakeClient({ receiveMessage: async ({ id }) => (ids.add(id), undefined) })
    await new GroupLog(contextOf({ client, delivery: logOf([1]) }), groupId).catchUp()
  }
  assert.equal(ids.size, 2)
})

/** A client in group `ab`, with a queue of Welcomes; joining `ab` fails until `client.active` is false. */
function invited(positions) {
  const joined = []
  const client = fakeClient({
    cursor: 8,
    welcomes: 0,
    welcomeCursor: async () => client.welcomes,
    groupInfo: async () => ({ groupId, isActive: client.active }),
    async receiveWelcome({ bytes, position }) {
      if (bytes[0] === 0xab && client.active) throw coded('group-exists')
      assert.ok(position === undefined || position === client.welcomes + 1)
      client.welcomes = position ?? client.welcomes
      joined.push(bytes[0])
      return { kind: 'joined' }
    },
    async skipWelcome(position) {
      assert.equal(position, client.welcomes + 1)
      client.welcomes = position
    },
  })
  const deleted = []
  const delivery = {
    welcomes: async (after) => positions
      .map((group, i) => ({ position: i + 1, id: 'w', groupId: Uint8Array.of(group), groupPosition: 10, welcome: Uint8Array.of(group) }))
      .filter(({ position }) => position > after),
    deleteWelcomes: async (upTo) => void deleted.push(upTo),
  }
  return { client, joined, deleted, context: contextOf({ client, delivery }) }
}

test('a Welcome back into a group is taken when its removal has been read', async () => {
  const { client, joined, deleted, context } = invited([0xab])
  await takeWelcomes(context, { readLog: async () => void (client.active = false), joined() {} })
  assert.deepEqual(joined, [0xab])
  assert.deepEqual(deleted, [1])
})

test('a Welcome that must wait is kept, and holds up no other', async () => {
  const { client, joined, deleted, context } = invited([0xab, 0xcd])
  const groups = { readLog: async () => Promise.reject(new DeliveryError('unreachable', 'network', '')), joined() {} }
  await assert.rejects(takeWelcomes(context, groups), { code: 'network' })
  assert.deepEqual(joined, [0xcd])
  assert.deepEqual(deleted, [])
  // Later the removal is read. The other Welcome is of a group this client is in by now: passed over.
  client.active = false
  client.listGroups = async () => [groupId, Uint8Array.of(0xcd)]
  client.groupInfo = async ([group]) => ({ isActive: group === 0xcd })
  client.deliveryCursor = async ([group]) => (group === 0xcd ? 10 : 9)
  await takeWelcomes(context, { readLog: async () => {}, joined() {} })
  assert.deepEqual(joined, [0xcd, 0xab])
  assert.equal(client.welcomes, 2)
  assert.deepEqual(deleted, [2])
})

test('a group whose epoch cannot be reached is out of step: shown, and left alone until there is more to read', async () => {
  let uploads = 0
  const delivery = {
    ...logOf([]),
    ...inviting('carol/1'),
    sendMessage: async () => Promise.reject((uploads += 1, refusal(409, 'past-epoch'))),
    sendCommit: async () => Promise.reject((uploads += 1, refusal(409, 'past-epoch'))),
  }
  const context = contextOf({ delivery })
  context.client.entries = [entry('message', 'm1'), entry('message', 'm2')]
  await context.history.putIntention(invitation('a', 'carol', { after: 9 }))
  const group = new GroupSync(context, groupId, () => {})
  await group.settled()
  assert.equal(uploads, 1)
  assert.deepEqual(['m1', 'm2'].map((id) => context.states.failure(id)), ['out-of-step', 'out-of-step'])
  assert.equal(context.history.records.get('a').failure, 'out-of-step')
  await group.settled()
  assert.equal(uploads, 1)
  // The user tries again; and so does the app by itself when the log has grown.
  context.states.retry('m2', conversation)
  group.tryAgain()
  await group.settled()
  assert.equal(uploads, 2)
  delivery.entries.push({ position: 1, id: 'e1', sender: 'ann/1', message: Uint8Array.of(1) })
  group.markBehind()
  await group.settled()
  assert.equal(uploads, 3)
  assert.equal(context.client.entries.length, 2)
})

test('a log that goes on in an epoch which cannot be reached is not read over and over', async () => {
  const client = fakeClient({ receiveMessage: async () => Promise.reject(coded('future-epoch')) })
  const context = contextOf({ client, delivery: logOf([1]) })
  client.entries = [entry('message', 'm')]
  const group = new GroupSync(context, groupId, () => {})
  await group.settled()
  for (const position of [2, 3]) group.receive({ position, id: 'x', sender: 'ann/1', message: Uint8Array.of(1) })
  await group.settled()
  assert.equal(context.delivery.reads, 1)
  assert.equal(context.states.failure('m'), 'out-of-step')
})

test('whoever is out of step can leave', async () => {
  const client = fakeClient({ receiveMessage: async () => Promise.reject(coded('future-epoch')) })
  const context = contextOf({ client, delivery: logOf([1]) })
  await context.history.putIntention({ id: 'l', conversation, attempts: 0, kind: 'leave' })
  let closed = false
  const group = new GroupSync(context, groupId, () => (closed = true))
  await group.settled()
  assert.ok(closed)
  assert.deepEqual(await client.listGroups(), [])
})

test('a group’s name and invitations are durable before the group, and a start makes what a crash left unmade', async () => {
  const calls = []
  const history = fakeHistory(calls)
  let crash = true
  const client = fakeClient({
    listGroups: async () => [],
    async createGroup(id) {
      calls.push(['createGroup', Buffer.from(id).toString('hex')])
      if (crash) await new Promise(() => {})
    },
  })
  const engineOf = () => new SyncEngine({ client, history, delivery: { token: () => new Promise(() => {}) }, own: { user: 'bob', client: '1' } })
  void engineOf().createConversation('Lunch', ['carol'])
  while (calls.length < 2) await Promise.resolve()
  const [[, id]] = calls
  assert.deepEqual(calls, [['history.createConversation', id], ['createGroup', id]])
  const { name, unmade } = await history.conversation(id)
  assert.deepEqual({ name, unmade }, { name: 'Lunch', unmade: true })
  assert.deepEqual([...history.records.values()].map(({ user, conversation: of }) => [user, of]), [['carol', id]])
  crash = false
  const engine = engineOf()
  await engine.start()
  engine.stop()
  assert.deepEqual(calls.at(-1), ['createGroup', id])
  assert.equal((await history.conversation(id)).unmade, undefined)
})

test('a group that cannot be made leaves nothing behind', async () => {
  const calls = []
  const client = fakeClient({ createGroup: async () => Promise.reject(coded('storage-failed')) })
  const engine = new SyncEngine({ client, history: fakeHistory(calls), delivery: {}, own: { user: 'bob', client: '1' } })
  await assert.rejects(engine.createConversation('Lunch', []), { code: 'storage-failed' })
  assert.deepEqual(calls.map(([call]) => call), ['history.createConversation', 'history.forgetUnmade'])
})

test('an older state sends nothing, and joins anew by an external commit of which the answer may get lost', async () => {
  const sent = []
  let newest = false
  const message = entry('message', 'm')
  const client = fakeClient({
    checkWitness: async (_, link) => newest || link === undefined,
    joinByExternalCommit: async (info, _, id) => {
      assert.deepEqual(info, Uint8Array.of(9))
      client.entries.push(entry('commit', id))
    },
    uploadLink: async (id) => {
      if (!newest && client.entries.find((other) => other.id === id).kind !== 'commit') throw coded('rolled-back-state')
      return { link: new Uint8Array(32) }
    },
  })
  client.entries.push(message)
  let infos = 0
  const log = []
  const context = contextOf({
    client,
    delivery: {
      log: async (_, after) => ({ entries: log.filter(({ position }) => position > after), more: false, link: new Uint8Array(32) }),
      // Nobody has published it at first.
      groupInfo: async () => ((infos += 1) === 1 ? Promise.reject(refusal(404, 'no-group-info')) : Uint8Array.of(9)),
      sendMessage: async (_, id) => sent.push(id),
      sendCommit: async (_, { id, commit }) => {
        sent.push(id)
        if (sent.length === 1) throw new DeliveryError('unreachable', 'network', 'lost')
        log.push({ position: 1, id, sender: 'bob/1', message: commit })
        return 1
      },
    },
  })
  client.receiveMessage = async ({ id, position }) => {
    client.cursor = position
    client.drop(id)
    newest = true
    return { kind: 'joined', id, groupId }
  }
  const told = []
  context.events.on('joining-anew', (group) => told.push(group))
  const sync = new GroupSync(context, groupId, () => {})
  await sync.settled()
  sync.stop()
  const [first, second, ...rest] = sent
  assert.equal(first, second, 'the same commit once more')
  assert.deepEqual(rest, ['m'])
  assert.deepEqual(told, [conversation])
})

test('what an older state wanted to commit is given up when the log has been read', async () => {
  let commits = 0
  const client = fakeClient({
    checkWitness: async () => false,
    uploadLink: async () => Promise.reject(coded('rolled-back-state')),
    joinByExternalCommit: async () => {
      commits += 1
      throw coded('pending-commit')
    },
  })
  client.entries.push(entry('commit', 'old'))
  const context = contextOf({ client, delivery: { groupInfo: async () => Uint8Array.of(9), sendCommit: async () => assert.fail('sent') } })
  const sync = new GroupSync(context, groupId, () => {})
  sync.kick()
  while (commits === 0) await new Promise((resolve) => setTimeout(resolve, 5))
  sync.stop()
  assert.deepEqual(client.entries, [])
})
