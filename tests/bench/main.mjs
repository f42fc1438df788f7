// npm run bench [-- --check] [--quick] [--profile]: what durability costs, as ratios within one run, in Chromium.
//
//   --check    exit code 1 if a limit is missed
//   --quick    fewer blocks: to see that it runs, not to judge by
//   --profile  writes a .cpuprofile of each measurement (open it in the devtools); the numbers then suffer
//
// Every ratio compares blocks that ran next to each other in the same page, in an order that alternates; its spread is that
// of the pairs of blocks. The profile of the browser is on the disk, so `strict` means what it means to a user.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, loadavg } from 'node:os'
import { join } from 'node:path'
import { brotliCompressSync, constants } from 'node:zlib'
import { chromium } from 'playwright-core'
import { packageDir, root } from '../../scripts/lib/paths.mjs'
import { Problem, main, say, step } from '../../scripts/lib/say.mjs'
import { ensureBrowser } from '../../scripts/setup/browser.mjs'
import { rows, table } from './report.mjs'
import { startServer } from './server.mjs'

const option = (name) => process.argv.includes(`--${name}`)
const share = option('quick') ? 0.1 : 1
const times = (number) => Math.max(2, Math.round(number * share))
const durabilities = ['relaxed', 'strict']
const calls = 1000
const resultsDir = join(root, 'bench-results')

const args = [
  '--headless=new', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync',
  '--disable-background-timer-throttling', '--disable-renderer-backgrounding',
  ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
]

main(async () => {
  mkdirSync(resultsDir, { recursive: true })
  const executablePath = process.env.CHROME ?? (await ensureBrowser()).browser
  const server = await startServer()
  const profile = mkdtempSync(join(resultsDir, 'profile-'))
  const context = await chromium.launchPersistentContext(profile, { executablePath, args })
  try {
    const samples = await measureAll(context, server.origin)
    const list = rows(samples)
    report(list, samples, context.browser()?.version() ?? 'unknown')
  } finally {
    await context.close()
    server.close()
    rmSync(profile, { recursive: true, force: true })
  }
})

async function measureAll(context, origin) {
  const samples = { awaited: {}, inFlight: {}, bytes: {}, wasm: wasmSizes() }
  for (const durability of durabilities) {
    samples.awaited[durability] = await step(`Awaited encrypts, ${durability}`, '15 s', () =>
      measure(context, origin, 'awaited', { durability, blocks: times(60), warmUp: times(8), perBlock: 20 }))
  }
  for (const durability of durabilities) {
    const measured = await step(`${calls} calls at once, ${durability}`, '1 min', () =>
      measure(context, origin, 'inFlight', { durability, blocks: times(40), blocksOfSends: times(12), warmUp: 3, calls }))
    samples.inFlight[durability] = { ...measured, calls }
  }
  samples.bytes = await step('Bytes written', '5 s', () => measure(context, origin, 'bytesWritten', { rounds: times(300) }))
  return samples
}

/** One measurement, in a page of its own: none inherits the garbage of another. */
async function measure(context, origin, name, options) {
  const page = await context.newPage()
  page.on('pageerror', (error) => say(`✗ in the page: ${error.message}`))
  try {
    await page.goto(origin, { waitUntil: 'load' })
    if (!(await page.evaluate(() => crossOriginIsolated))) throw new Problem('The page is not cross-origin isolated: its clock is too coarse.')
    const profiler = option('profile') ? await startProfile(page) : undefined
    const result = await page.evaluate(([run, how]) => window.bench[run](how), [name, options])
    await profiler?.(`${name}-${options.durability ?? 'any'}`)
    return result
  } finally {
    await page.close()
  }
}

async function startProfile(page) {
  const session = await page.context().newCDPSession(page)
  await session.send('Profiler.enable')
  await session.send('Profiler.setSamplingInterval', { interval: 100 })
  await session.send('Profiler.start')
  return async (name) => {
    const { profile } = await session.send('Profiler.stop')
    writeFileSync(join(resultsDir, `${name}.cpuprofile`), JSON.stringify(profile))
  }
}

function wasmSizes() {
  const wasm = readFileSync(join(packageDir, 'pkg', 'openmls_wasm_bg.wasm'))
  const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: wasm.length }
  return { raw: wasm.length, brotli: brotliCompressSync(wasm, { params }).length }
}

function report(list, samples, browser) {
  const machine = { browser: `Chromium ${browser}`, processor: cpus()[0]?.model, processors: cpus().length, load: loadavg()[0] }
  const file = join(resultsDir, `${new Date().toISOString().replaceAll(':', '-')}.json`)
  writeFileSync(file, JSON.stringify({ machine, rows: list, samples }))
  writeFileSync(join(resultsDir, 'latest.json'), JSON.stringify({ machine, rows: list, samples }))
  say(`\n2 members, 256-byte messages; ${machine.browser}, ${machine.processors} × ${machine.processor}, load ${machine.load.toFixed(1)}\n`)
  say(table(list))
  if (machine.load > machine.processors) say('\nOther processes kept the machine busy: see how far apart the quartiles are, and repeat.')
  const missed = list.filter((one) => one.pass === false)
  const limited = list.filter((one) => one.pass !== undefined)
  say(`\n${limited.length - missed.length} of ${limited.length} limits kept. Samples: ${file}`)
  if (missed.length > 0 && option('check')) throw new Problem(`Over the limit: ${missed.map((one) => one.id).join(', ')}.`)
}
