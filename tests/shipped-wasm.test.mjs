// The wasm that ships, with what no supported ciphersuite reaches taken out of it (`scripts/lib/snip.mjs`), in Node: that
// every suite still works, and that no bytes from outside reach what is gone. That would trap, and a trap is a panic:
// anything that is not an `MlsError`.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { packageDir } from '../scripts/lib/paths.mjs'

const pkg = join(packageDir, 'pkg')
const { createGlue } = await import(pathToFileURL(join(pkg, 'openmls_wasm.js')))
const compiled = await WebAssembly.compile(readFileSync(join(pkg, 'openmls_wasm_bg.wasm')))
const bytes = (text) => new TextEncoder().encode(text)

/** Bits flipped in each subject, beside one damage for every number that its ciphersuite could be. */
const samples = 150

async function client(name, suite) {
  const glue = createGlue()
  await glue({ module_or_path: compiled })
  const made = new glue.MlsClient()
  made.createIdentity(bytes(name), suite)
  return made
}

/** Throws what is no `MlsError`. */
function refusal(call) {
  try {
    call()
  } catch (error) {
    if (error.name !== 'MlsError') throw error
    assert.notEqual(error.code, 'internal', error.message)
    return error.code
  }
  return undefined
}

/** Like `Math.random`, but the same in every run. */
function random(seed) {
  return () => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
    return seed / 2 ** 32
  }
}

const damaged = (good, next) => [...damages(good, next)].filter((bad) => Buffer.compare(bad, good) !== 0)

function* damages(good, next) {
  for (let index = 0; index < samples; index++) {
    const bad = Uint8Array.from(good)
    bad[Math.floor(next() * bad.length)] ^= 1 << Math.floor(next() * 8)
    yield bad
  }
  // The ciphersuite: of a Welcome bytes 4 and 5 of its message, of a key package and a group info bytes 6 and 7.
  for (const low of [5, 7]) {
    for (let suite = 0; suite < 0x60; suite++) {
      const bad = Uint8Array.from(good)
      bad[low] = suite
      yield bad
    }
  }
  for (let index = 0; index < 20; index++) yield good.slice(0, Math.floor(next() * good.length))
}

for (const suite of [1, 2, 3]) {
  test(`suite ${suite}: every operation works, and damaged bytes are refused`, async () => {
    const next = random(suite)
    const [alice, bob, carol] = await Promise.all(['alice', 'bob', 'carol'].map((name) => client(name, suite)))
    const [keyPackage] = bob.generateKeyPackages(1)
    const group = alice.createGroup()
    for (const bad of damaged(keyPackage, next)) {
      refusal(() => alice.inspectKeyPackage(bad))
      assert.notEqual(refusal(() => alice.addMembers(group, [bad])), undefined)
    }
    const added = alice.addMembers(group, [keyPackage])
    alice.mergePendingCommit(group)
    for (const bad of damaged(added.welcome, next)) assert.notEqual(refusal(() => bob.joinGroup(bad)), undefined)
    bob.joinGroup(added.welcome)

    const updated = bob.selfUpdate(group)
    for (const bad of damaged(updated.bytes, next)) assert.notEqual(refusal(() => alice.processMessage(bad)), undefined)
    alice.processMessage(updated.bytes)
    bob.mergePendingCommit(group)

    const info = alice.exportGroupInfo(group, true)
    for (const bad of damaged(info, next)) assert.notEqual(refusal(() => carol.joinByExternalCommit(bad, {})), undefined)
    const joined = carol.joinByExternalCommit(info, {})
    alice.processMessage(joined.bytes)
    bob.processMessage(joined.bytes)
    carol.acceptExternalJoin(joined.id)

    const message = carol.encryptMessage(group, bytes('hello'))
    for (const bad of damaged(message, next)) assert.notEqual(refusal(() => bob.processMessage(bad)), undefined)
    for (const reader of [alice, bob]) assert.deepEqual(reader.processMessage(message).plaintext, bytes('hello'))
    assert.equal(alice.safetyNumber(group, 1), bob.safetyNumber(group, 0))
    const secrets = [alice, bob, carol].map((member) => member.exportSecret(group, 'label', bytes('context'), 32))
    assert.deepEqual(secrets[1], secrets[0])
    assert.deepEqual(secrets[2], secrets[0])
    const removed = alice.removeMembers(group, [1])
    carol.processMessage(removed.bytes)
    bob.processMessage(removed.bytes)
    assert.equal(bob.groupInfo(group).isActive, false)
  })
}
