// What the build does to the bytes of the wasm: checked by running the module.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { namedByLikeness } from '../lib/order.mjs'
import { snip } from '../lib/snip.mjs'
import { functions } from '../lib/wasm-file.mjs'

const text = (string) => [string.length, ...Buffer.from(string)]
const section = (id, content) => [id, content.length, ...content]

/** Three functions that return 1, 2 and 3; `two` is called by nobody but the test. */
const wasm = Buffer.from([
  0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
  ...section(1, [1, 0x60, 0, 1, 0x7f]),
  ...section(3, [3, 0, 0, 0]),
  ...section(7, [3, ...text('one'), 0, 0, ...text('two'), 0, 1, ...text('three'), 0, 2]),
  ...section(10, [3, 4, 0, 0x41, 1, 0x0b, 4, 0, 0x41, 2, 0x0b, 4, 0, 0x41, 3, 0x0b]),
  ...section(0, [...text('name'), 1, 17, 3, 0, ...text('a::f'), 1, ...text('p::g'), 2, ...text('a::h')]),
])

const run = async (module) => (await WebAssembly.instantiate(module)).instance.exports

test('a function that is taken out traps, and the others do what they did', async () => {
  const { one, two, three } = await run(snip(wasm, /^p::/))
  assert.deepEqual([one(), three()], [1, 3])
  assert.throws(two, WebAssembly.RuntimeError)
})

test('a pattern that finds nothing is an error, not a build that grew again', () => {
  assert.throws(() => snip(wasm, /^q::/), /no function/)
})

test('the order is in the names alone', async () => {
  const named = namedByLikeness(wasm)
  assert.deepEqual(functions(named).map(({ name }) => name), ['f000000', 'f000001', 'f000002'])
  const { one, two, three } = await run(named)
  assert.deepEqual([one(), two(), three()], [1, 2, 3])
})
