import assert from 'node:assert/strict'
import { test } from 'node:test'
import { coded, conversation, entry, fakeClient, fakeHistory, groupId, identity, member } from './fakes.mjs'
import { load } from './load.mjs'

const { Emitter } = await load('sync/emitter.ts')
const { GroupLog } = await load('sync/group-log.ts')
const { GroupSync } = await load('sync/group-sync.ts')
const { Intentions } = await load('sync/intentions.ts')
const { MessageStates } = await load('sync/states.ts')
const { Uploads } = await load('sync/uploads.ts')
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
