// What rewrites a database as a whole, and at which step of it this page asks to be killed.
import * as openmls from 'openmls-wasm'
import './vault.js'

const { CoreCryptoClient, restoreDatabase } = openmls
const bytes = (text) => new TextEncoder().encode(text)
const text = (of) => new TextDecoder().decode(of)
const passphrase = 'the passphrase of the file'

/** What IndexedDB was asked for, and what it has committed, since {@link stepsOf} or {@link killedAt} began. */
let steps
let onStep = () => undefined
function step() {
  if (steps === undefined) return
  steps += 1
  onStep(steps)
}
for (const [prototype, method] of [
  [IDBObjectStore.prototype, 'put'], [IDBObjectStore.prototype, 'add'], [IDBObjectStore.prototype, 'delete'], [IDBObjectStore.prototype, 'clear'],
  [IDBObjectStore.prototype, 'getAll'], [IDBDatabase.prototype, 'createObjectStore'], [IDBFactory.prototype, 'open'], [IDBFactory.prototype, 'deleteDatabase'],
]) {
  const original = prototype[method]
  prototype[method] = function (...args) {
    const result = original.apply(this, args)
    step()
    return result
  }
}
const { transaction } = IDBDatabase.prototype
IDBDatabase.prototype.transaction = function (...args) {
  const begun = transaction.apply(this, args)
  begun.addEventListener('complete', step)
  return begun
}

const tasks = window.tasks = {
  sealDatabase: ({ name, unlock }) => openmls.sealDatabase({ name, unlock }),
  rotateDataKey: ({ name, unlock }) => openmls.rotateDataKey({ name, unlock }),
  unsealDatabase: ({ name, unlock }) => openmls.unsealDatabase({ name, unlock }),
  restoreDatabase: ({ name, unlock, file, replace }) => restoreDatabase({ name, file: blobOf(file), passphrase, replace, vault: unlock && { unlock } }),
  importSnapshot: async ({ name, unlock, file }) => {
    const client = await CoreCryptoClient.open({ name, ...(unlock && { vault: { unlock } }) })
    try {
      await client.importSnapshot(blobOf(file), { passphrase })
    } finally {
      await client.close()
    }
  },
  migration: ({ name, unlock }) => withClient(name, unlock, async () => undefined),
}

/** Does it without a kill. @returns how many steps it has */
window.stepsOf = async (task, order) => {
  [steps, onStep] = [0, () => undefined]
  await tasks[task](order)
  return steps
}

/**
 * Does it, and asks to be killed at a step: right away, with the requests that were made so far on their way; the page holds still
 * for `still` ms then. Once it is done it asks too.
 */
window.killedAt = async (task, order, at, still) => {
  [steps, onStep] = [0, (number) => {
    if (number !== at) return
    console.log('kill me')
    const until = performance.now() + still
    while (performance.now() < until);
  }]
  if (at === 0) console.log('kill me')
  await tasks[task](order).catch(() => undefined)
  console.log('kill me')
}

/**
 * A client in these groups, and what it exports: files as text; what makes another client of the same identity; what it holds; and a
 * message that is missing: the one after it waits in the durable queue.
 */
window.exportBoth = async (name, groups) => {
  const [alice, bob] = [await CoreCryptoClient.open({ name }), await CoreCryptoClient.open({ name: `${name} other` })]
  await alice.createIdentity(bytes('alice'))
  await bob.createIdentity(bytes('bob'))
  for (const group of groups) {
    await alice.createGroup(bytes(group))
    await alice.setGroupName(bytes(group), bytes(`name of ${group}`))
  }
  await alice.generateKeyPackages(3)
  await alice.storeExternalPsk(bytes('psk'), bytes('a secret both know'))
  const id = bytes(groups[0])
  const commit = await alice.addMembers(id, await bob.generateKeyPackages(1))
  await alice.receiveMessage({ bytes: commit.bytes, id: commit.id, position: 1 })
  await bob.joinGroup(commit.welcome)
  await alice.sendMessage(id, bytes('not sent yet'))
  await alice.receiveMessage({ bytes: await bob.encryptMessage(id, bytes('read')), id: 'read', position: 2 })
  const missing = await bob.encryptMessage(id, bytes('missing'))
  const waits = await bob.encryptMessage(id, bytes('waits'))
  await alice.close()
  await bob.close()
  const opening = new CoreCryptoClient({ name })
  await opening.receiveMessage({ bytes: waits, id: 'waits', position: 4 })
  await opening.open()
  const exported = {
    identity: await opening.identity(), signature: await opening.exportSignaturePrivateKey(), content: await content(opening), missing,
  }
  for (const kind of ['backup', 'full']) {
    const stream = await opening.exportSnapshot({ kind, passphrase })
    exported[kind] = btoa(Array.from(new Uint8Array(await new Response(stream).arrayBuffer()), (byte) => String.fromCharCode(byte)).join(''))
  }
  await opening.close()
  return exported
}

const blobOf = (file) => new Blob([Uint8Array.from(atob(file), (character) => character.charCodeAt(0))])

/** A live client of the same identity, in these groups. */
window.liveClient = async (name, { identity, signature }, groups, unlock) => {
  const client = await CoreCryptoClient.open({ name, ...(unlock && { vault: { unlock } }) })
  await client.restoreIdentity(identity, signature)
  for (const group of groups) await client.createGroup(bytes(group))
  await client.close()
}

/** Every group with its role, and the epoch authenticators of those that are live. */
async function groupsIn(client) {
  const found = {}
  for (let page = await client.groupSummaries(); ; page = await client.groupSummaries({ after: page.next })) {
    for (const { groupId, role, name: title } of page.groups) {
      const live = role === 'inert' ? undefined : Array.from((await client.groupInfo(groupId)).epochAuthenticator).join()
      found[text(groupId)] = [role, text(title), live]
    }
    if (page.next === undefined) break
  }
  return Object.entries(found).sort()
}

/** What a client holds, in all stores that an app can look into. */
async function content(client) {
  const { identity } = (await client.identity()) ?? {}
  return JSON.stringify([
    identity && text(identity), await groupsIn(client), (await client.keyPackages()).length, (await client.externalPsks()).map(text),
    (await client.inbox()).map((item) => [item.id, item.kind]), (await client.outbox()).map(({ id, kind, bytes: sent }) => [id, kind, Array.from(sent).join()]),
  ])
}

async function withClient(name, unlock, use) {
  const client = await CoreCryptoClient.open({ name, ...(unlock && { vault: { unlock } }), mustExist: true })
  try {
    return await use(client)
  } finally {
    await client.close()
  }
}

window.groupsOf = (name, unlock) => withClient(name, unlock, groupsIn)
window.contentOf = (name, unlock) => withClient(name, unlock, content)
window.contentOfNothing = async () => {
  const client = await CoreCryptoClient.open({ name: 'nothing' })
  const found = await content(client)
  await client.close()
  return found
}

/** Hands in the message that was missing; what is in the inbox then. */
window.inboxWith = async (name, unlock, missing) => {
  const client = new CoreCryptoClient({ name, ...(unlock && { vault: { unlock } }), mustExist: true })
  await client.receiveMessage({ bytes: missing, id: 'missing', position: 3 })
  await client.open()
  const items = (await client.inbox()).filter(({ kind }) => kind === 'message').map((item) => [item.id, text(item.plaintext)])
  await client.close()
  return items
}

/** What the maker of a fixture has found in it: `about` in `openmls-wasm/ts-tests/page/fixture.ts`. */
window.aboutFixture = (name, unlock) =>
  withClient(name, unlock, async (client) => {
    const info = await client.groupInfo(bytes('the group'))
    const plain = (of) => ({ bytes: btoa(String.fromCharCode(...of)) })
    return {
      origin: client.origin,
      identity: text((await client.identity()).identity),
      groups: (await client.groupSummaries()).groups.map((group) => [text(group.groupId), text(group.name), group.memberCount]),
      epoch: String(info.epoch),
      members: info.members.map((member) => text(member.identity)),
      authenticator: plain(info.epochAuthenticator),
      inbox: (await client.inbox()).map((item) => [item.id, item.kind === 'message' ? text(item.plaintext) : item.kind]),
      outbox: (await client.outbox()).map((entry) => [entry.kind, plain(entry.bytes)]),
      keyPackages: (await client.keyPackages()).length,
      psks: (await client.externalPsks()).map(text),
    }
  })

/** A database as an earlier version has left it: a fixture of `openmls-wasm/ts-tests`. */
window.putFixture = (name, { version, stores }) =>
  new Promise((resolve, reject) => {
    const request = indexedDB.open(name, version)
    request.onupgradeneeded = () => {
      for (const [store, { autoIncrement, entries }] of Object.entries(stores)) {
        const objects = request.result.createObjectStore(store, { autoIncrement })
        for (const [key, value] of entries) objects.put(fromPlain(value), fromPlain(key))
      }
    }
    request.onerror = () => reject(request.error)
    request.onsuccess = () => resolve(request.result.close())
  })

function fromPlain(value) {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(fromPlain)
  if (typeof value.bytes === 'string') return Uint8Array.from(atob(value.bytes), (character) => character.charCodeAt(0))
  if (typeof value.bigint === 'string') return BigInt(value.bigint)
  return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, fromPlain(field)]))
}

/** Which kinds of records a database has: in the clear, sealed, or both. */
window.kindsOf = async (name) => {
  const database = await new Promise((resolve) => { indexedDB.open(name).onsuccess = ({ target }) => resolve(target.result) })
  const kinds = new Set()
  for (const store of database.objectStoreNames) {
    if (store === 'meta') continue
    const request = database.transaction(store).objectStore(store).getAll()
    const values = await new Promise((resolve) => { request.onsuccess = () => resolve(request.result) })
    for (const value of values) kinds.add((value instanceof Uint8Array ? value[0] === 0xe5 : value.kind === 'sealed') ? 'sealed' : 'clear')
  }
  database.close()
  return [...kinds]
}

window.versionOf = async (name) => (await indexedDB.databases()).find((database) => database.name === name)?.version
