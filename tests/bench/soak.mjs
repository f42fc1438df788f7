// npm run bench -- --soak [<messages>, default 200000]: long use of one database. Many groups with little memory, so that they
// come and go; commits; entries that are delivered twice; the client closed and opened again now and then.
//
// It stops at the first message that is lost or read twice, and fails if the memory of the wasm grows.
import { Problem, say } from '../../scripts/lib/say.mjs'
import { BenchBrowser } from './browser.mjs'
import { quantile } from './statistics.mjs'

const groups = 50
// A group of two takes some 4 kB: a fifth of them has room.
const memoryLimit = 50_000
const parts = 100
const bundle = 20
// Opened anew often, but not at the beginning and in the last quarter: a leak would be seen there.
const isReopenedAfter = (part) => part % 5 === 0 && part > 10 && part <= 75
const limit = 1.05

export async function runSoak(messages) {
  if (!Number.isInteger(messages) || messages < parts * bundle) throw new Problem(`--soak needs a number of messages, ${parts * bundle} or more.`)
  const perPart = Math.ceil(messages / parts / bundle) * bundle
  const browser = await BenchBrowser.start()
  try {
    const page = await browser.open()
    const call = (name, options) => page.evaluate(([run, how]) => window.bench[run](how), [name, options])
    say(`→ ${perPart * parts} messages in ${groups} groups`)
    await call('startSoak', { groups, memoryLimit })
    const memory = []
    const started = Date.now()
    for (let part = 1; part <= parts; part += 1) {
      const seen = await call('soak', { messages: perPart, bundle, commitEvery: 100 })
      if (seen.wrong.length > 0) throw new Problem(`After ${seen.sent} messages: ${seen.wrong.join('; ')}.`)
      memory.push(seen.memory)
      if (isReopenedAfter(part)) {
        const { left } = await call('reopenSoak')
        if (left > 0) throw new Problem(`After ${seen.sent} messages: ${left} acknowledged items were handed over again.`)
      }
      if (part % 5 === 0) {
        say(`  ${seen.sent} messages, each read once; ${(seen.memory / 1e6).toFixed(2)} MB of wasm memory; ${Math.round((Date.now() - started) / 1000)} s`)
      }
    }
    const tenth = parts / 10
    const middle = (samples) => quantile(samples, 0.5)
    const growth = middle(memory.slice(-tenth)) / middle(memory.slice(0, tenth))
    const text = `wasm memory, the last tenth against the first: ${growth.toFixed(3)}×, limit ${limit}×`
    if (growth > limit) throw new Problem(text)
    say(`\n${perPart * parts} messages, every one read once; ${text}: pass`)
  } finally {
    await browser.close()
  }
}
