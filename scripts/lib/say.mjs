// What the user reads: one line per step, what it does and how long it usually takes.

export class Problem extends Error {
  /** @param {string} what happened @param {string} [advice] what to do about it */
  constructor(what, advice) {
    super(advice ? `${what}\n  → ${advice.replaceAll('\n', '\n    ')}` : what)
    this.name = 'Problem'
  }
}

export const say = (line) => console.log(line)

/** Runs `work` between two lines: what is done (and its usual duration), and how long it took. */
export async function step(what, usually, work) {
  say(`→ ${what}${usually ? ` (usually ${usually})` : ''}`)
  const started = process.hrtime.bigint()
  const result = await work()
  say(`  done in ${seconds(started)}`)
  return result
}

export const seconds = (started) => `${(Number(process.hrtime.bigint() - started) / 1e9).toFixed(1)} s`

/** Ends the process with a message instead of a stack trace, when the failure is one we can explain. */
export function main(work) {
  work().catch((error) => {
    console.error(`\n✗ ${error instanceof Problem ? error.message : (error?.stack ?? error)}`)
    process.exitCode = 1
  })
}
