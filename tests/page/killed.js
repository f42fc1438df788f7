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
  migration: async ({ name }) => (await CoreCryptoClient.open({ name, mustExist: true })).close(),
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

/** A client in these groups, and what it exports: files as text, and what makes another client of the same identity. */
window.exportBoth = async (name, groups) => {
  const client = await CoreCryptoClient.open({ name })
  await client.createIdentity(bytes('alice'))
  for (const group of groups) {
    await client.createGroup(bytes(group))
    await client.setGroupName(bytes(group), bytes(`name of ${group}`))
  }
  const exported = { identity: await client.identity(), signature: await client.exportSignaturePrivateKey() }
  for (const kind of ['backup', 'full']) {
    const stream = await client.exportSnapshot({ kind, passphrase })
    exported[kind] = btoa(Array.from(new Uint8Array(await new Response(stream).arrayBuffer()), (byte) => String.fromCharCode(byte)).join(''))
  }
  await client.close()
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
window.groupsOf = async (name, unlock) => {
  const client = await CoreCryptoClient.open({ name, ...(unlock && { vault: { unlock } }), mustExist: true })
  const found = {}
  for (let page = await client.groupSummaries(); ; page = await client.groupSummaries({ after: page.next })) {
    for (const { groupId, role, name: title } of page.groups) {
      const live = role === 'inert' ? undefined : Array.from((await client.groupInfo(groupId)).epochAuthenticator).join()
      found[text(groupId)] = [role, text(title ?? new Uint8Array()), live]
    }
    if (page.next === undefined) break
  }
  const { identity } = (await client.identity()) ?? {}
  await client.close()
  return JSON.stringify([identity && text(identity), Object.entries(found).sort()])
}

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
