// What a command needs on this machine. Each part says what it does when there is something to do, else nothing.
import { ensureNodePackages } from './node-packages.mjs'
import { ensureRust, ensureWasmTarget } from './rust.mjs'
import { ensureWasmBindgen } from './wasm-bindgen.mjs'

/** Everything that `npm start` and `npm run build` need. @returns {Promise<{wasmBindgen: string}>} */
export async function setUpToBuild() {
  await ensureRust()
  await ensureNodePackages()
  await ensureWasmTarget()
  return { wasmBindgen: await ensureWasmBindgen() }
}
