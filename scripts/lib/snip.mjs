// Takes the code of functions that cannot be reached out of a WebAssembly module: their bodies become `unreachable`, and
// wasm-opt then removes what only they called.
//
// The compiler cannot see that they are never reached: RustCrypto chooses by a number which curve it computes on, and
// `openmls-wasm/src/client/crypto.rs` lets no number through that belongs to no supported ciphersuite. (wasm-snip does
// the same, but its last version does not read the modules of today.)
import { functions, sections, unsigned } from './wasm-file.mjs'

/** No locals; `unreachable`; `end`. Preceded by its size. */
const unreachableBody = Buffer.from([3, 0, 0x00, 0x0b])

/**
 * @param {Buffer} bytes a module with a name section
 * @param {RegExp} pattern of the names of the functions
 * @returns {{module: Buffer, size: number}} the module without their code, and how many bytes that were
 * @throws {Error} if there is no such function: then the list is out of date
 */
export function snip(bytes, pattern) {
  const code = sections(bytes).find(({ id }) => id === 10)
  const [count, first] = unsigned(bytes, code.body)
  const parts = [leb128(count)]
  let at = first
  let size = 0
  for (const { name } of functions(bytes)) {
    const [length, body] = unsigned(bytes, at)
    const end = body + length
    if (pattern.test(name)) size += length
    parts.push(pattern.test(name) ? unreachableBody : bytes.subarray(at, end))
    at = end
  }
  if (size === 0) throw new Error(`the module has no function that matches ${pattern}`)
  const section = Buffer.concat(parts)
  const head = Buffer.concat([Buffer.from([code.id]), leb128(section.length)])
  return { module: Buffer.concat([bytes.subarray(0, code.start), head, section, bytes.subarray(code.end)]), size }
}

function leb128(value) {
  const bytes = []
  for (; value > 0x7f; value = Math.floor(value / 128)) bytes.push((value % 128) | 0x80)
  return Buffer.from([...bytes, value])
}
