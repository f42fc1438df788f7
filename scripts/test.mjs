// npm test [-- --only rust|wasm|ts|e2e]: sets up what is missing, runs every suite even if one fails, and ends with one
// line that sums them up. A suite that fails to build, or runs no test, counts as one failure.
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { frontendDir, packageDir, root, serviceBinary, targetDir } from './lib/paths.mjs'
import { startProxy } from './lib/proxy.mjs'
import { packageCommand, pathWith, run } from './lib/run.mjs'
import { Problem, main, say } from './lib/say.mjs'
import { check, findTests, line, nodeTests, runSuite, rustCounts, settled, sum } from './lib/suites.mjs'
import { buildFrontend, buildPackage, buildService, buildWasm } from './build.mjs'
import { ensureBrowser } from './setup/browser.mjs'
import { setUpToBuild } from './setup/index.mjs'
import { ensureRustComponents } from './setup/rust.mjs'
import { ensureWasmPack } from './setup/wasm-pack.mjs'

const minutes = 60_000
const wasmTarget = 'wasm32-unknown-unknown'
const reports = join(targetDir, 'test-reports')
// The browser tests are for the wasm target alone.
const natively = ['--workspace', '--exclude', 'wasm-tests', '--features', 'openmls-wasm/test-hooks']

/** A part of the set-up that is done once, when the first suite asks for it; its failure fails every suite that does. */
const once = (work) => {
  let promise
  return () => (promise ??= work())
}
const components = once(ensureRustComponents)
const browser = once(ensureBrowser)
const wasmPack = once(ensureWasmPack)

/** Files of tests at a time. Each starts browsers of its own, which wait for the disk and each other more than they compute. */
const atOnce = 2

const testFile = /\.test\.(mjs|js)$/

/**
 * What all suites but those in Rust need. With all of them it is built while the tests in Rust run: the longest of those, the random
 * walks, takes as long as it is given, and both together less than one after the other.
 */
let building
const build = (tools) => (building ??= buildAll(tools))

const suites = (tools, only) => [
  { name: 'cargo fmt', parts: ['rust'], run: async () => { await components(); return check('cargo', ['fmt', '--all', '--check']) } },
  { name: 'cargo clippy, native', parts: ['rust'], run: async () => { await components(); return check('cargo', ['clippy', ...natively, '--all-targets', '--', '-D', 'warnings']) } },
  { name: 'cargo clippy, wasm32', parts: ['rust'], run: clippyForWasm },
  { name: 'cargo doc', parts: ['rust'], run: () => check('cargo', ['doc', '--no-deps', ...natively, '--lib'], { env: { RUSTDOCFLAGS: '-D warnings' } }) },
  {
    name: 'cargo test',
    parts: ['rust'],
    run: () => {
      if (!only) void build(tools)
      return cargoTest(natively)
    },
  },
  { name: 'cargo test, post-quantum, parts as shipped', parts: ['rust'], run: () => cargoTest(['-p', 'openmls-wasm', '--features', 'pq', '--test', 'pq', '--test', 'shipped_parts']) },
  { name: 'build', parts: ['wasm', 'ts', 'e2e'], run: () => build(tools) },
  { name: 'wasm-pack test, headless browser', parts: ['wasm'], run: () => wasmPackTest(tools) },
  { name: 'tsc', parts: ['ts'], run: typeCheck },
  { name: 'typedoc', parts: ['ts'], run: () => check(process.execPath, [join(root, 'scripts', 'docs.mjs'), '--check']) },
  { name: 'TypeScript tests', parts: ['ts'], run: typeScriptTests },
  { name: 'end to end', parts: ['e2e'], run: endToEnd },
]

async function clippyForWasm() {
  await components()
  // Without the test hooks: what is shipped.
  const lints = ['--', '-D', 'warnings']
  return sum([
    await check('cargo', ['clippy', '--target', wasmTarget, '-p', 'openmls-wasm', '--lib', ...lints]),
    await check('cargo', ['clippy', '--target', wasmTarget, '-p', 'wasm-tests', '--all-targets', ...lints]),
  ])
}

async function cargoTest(what) {
  const { code, output } = await run('cargo', ['test', ...what, '--no-fail-fast'], { timeoutMs: 25 * minutes })
  return settled(rustCounts(output), code)
}

/** Each product that is built counts, so that one which is not does too. */
async function buildAll(tools) {
  const results = []
  const attempt = async (work) => {
    try {
      await work()
      results.push({ passed: 1, failed: 0 })
    } catch (error) {
      console.error(`✗ ${error instanceof Problem ? error.message : error.stack}`)
      results.push({ passed: 0, failed: 1 })
    }
  }
  await attempt(() => buildWasm('release', tools))
  await attempt(() => buildWasm('test-hooks', tools))
  await attempt(buildPackage)
  await attempt(buildFrontend)
  await attempt(buildService)
  return sum(results)
}

/** Without what a browser does for itself at every start: on a machine without internet some of it waits. */
const quietBrowser = [
  '--headless=new', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync',
]

async function wasmPackTest({ wasmBindgen }) {
  const command = await wasmPack()
  const found = await browser()
  // Compiled beforehand, so that the time limit is one for the browser.
  const crate = join(root, 'wasm-tests')
  const compiled = await run('cargo', ['build', '--tests', '--target', wasmTarget], { cwd: crate })
  if (compiled.code !== 0) return { passed: 0, failed: 1, note: 'did not compile' }
  const proxy = await startProxy()
  const capabilities = join(reports, 'webdriver.json')
  // Without `<-loopback>` Chromium goes past a proxy to its own machine.
  const throughProxy = [`--proxy-server=http://${proxy.address}`, '--proxy-bypass-list=<-loopback>']
  writeFileSync(capabilities, JSON.stringify({
    'goog:chromeOptions': { binary: found.browser, args: [...quietBrowser, ...throughProxy, ...noSandbox()] },
  }, undefined, 2))
  const driver = found.chromedriver ? ['--chromedriver', found.chromedriver] : []
  const { code, output } = await run(command, ['test', '--headless', '--chrome', ...driver, '--mode', 'no-install', crate], {
    timeoutMs: 6 * minutes,
    env: {
      // The test runner of wasm-bindgen lies beside it.
      PATH: pathWith(dirname(wasmBindgen)),
      WASM_BINDGEN_TEST_WEBDRIVER_JSON: capabilities,
      WASM_BINDGEN_TEST_TIMEOUT: '120',
      WASM_BINDGEN_TEST_DRIVER_TIMEOUT: '60',
    },
  })
  proxy.close()
  if (!found.chromedriver && code !== 0) say('No chromedriver of the version of the browser was found; set CHROMEDRIVER to one.')
  return settled(rustCounts(output), code)
}

async function typeCheck() {
  const projects = [packageDir, frontendDir, join(root, 'tests')].filter((folder) => existsSync(join(folder, 'tsconfig.json')))
  const results = []
  for (const folder of projects) {
    results.push(await check(process.execPath, [packageCommand('typescript', 'tsc', folder), '--noEmit', '-p', folder]))
  }
  return settled(sum(results), 0)
}

async function typeScriptTests() {
  const tests = join(packageDir, 'ts-tests')
  const project = join(packageDir, 'tsconfig.tests.json')
  if (existsSync(project)) {
    // A test that was deleted must not live on as its old output.
    rmSync(join(tests, 'dist'), { recursive: true, force: true })
    const compiled = await check(process.execPath, [packageCommand('typescript', 'tsc', packageDir), '-p', project])
    if (compiled.failed) return { passed: 0, failed: 1, note: 'did not compile' }
  }
  const folders = [tests, join(frontendDir, 'test'), join(root, 'scripts', 'test')]
  const files = folders.flatMap((folder) => findTests(folder, testFile))
  return nodeTests(files, { env: await testEnvironment(), reportPath: join(reports, 'ts.tap'), timeoutMs: 15 * minutes, atOnce })
}

async function endToEnd() {
  const files = findTests(join(root, 'tests'), testFile)
  return nodeTests(files, { env: await testEnvironment(), reportPath: join(reports, 'e2e.tap'), timeoutMs: 25 * minutes, atOnce })
}

async function testEnvironment() {
  const { browser: path, chromedriver } = await browser()
  return { CHROME: path, CHROMIUM: path, ...(chromedriver && { CHROMEDRIVER: chromedriver }), DELIVERY_SERVICE_BINARY: serviceBinary }
}

/** Chromium refuses to run as root with its sandbox, as in a container; elsewhere it keeps it. */
const noSandbox = () => (process.getuid?.() === 0 ? ['--no-sandbox'] : [])

main(async () => {
  const only = partFromArguments()
  mkdirSync(reports, { recursive: true })
  const tools = await setUpToBuild()
  const results = []
  for (const suite of suites(tools, only)) {
    if (!only || suite.parts.includes(only)) results.push(await runSuite(suite))
  }
  const { passed, failed } = sum(results)
  say(`\n${results.map(line).join('\n')}\n`)
  process.exitCode = failed > 0 ? 1 : 0
  say(`${passed} passed, ${failed} failed`)
})

function partFromArguments() {
  const at = process.argv.indexOf('--only')
  if (at < 0) return undefined
  const part = process.argv[at + 1]
  if (['rust', 'wasm', 'ts', 'e2e'].includes(part)) return part
  throw new Problem(`--only needs one of rust, wasm, ts, e2e, not "${part ?? ''}".`)
}
