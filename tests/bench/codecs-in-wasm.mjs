// The table of codecs in wasm: the same code as natively, built as the package is, without wasm-opt, and run by Node.
import { createRequire } from 'node:module'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { targetDir } from '../../scripts/lib/paths.mjs'
import { mustRun } from '../../scripts/lib/run.mjs'
import { setUpToBuild } from '../../scripts/setup/index.mjs'

const target = 'wasm32-unknown-unknown'

/** @param {string[]} files of the fixture */
export async function codecsInWasm(files) {
  const { wasmBindgen } = await setUpToBuild()
  const folder = join(targetDir, 'wasm-bindgen', 'codecs')
  await mustRun('cargo', ['build', '--release', '--target', target, '-p', 'openmls-wasm', '--example', 'codecs'])
  const built = join(targetDir, target, 'release', 'examples', 'codecs.wasm')
  await mustRun(wasmBindgen, ['--target', 'nodejs', '--no-typescript', '--out-dir', folder, built])
  // What wasm-bindgen writes for Node is CommonJS, and this repository is not.
  writeFileSync(join(folder, 'package.json'), '{ "type": "commonjs" }')
  const { codecTable } = createRequire(import.meta.url)(join(folder, 'codecs.js'))
  return files.map((file) => JSON.parse(codecTable(readFileSync(file))))
}
