// Days of use in minutes: many messages over many groups, with commits, groups that leave memory, and reopenings.
import { CoreCryptoClient } from '/openmls-wasm/dist/index.js'
import { bareClient, forget, wasmMemory } from './people.js'

const name = 'soak'
const durability = 'relaxed'
let state

const number = (value) => new Uint8Array(new Float64Array([value]).buffer)
const valueOf = (bytes) => new Float64Array(bytes.slice().buffer)[0]

/** Two clients, and groups of both; hers are in a database, with little memory. */
export async function startSoak({ groups, memoryLimit }) {
  const bob = (await bareClient('bob')).client
  const alice = await CoreCryptoClient.open({ name, durability, memoryLimit })
  await alice.createIdentity(new TextEncoder().encode('alice'))
  state = { alice, bob, memoryLimit, groups: [], sent: 0, read: new Set(), memory: wasmMemory(), seed: 1 }
  for (let made = 0; made < groups; made += 1) {
    const groupId = bob.createGroup()
    const { welcome } = bob.addMembers(groupId, await alice.generateKeyPackages(1))
    bob.mergePendingCommit(groupId)
    await alice.joinGroup(welcome)
    state.groups.push({ groupId, made, position: 0 })
    forget(bob)
  }
}

/** The same sequence in each run. */
function random(below) {
  state.seed = (state.seed * 48271) % 2147483647
  return state.seed % below
}

/**
 * Sends so many messages, in bundles to one group each; each bundle is received at once, and one entry of it twice.
 * @returns the memory of the wasm, and what is wrong
 */
export async function soak({ messages, bundle, commitEvery }) {
  const wrong = []
  for (let done = 0; done < messages; done += bundle) {
    const group = state.groups[random(state.groups.length)]
    const entries = []
    for (let n = 0; n < bundle; n += 1) {
      entries.push(entry(group, state.bob.encryptMessage(group.groupId, number(state.sent))))
      state.sent += 1
    }
    if (random(commitEvery) < bundle) {
      const { bytes } = state.bob.selfUpdate(group.groupId)
      state.bob.mergePendingCommit(group.groupId)
      entries.push(entry(group, bytes))
    }
    forget(state.bob)
    entries.push(entries[random(entries.length)])
    const items = await Promise.all(entries.map((it) => state.alice.receiveMessage(it)))
    for (const item of items) note(item, wrong)
    await answer(group, wrong)
    const inbox = await state.alice.inbox()
    await state.alice.acknowledgeInbox(inbox.map((item) => item.id))
  }
  for (let message = 0; message < state.sent; message += 1) if (!state.read.has(message)) wrong.push(`message ${message} was never read`)
  return { sent: state.sent, memory: wasmMemory(), wrong: wrong.slice(0, 10) }
}

function entry(group, bytes) {
  group.position += 1
  return { bytes, position: group.position, id: `${group.made}-${group.position}` }
}

function note(item, wrong) {
  if (item?.kind === 'failed') wrong.push(`an entry failed: ${item.code}`)
  if (item?.kind !== 'message') return
  const message = valueOf(item.plaintext)
  if (state.read.has(message)) wrong.push(`message ${message} was read twice`)
  state.read.add(message)
}

/** She says something too: her own ratchet must not go back by leaving memory. */
async function answer(group, wrong) {
  const told = random(2 ** 30)
  const processed = state.bob.processMessage(await state.alice.encryptMessage(group.groupId, number(told)))
  if (valueOf(processed.plaintext) !== told) wrong.push('an answer said something else')
}

/** Closes and opens again. */
export async function reopenSoak() {
  await state.alice.close()
  state.alice = await CoreCryptoClient.open({ name, durability, memoryLimit: state.memoryLimit, mustExist: true })
  const left = await state.alice.inbox()
  return { left: left.length }
}
