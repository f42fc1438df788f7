// Only the browser tests in wasm-tests need it.
import { ensureCargoTool } from './cargo-tool.mjs'

export function ensureWasmPack() {
  return ensureCargoTool({
    command: 'wasm-pack',
    crate: 'wasm-pack',
    version: '0.15.1',
    accepts: (found) => /^0\.1[3-9]\.|^[1-9]/.test(found),
    usually: '1–2 min',
  })
}
