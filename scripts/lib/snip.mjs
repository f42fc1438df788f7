// Takes the code of functions that cannot be reached out of a WebAssembly module: their bodies become `unreachable`, and
// wasm-opt then removes what only they called.
//
// The compiler cannot see that they are never reached: RustCrypto chooses by a number which curve it computes on, and
// `openmls-wasm/src/client/crypto.rs` lets no number through that belongs to no supported ciphersuite. (wasm-snip does
// the same, but its last version does not read the modules of today.)
import { functionBodies, functions, leb128, sections } from './wasm-file.mjs'

/** No locals; `unreachable`; `end`. */
const unreachableBody = Buffer.from([0, 0x00, 0x0b])

/**
 * @param {Buffer} bytes a module with a name section
 * @param {RegExp} pattern of the names of the functions
 * @returns {Buffer} the module without their code
 * @throws {Error} if there is no such function: then the pattern is out of date
 */
export function snip(bytes, pattern) {
  const names = functions(bytes).map(({ name }) => name)
  if (!names.some((name) => pattern.test(name))) throw new Error(`the module has no function that matches ${pattern}`)
  const bodies = functionBodies(bytes).map((body, index) => (pattern.test(names[index]) ? unreachableBody : body))
  const content = Buffer.concat([leb128(bodies.length), ...bodies.flatMap((body) => [leb128(body.length), body])])
  const code = sections(bytes).find(({ id }) => id === 10)
  const section = [Buffer.from([code.id]), leb128(content.length), content]
  return Buffer.concat([bytes.subarray(0, code.start), ...section, bytes.subarray(code.end)])
}
