// npm run bench [-- --check] [--quick] [--share <n>] [--only <name>] [--profile]: what durability costs, as ratios within one run, in Chromium.
// npm run bench -- --soak [<messages>]: long use instead; see soak.mjs.
//
//   --check    exit code 1 if a limit is missed
//   --quick    fewer blocks: to see that it runs, not to judge by
//   --share    that share of the usual number of blocks
//   --only     only what begins with that name in plan.mjs
//   --profile  writes a .cpuprofile of each measurement (open it in the devtools); the numbers then suffer
//
// Every ratio compares blocks that ran next to each other in the same page, in an order that alternates; its spread is that
// of the pairs of blocks. The results are in bench-results/: latest.html to read, latest.json for machines.
//
// | file or folder | what it holds |
// |---|---|
// | `plan` | what is measured, in which order and how often |
// | `page/` | the measurements themselves, in the browser |
// | `fixture` | what the native build prepares: groups in use |
// | `rows/` | from samples to numbers with limits |
// | `report/` | numbers for people: a table, and a page with charts |
// | `browser`, `server`, `statistics` | what these use |
import { writeFileSync } from 'node:fs'
import { cpus, loadavg } from 'node:os'
import { join } from 'node:path'
import { Problem, main, say } from '../../scripts/lib/say.mjs'
import { BenchBrowser, resultsDir } from './browser.mjs'
import { memberCounts, prepareFixture } from './fixture.mjs'
import { measureAll } from './plan.mjs'
import { html } from './report/html.mjs'
import { codecText } from './report/codecs.mjs'
import { table } from './report/table.mjs'
import { sections } from './rows/index.mjs'
import { runSoak } from './soak.mjs'

const option = (name) => process.argv.includes(`--${name}`)
const valueOf = (name) => {
  const at = process.argv.indexOf(`--${name}`)
  return at === -1 || process.argv[at + 1]?.startsWith('--') ? undefined : process.argv[at + 1]
}

main(async () => {
  if (option('soak')) return runSoak(Number(valueOf('soak') ?? 200_000))
  const { native, codecs } = await prepareFixture()
  const started = new Date()
  const browser = await BenchBrowser.start({ recordsProfiles: option('profile') })
  let samples
  try {
    samples = await measureAll(browser, { share: Number(valueOf('share') ?? (option('quick') ? 0.1 : 1)), only: valueOf('only') })
  } finally {
    await browser.close()
  }
  const about = { native, large: memberCounts.at(-1), retained: 10 }
  report({ machine: machine(browser.version), started, isQuick: option('quick'), about, codecs, sections: sections(samples, about), samples })
})

const machine = (browser) => ({
  browser: `Chromium ${browser}`, processor: cpus()[0]?.model, processors: cpus().length, load: loadavg()[0], system: `${process.platform} ${process.arch}`,
})

function report(result) {
  const { sections, machine, codecs } = result
  const file = join(resultsDir, `${result.started.toISOString().replaceAll(':', '-')}.json`)
  for (const path of [file, join(resultsDir, 'latest.json')]) writeFileSync(path, JSON.stringify(result))
  writeFileSync(join(resultsDir, 'latest.html'), html(result))
  say(`\n256-byte messages; ${machine.browser}, ${machine.processors} × ${machine.processor}, load ${machine.load.toFixed(1)}\n`)
  say(table(sections))
  say(`\n${codecText(codecs)}`)
  if (machine.load > machine.processors) say('\nOther processes kept the machine busy: see how far apart the quartiles are, and repeat.')
  const limited = sections.flatMap(({ rows }) => rows).filter((row) => row.pass !== undefined)
  const missed = limited.filter((row) => !row.pass)
  say(`\n${limited.length - missed.length} of ${limited.length} limits kept${result.isQuick ? ' (a quick run: not to judge by)' : ''}. ${join(resultsDir, 'latest.html')}; samples: ${file}`)
  if (missed.length > 0) {
    const text = `Over the limit: ${missed.map((row) => row.id).join(', ')}.`
    if (option('check')) throw new Problem(text)
    say(text)
  }
}
