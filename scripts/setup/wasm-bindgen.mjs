// The wasm-bindgen command must be of exactly the version of the crate: their private format changes between versions.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../lib/paths.mjs'
import { Problem } from '../lib/say.mjs'
import { ensureCargoTool } from './cargo-tool.mjs'

export function wasmBindgenVersion() {
  const lock = readFileSync(join(root, 'Cargo.lock'), 'utf8')
  const version = lock.match(/name = "wasm-bindgen"\r?\nversion = "([^"]+)"/)?.[1]
  if (!version) throw new Problem('Cargo.lock names no version of wasm-bindgen.', 'Restore Cargo.lock from git.')
  return version
}

export function ensureWasmBindgen() {
  const version = wasmBindgenVersion()
  return ensureCargoTool({
    command: 'wasm-bindgen',
    crate: 'wasm-bindgen-cli',
    version,
    accepts: (found) => found === version,
    usually: '1–2 min',
  })
}
