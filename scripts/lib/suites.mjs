// How the counts of the test tools are read, and how a suite is run so that no failure goes uncounted.
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join, relative } from 'node:path'
import { root } from './paths.mjs'
import { run } from './run.mjs'
import { Problem, say, seconds } from './say.mjs'

/** @typedef {{passed: number, failed: number, skipped?: number}} Counts */

/** The `test result:` lines of cargo test and of wasm-bindgen-test-runner. @returns {Counts} */
export function rustCounts(output) {
  const counts = { passed: 0, failed: 0, skipped: 0 }
  for (const [, passed, failed, ignored] of output.matchAll(/test result: \S+\. (\d+) passed; (\d+) failed; (\d+) ignored/g)) {
    counts.passed += Number(passed)
    counts.failed += Number(failed)
    counts.skipped += Number(ignored)
  }
  return counts
}

/** The totals at the end of node's TAP report. @returns {Counts} */
export function tapCounts(report) {
  const total = (name) => Number(report.match(new RegExp(`^# ${name} (\\d+)$`, 'm'))?.[1] ?? 0)
  return { passed: total('pass'), failed: total('fail') + total('cancelled'), skipped: total('skipped') + total('todo') }
}

/** A tool that only says yes or no counts as one. */
export async function check(command, args, options = {}) {
  const { code } = await run(command, args, options)
  return code === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 }
}

/** Makes a failure that no test reported (did not compile, crashed, hung, ran nothing) count as one. */
export function settled(counts, code) {
  if (code === -2) return { ...counts, failed: counts.failed + 1, note: 'stopped: took too long' }
  if (code !== 0 && counts.failed === 0) return { ...counts, failed: 1, note: 'failed outside any test' }
  if (counts.passed + counts.failed === 0) return { ...counts, failed: 1, note: 'ran no tests' }
  return counts
}

export const sum = (parts) => ({
  passed: parts.reduce((total, part) => total + part.passed, 0),
  failed: parts.reduce((total, part) => total + part.failed, 0),
  skipped: parts.reduce((total, part) => total + (part.skipped ?? 0), 0),
  note: parts.map((part) => part.note).filter(Boolean).join('; ') || undefined,
})

/** Runs one suite under a header. Never throws. */
export async function runSuite({ name, run: work }) {
  say(`\n━━━ ${name} ━━━`)
  const started = process.hrtime.bigint()
  let counts
  try {
    counts = await work()
  } catch (error) {
    console.error(`✗ ${error instanceof Problem ? error.message : error.stack}`)
    counts = { passed: 0, failed: 1, note: 'could not run' }
  }
  const result = { skipped: 0, ...counts, name, took: seconds(started) }
  say(`━━━ ${line(result)}`)
  return result
}

export function line({ name, passed, failed, skipped, took, note }) {
  const more = [skipped ? `${skipped} skipped` : '', note ?? ''].filter(Boolean).join(', ')
  return `${failed ? '✗' : '✓'} ${name.padEnd(34)} ${String(passed).padStart(5)} passed ${String(failed).padStart(4)} failed ${took.padStart(9)}${more ? `   (${more})` : ''}`
}

/** Files under `folder` whose name matches, in a stable order. @returns {string[]} paths relative to the repository */
export function findTests(folder, pattern) {
  const found = []
  const walk = (path) => {
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      if (entry.name === 'node_modules') continue
      const below = join(path, entry.name)
      if (entry.isDirectory()) walk(below)
      else if (pattern.test(entry.name)) found.push(relative(root, below))
    }
  }
  if (existsSync(folder)) walk(folder)
  return found.sort()
}

/** Runs files with node's own test runner. */
export async function nodeTests(files, { env, reportPath, timeoutMs, atOnce }) {
  if (files.length === 0) return settled({ passed: 0, failed: 0 }, 0)
  const { code } = await run(process.execPath, [
    '--test',
    `--test-concurrency=${atOnce}`,
    '--test-reporter=spec', '--test-reporter-destination=stdout',
    '--test-reporter=tap', `--test-reporter-destination=${reportPath}`,
    ...files,
  ], { env, timeoutMs })
  const report = existsSync(reportPath) ? readFileSync(reportPath, 'utf8') : ''
  return settled(tapCounts(report), code)
}
