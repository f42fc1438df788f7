// npm run build: the wasm, the npm package around it, the chat app and the delivery service.
// Each step is skipped when what it reads has not changed.
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { frontendDir, packageDir, root, targetDir } from './lib/paths.mjs'
import { mustRun, packageCommand } from './lib/run.mjs'
import { main, say, step } from './lib/say.mjs'
import { unlessUnchanged } from './lib/stamp.mjs'
import { namedByLikeness } from './lib/order.mjs'
import { snip } from './lib/snip.mjs'
import { withoutCustomSections } from './lib/wasm-file.mjs'
import { setUpToBuild } from './setup/index.mjs'
import { wasmOptScript } from './setup/wasm-opt.mjs'
import { debugSections, namedModule, reportSize } from './size-report.mjs'

const wasmTarget = 'wasm32-unknown-unknown'
const thisScript = fileURLToPath(import.meta.url)

// The stack is what lies lowest in memory, so that no data has an address below 1024.
// Alignment is a hint that engines on x86 and ARM do not use; without it, code is more alike, which saves 3 kB of brotli.
// A function with one caller stays a function unless it is small: inlined, its variables get numbers that depend on the
// caller's, and brotli finds nothing again. That makes 52 kB of brotli, one in seven, though the module itself grows.
const wasmOptimizations = ['-Oz', '--converge', '--low-memory-unused', '--dealign', '--one-caller-inline-max-function-size=30']

/**
 * The flavours of the wasm. `unreachable`: the curves and KEMs of RustCrypto that belong to no ciphersuite of that flavour. `pq` has post-quantum ciphersuites. `test-hooks` can be made to panic: tests use it, nobody ships it. `without-digests` does not
 * notice records that were put back: with it the benchmark tells what noticing costs. `cfgs`: for openmls-wasm itself.
 */
const unreachable = /(^|[<& ])(p384|k256|ml_kem|x_wing|libcrux_sha3|keccak|sha2::block_api::Sha512VarCore)\b/
const flavours = {
  release: { features: [], folder: join(packageDir, 'pkg'), optimize: true, unreachable },
  'without-digests': { features: [], cfgs: ['--cfg', 'without_digests'], folder: join(packageDir, 'pkg-bench'), optimize: true, unreachable },
  pq: { features: ['--features', 'pq'], folder: join(packageDir, 'pkg-pq'), optimize: true },
  'test-hooks': { features: ['--features', 'test-hooks'], folder: join(packageDir, 'pkg-test'), optimize: false },
}

// Glue that openmls-wasm/wrap-glue.mjs turns into a module with a factory: a new instance after a panic, one per client.
const bindgenFlags = ['--target', 'no-modules', '--no-typescript', '--omit-default-module-path', '--out-name', 'openmls_wasm']
const wrapGlue = join(packageDir, 'wrap-glue.mjs')
const glueTypes = join(packageDir, 'ts', 'pkg-types', 'pkg', 'openmls_wasm.d.ts')

// What rustc emits for this target anyway; wasm-opt must be told.
const wasmFeatures = [
  'bulk-memory', 'bulk-memory-opt', 'call-indirect-overlong', 'multivalue', 'mutable-globals',
  'nontrapping-float-to-int', 'reference-types', 'sign-ext',
].map((feature) => `--enable-${feature}`)

/** @param {'release' | 'pq' | 'test-hooks' | 'without-digests'} flavour @param {{wasmBindgen: string}} tools */
export async function buildWasm(flavour, tools) {
  const shipped = join(flavours[flavour].folder, 'openmls_wasm_bg.wasm')
  // Cargo would see by itself that nothing changed, but the flavours share one output: each would undo the others.
  const inputs = {
    files: [
      thisScript, wrapGlue, glueTypes, join(root, 'Cargo.toml'), join(root, 'Cargo.lock'), join(packageDir, 'Cargo.toml'),
      join(root, 'node_modules', 'binaryen', 'package.json'),
      ...['order.mjs', 'snip.mjs', 'wasm-file.mjs'].map((name) => join(dirname(thisScript), 'lib', name)),
    ],
    folders: [join(packageDir, 'src')],
    text: [await mustRun('rustc', ['-vV'], { quiet: true }), process.env.RUSTFLAGS ?? ''],
  }
  await unlessUnchanged(`openmls-wasm, ${flavour}`, inputs, [shipped], () => compileWasm(flavour, shipped, tools))
}

async function compileWasm(flavour, shipped, { wasmBindgen }) {
  const { features, cfgs, folder, optimize, unreachable } = flavours[flavour]
  await step(`Compiling openmls-wasm to wasm, ${flavour}`, '1–3 min the first time', () =>
    mustRun('cargo', [
      ...(cfgs ? ['rustc', '--lib'] : ['build']), '--release', '--target', wasmTarget, '-p', 'openmls-wasm', ...features,
      ...(cfgs ? ['--', ...cfgs] : []),
    ]))
  const scratch = join(targetDir, 'wasm-bindgen', flavour)
  await step('Making the JavaScript glue with wasm-bindgen', '5 s', async () => {
    rmSync(scratch, { recursive: true, force: true })
    await mustRun(wasmBindgen, [...bindgenFlags, '--out-dir', scratch, join(targetDir, wasmTarget, 'release', 'openmls_wasm.wasm')])
    await mustRun(process.execPath, [wrapGlue, scratch])
  })
  let module = join(scratch, 'openmls_wasm_bg.wasm')
  if (unreachable) {
    const snipped = join(scratch, 'openmls_wasm_bg.snipped.wasm')
    writeFileSync(snipped, snip(readFileSync(module), unreachable))
    module = snipped
  }
  if (optimize) {
    await step('Optimizing with wasm-opt -Oz', '1–2 min', () =>
      mustRun(process.execPath, [wasmOptScript(), module, '-o', namedModule(flavour), ...wasmOptimizations, '-g', ...wasmFeatures]))
    module = namedModule(flavour)
  }
  const named = readFileSync(module)
  const ordered = join(scratch, 'openmls_wasm_bg.ordered.wasm')
  if (optimize) {
    writeFileSync(ordered, namedByLikeness(named))
    await mustRun(process.execPath, [wasmOptScript(), ordered, '-o', ordered, '--reorder-functions-by-name', ...wasmFeatures])
  }
  mkdirSync(folder, { recursive: true })
  copyFileSync(join(scratch, 'openmls_wasm.js'), join(folder, 'openmls_wasm.js'))
  copyFileSync(glueTypes, join(folder, 'openmls_wasm.d.ts'))
  // The test flavour keeps its names: a panic in a test then has a readable stack.
  writeFileSync(shipped, optimize ? withoutCustomSections(readFileSync(ordered), debugSections) : named)
  if (optimize && !cfgs) reportSize(flavour, named, readFileSync(shipped))
}

/** The TypeScript part of the npm package: ts/ to dist/. */
export async function buildPackage() {
  if (!existsSync(join(packageDir, 'tsconfig.json'))) return say('✓ openmls-wasm/ts: nothing to build')
  const inputs = {
    files: [join(packageDir, 'tsconfig.json'), join(packageDir, 'package.json'), thisScript],
    folders: [join(packageDir, 'ts')],
  }
  await unlessUnchanged('openmls-wasm.ts', inputs, [join(packageDir, 'dist', 'index.js')], () =>
    step('Compiling openmls-wasm/ts', '5 s', () =>
      mustRun(process.execPath, [packageCommand('typescript', 'tsc', packageDir), '-p', packageDir])))
}

/** The chat app: frontend/ to frontend/dist. */
export async function buildFrontend() {
  if (!existsSync(join(frontendDir, 'index.html'))) return say('✓ frontend: nothing to build')
  const inputs = {
    files: [join(packageDir, 'pkg', 'openmls_wasm_bg.wasm'), join(packageDir, 'pkg', 'openmls_wasm.js'), join(root, 'package-lock.json'), thisScript],
    folders: [frontendDir, join(packageDir, 'dist')],
  }
  await unlessUnchanged('frontend', inputs, [join(frontendDir, 'dist', 'index.html')], () =>
    step('Building the chat app with Vite', '10 s', () =>
      mustRun(process.execPath, [packageCommand('vite', 'vite', frontendDir), 'build'], { cwd: frontendDir })))
}

export const buildService = () =>
  step('Compiling the delivery service', '1–3 min the first time', () =>
    mustRun('cargo', ['build', '--profile', 'service', '-p', 'delivery-service']))

/** What `npm start` serves. */
export async function buildApp(tools) {
  await buildWasm('release', tools)
  await buildPackage()
  await buildFrontend()
  await buildService()
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  main(async () => {
    const tools = await setUpToBuild()
    await buildApp(tools)
    for (const flavour of ['pq', 'test-hooks']) if (process.argv.includes(`--${flavour}`)) await buildWasm(flavour, tools)
    say(`\nBuilt: ${join('openmls-wasm', 'pkg')}, ${join('openmls-wasm', 'dist')}, ${join('frontend', 'dist')} and the delivery service.`)
  })
}
