// Backups: what of the history goes along and comes back, and how the sync engine goes on with a client that came out of one.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { coded, conversation, entry, fakeClient, fakeHistory, groupId } from './fakes.mjs'
import { load } from './load.mjs'

const { BringingBack, readBackup, writeBackup } = await load('history/backup.ts')
const { newConversation, takeOver } = await load('history/take-over.ts')
const { DeliveryError } = await load('delivery/errors.ts')
const { sharedContext } = await load('sync/context.ts')
const { Emitter } = await load('sync/emitter.ts')
const { GroupSync } = await load('sync/group-sync.ts')
const { KeyPackages } = await load('sync/key-packages.ts')
const { MessageStates } = await load('sync/states.ts')
const { takeWelcomes } = await load('sync/welcomes.ts')

const owner = { user: 'ann', client: '1' }
const line = (id, more = {}) => ({ id, conversation, order: 1, after: 0, at: 1, kind: 'text', sender: 'ann', own: true, text: `text of ${id}`, ...more })

/** A history that hands its records out in two parts. */
const source = (stores, damaged = 0) => ({
  async *parts(store) {
    const records = stores[store] ?? []
    const half = Math.ceil(records.length / 2)
    yield { records: records.slice(0, half), damaged: 0 }
    yield { records: records.slice(half), damaged: store === 'lines' ? damaged : 0 }
  },
})

async function all(content, of = owner) {
  const records = []
  for await (const some of readBackup(content, of)) records.push(...some)
  return records
}

test('the history comes back as it was, in as many pieces as there are', async () => {
  const lines = Array.from({ length: 501 }, (_, index) => line(`l${index}`, { text: 'ä€😀\n"' }))
  const known = newConversation(conversation, 1, true)
  const { content, records, damaged } = await writeBackup(source({ conversations: [known], lines }, 3), owner, new Set())
  assert.deepEqual([records, damaged], [502, 3])
  const sizes = []
  const found = []
  for await (const some of readBackup(content, owner)) {
    sizes.push(some.length)
    found.push(...some)
  }
  assert.ok(Math.max(...sizes) <= 200)
  assert.deepEqual(found, [...lines.map((record) => ({ store: 'lines', record })), { store: 'conversations', record: known }])
})

test('of what waits to be sent nobody will know; what has no group yet is left out', async () => {
  const unmade = { ...newConversation('cd', 1, false), unmade: true }
  const { content } = await writeBackup(source({ conversations: [unmade], lines: [line('sent'), line('waits')] }), owner, new Set(['waits']))
  assert.deepEqual((await all(content)).map(({ record }) => [record.id, record.unsent]), [['sent', undefined], ['waits', 'unknown']])
})

test('what is not the history of this account is refused', async () => {
  const { content } = await writeBackup(source({ lines: [line('l')] }), owner, new Set())
  const text = await content.text()
  const refusals = [
    [undefined, owner, 'foreign-backup'],
    [new Blob(['something else']), owner, 'foreign-backup'],
    [new Blob(['{}\n']), owner, 'foreign-backup'],
    [new Blob([text.replace('"format":1', '"format":2')]), owner, 'newer-format'],
    [content, { user: 'ann', client: '2' }, 'identity-conflict'],
    [new Blob([text.replace('"kind":"text"', '"kind":"html"')]), owner, 'foreign-backup'],
    [new Blob([text.replace('"order":1', '"order":"1"')]), owner, 'foreign-backup'],
    [new Blob([text.replace('"store":"lines"', '"store":"intentions"')]), owner, 'foreign-backup'],
    [new Blob([text.slice(0, -20)]), owner, 'foreign-backup'],
  ]
  for (const [blob, of, code] of refusals) await assert.rejects(all(blob, of), { code })
})

test('a conversation comes back without keys, unless it was over', () => {
  const of = (standing, isInert) => {
    const bringing = new BringingBack(new Set(isInert ? [conversation] : []))
    return bringing.take({ store: 'conversations', record: { ...newConversation(conversation, 1, true), standing } }).record.standing
  }
  assert.deepEqual(['member', 'leaving', 'left', 'removed'].map((standing) => of(standing, true)), ['inert', 'inert', 'left', 'removed'])
  assert.deepEqual(['member', 'damaged', 'left'].map((standing) => of(standing, false)), ['lost', 'lost', 'left'])
})

test('what comes next comes behind all lines, also where the conversation itself could not be read', () => {
  const bringing = new BringingBack(new Set(['ef']))
  bringing.take({ store: 'lines', record: line('a', { order: 7, after: 3 }) })
  bringing.take({ store: 'lines', record: line('b', { order: 2, position: 9, conversation: 'cd' }) })
  const { record } = bringing.take({ store: 'conversations', record: { ...newConversation(conversation, 1, true), lastOrder: 5 } })
  assert.deepEqual([record.lastOrder, record.lastPosition], [7, 3])
  const rest = bringing.rest(5).map(({ record: { id, lastOrder, lastPosition, standing } }) => [id, lastOrder, lastPosition, standing])
  assert.deepEqual(rest, [['ef', 0, 0, 'inert'], ['cd', 2, 9, 'lost']])
})

test('the line that tells of coming back does not say that nothing was shown', async () => {
  const records = new Map([[conversation, { ...newConversation(conversation, 1, true), standing: 'inert' }]])
  const store = { get: async (_, id) => records.get(id), put: async (_, record) => void records.set(record.id, record) }
  await takeOver(store, { kind: 'joined', id: 'j', groupId, position: 4 }, { own: owner, now: 1, visible: undefined })
  assert.equal(records.get('j').event.type, 'came-back')
  assert.equal(records.get(conversation).standing, 'member')
})

/** A client that knows the group out of a backup: nothing but joining it works. */
function inertClient() {
  let inert = true
  const client = fakeClient({
    calls: [],
    checkWitness: async () => (inert ? Promise.reject(coded('group-inert')) : true),
    joinByExternalCommit: async (info, _, id) => {
      client.calls.push('join')
      assert.deepEqual(info, Uint8Array.of(9))
      if (client.entries.length > 0) throw coded('pending-commit')
      client.entries.push(entry('commit', id))
    },
    uploadLink: async () => ({ link: new Uint8Array(32) }),
    async receiveMessage({ id, position }) {
      if (client.entries.length === 0) throw coded('group-inert')
      if (!client.entries.some((other) => other.id === id)) return undefined
      inert = false
      client.cursor = position
      client.drop(id)
      return { kind: 'joined', id, groupId }
    },
  })
  const info = client.groupInfo
  client.groupInfo = async () => (inert ? Promise.reject(coded('group-inert')) : info())
  return client
}

function contextOf(client, delivery, history = fakeHistory()) {
  const states = new MessageStates(() => {})
  return sharedContext({
    client, history, states, own: { user: 'bob', client: '1' }, events: new Emitter(),
    delivery: { log: async () => ({ entries: [], more: false }), ...delivery },
    handOver: { run: async () => {}, kick: () => {} },
    forViews: (write) => write.catch(() => undefined),
  })
}

const refusal = (status, code) => new DeliveryError('refused', code, code, status)

test('a group out of a backup is joined anew, whatever the log holds before that', async () => {
  const client = inertClient()
  // The lost browser has read further: the log of this membership does not begin where the backup ended.
  const log = [{ position: 7, id: 'theirs', sender: 'ann/1', message: Uint8Array.of(1) }]
  const context = contextOf(client, {
    log: async (_, after) => ({ entries: log.filter(({ position }) => position > after), more: false }),
    groupInfo: async () => Uint8Array.of(9),
    sendCommit: async (_, { id, commit }) => {
      log.push({ position: 8, id, sender: 'bob/1', message: commit })
      return 8
    },
  })
  const told = []
  context.events.on('joining-anew', (group) => told.push(group))
  const sync = new GroupSync(context, groupId, () => {})
  await sync.settled()
  sync.stop()
  assert.equal(client.calls.filter((call) => call === 'join').length, 1)
  assert.equal((await client.groupInfo()).isActive, true)
  assert.deepEqual(told, [], 'nothing was put back behind the user’s back')
})

test('a commit that lost its epoch is made anew', async () => {
  const client = inertClient()
  const log = []
  const context = contextOf(client, {
    log: async (_, after) => ({ entries: log.filter(({ position }) => position > after), more: false }),
    groupInfo: async () => Uint8Array.of(9),
    sendCommit: async (_, { id, commit }) => {
      if (client.calls.filter((call) => call === 'join').length === 1) throw refusal(409, 'past-epoch')
      log.push({ position: 1, id, sender: 'bob/1', message: commit })
      return 1
    },
  })
  const sync = new GroupSync(context, groupId, () => {})
  await sync.settled()
  sync.stop()
  assert.equal(client.calls.filter((call) => call === 'join').length, 2)
})

test('where there is nothing to join by, the conversation says so, and a refusal is not asked for again', async () => {
  for (const [error, settles] of [[refusal(403, 'not-a-member'), true], [refusal(404, 'no-group-info'), false]]) {
    const history = fakeHistory()
    let asked = 0
    const context = contextOf(inertClient(), { groupInfo: async () => { asked += 1; throw error } }, history)
    const sync = new GroupSync(context, groupId, () => {})
    if (settles) await sync.settled()
    else sync.kick()
    while (asked < (settles ? 1 : 2)) await new Promise((resolve) => setTimeout(resolve, 5))
    sync.stop()
    assert.equal((await history.conversation(conversation)).standing, 'lost')
  }
})

test('a Welcome that comes while the server refuses wins', async () => {
  const history = fakeHistory()
  const client = inertClient()
  const context = contextOf(client, {
    groupInfo: async () => {
      client.groupInfo = fakeClient().groupInfo
      throw refusal(403, 'not-a-member')
    },
  }, history)
  const sync = new GroupSync(context, groupId, () => {})
  await sync.settled()
  assert.equal((await history.conversation(conversation)).standing, 'lost', 'noted too late')
  client.checkWitness = async () => true
  await sync.settled()
  sync.stop()
  assert.equal((await history.conversation(conversation)).standing, 'member')
})

test('who waits for the log of a group without keys does not wait for it to be joined', async () => {
  const context = contextOf(inertClient(), { groupInfo: async () => { throw new DeliveryError('unreachable', 'network', 'off') } })
  const sync = new GroupSync(context, groupId, () => {})
  await sync.readLog()
  sync.stop()
})

test('Welcomes that the lost browser has taken leave no gap', async () => {
  const skipped = []
  const taken = []
  const client = fakeClient({
    welcomeCursor: async () => taken.at(-1) ?? skipped.at(-1) ?? 2,
    skipWelcome: async (position) => void skipped.push(position),
    receiveWelcome: async ({ position }) => void taken.push(position),
    listGroups: async () => [],
  })
  const welcome = { position: 5, id: 'w', groupId, groupPosition: 1, welcome: Uint8Array.of(1) }
  const delivery = { welcomes: async (after) => (after < 5 ? [welcome] : []), deleteWelcomes: async () => {} }
  const groups = { readLog: async () => {}, joined: () => {} }
  const context = { client, delivery, handOver: { run: async () => {} }, events: new Emitter() }
  await assert.rejects(takeWelcomes(context, groups), { code: 'position-gap' })
  await takeWelcomes({ ...context, restored: true }, groups)
  assert.deepEqual([skipped, taken], [[3, 4], [5]])
})

test('key packages of the lost browser are given out no more', async () => {
  const calls = []
  const own = []
  const client = {
    keyPackages: async () => own,
    generateKeyPackages: async (count) => {
      for (let index = 0; index < count; index += 1) own.push({ lastResort: false, hasPrivateKeys: true, notAfter: 1n << 60n })
      return own.map(() => new Uint8Array())
    },
    generateLastResortKeyPackage: async () => {
      own.push({ lastResort: true, hasPrivateKeys: true, notAfter: 1n << 60n })
      return new Uint8Array()
    },
  }
  let available = 15
  const delivery = {
    keyPackageCount: async () => ({ available, lastResort: true }),
    withdrawKeyPackages: async () => {
      calls.push('withdraw')
      if (calls.length === 1) throw new DeliveryError('unreachable', 'network', 'off')
      return (available = 0)
    },
    publishKeyPackages: async (keyPackages, lastResort) => {
      calls.push([keyPackages.length, lastResort !== undefined])
      available += keyPackages.length
    },
  }
  const keyPackages = new KeyPackages({ client, delivery, events: new Emitter() })
  await assert.rejects(keyPackages.replenish(), { code: 'network' })
  await keyPackages.replenish()
  assert.deepEqual(calls, ['withdraw', 'withdraw', [20, false], [0, true]])
  await keyPackages.replenish()
  assert.equal(calls.length, 4)
})
