// From samples to verdicts: one row per number, with its limit where it has one.
import { ratio, spread } from './statistics.mjs'

const limits = {
  awaited: { relaxed: 1.35, strict: 1.25 },
  inFlight: 1.2,
  bytesPerEncrypt: 1000,
  wasm: { raw: 2_000_000, brotli: 450_000 },
}

const times = (value) => `${value.toFixed(2)}×`
const ms = (value) => `${value.toFixed(value < 10 ? 3 : 1)} ms`
const kB = (value) => `${(value / 1000).toFixed(1)} kB`
const count = (value) => `${Math.round(value)}`
const between = ({ low, high }, show) => `${show(low)} – ${show(high)}`

/** A number with a limit: `pass` is undefined for those that have none. */
function row(id, text, value, show, spreadText, limit) {
  return { id, text, value, shown: show(value), spread: spreadText, limit: limit && show(limit), pass: limit === undefined ? undefined : value <= limit }
}

/** @returns {{id: string, text: string, value: number, shown: string, spread: string, limit?: string, pass?: boolean}[]} */
export function rows({ awaited, inFlight, bytes, wasm }) {
  const list = []
  for (const [durability, { measured, baseline, send }] of Object.entries(awaited)) {
    const against = ratio(measured, baseline)
    const [ours, theirs, sends] = [measured, baseline, send].map((blocks) => spread(blocks.flat()))
    list.push(
      row(`awaited-${durability}`, `awaited encrypt, ${durability}: against encrypt in memory + raw transaction`, against.median, times, between(against, times), limits.awaited[durability]),
      row(`awaited-${durability}-ms`, '  awaited encrypt', ours.median, ms, between(ours, ms)),
      row(`awaited-${durability}-baseline-ms`, '  encrypt in memory + raw transaction', theirs.median, ms, between(theirs, ms)),
      row(`awaited-${durability}-send-ms`, '  awaited sendMessage (with its inbox and outbox records)', sends.median, ms, between(sends, ms)),
    )
  }
  for (const [durability, { results, transactions, calls }] of Object.entries(inFlight)) {
    const { encrypts, sends } = results
    const encrypt = ratio(encrypts.encrypt, encrypts.aloneEncrypt)
    const history = ratio(sends.send, sends.encrypt)
    const loop = ratio(sends.send, sends.rawSend)
    const [together, alone, sent] = [encrypts.encrypt, encrypts.aloneEncrypt, sends.send].map((blocks) => spread(blocks.flat()))
    list.push(
      row(`in-flight-${durability}`, `${calls} encrypts at once, ${durability}, all durable: against MlsClient alone`, encrypt.median, times, between(encrypt, times), limits.inFlight),
      row(`in-flight-${durability}-ms`, `  ${calls} encrypts at once`, together.median, ms, between(together, ms)),
      row(`in-flight-${durability}-alone-ms`, `  ${calls} encrypts by MlsClient alone`, alone.median, ms, between(alone, ms)),
      row(`in-flight-${durability}-send-ms`, `  ${calls} sendMessage at once`, sent.median, ms, between(sent, ms)),
      row(`in-flight-${durability}-history`, '  what history records add: sendMessage against encryptMessage, both durable', history.median, times, between(history, times)),
      row(`in-flight-${durability}-send-raw`, '  of which ours: sendMessage against MlsClient alone + raw transaction', loop.median, times, between(loop, times)),
      row(`in-flight-${durability}-transactions`, '  transactions for one block of calls', Math.max(...transactions), count, `${Math.min(...transactions)} – ${Math.max(...transactions)}`),
    )
  }
  for (const [call, written] of Object.entries(bytes)) {
    const values = written.map((one) => one.bytes)
    const most = Math.max(...values)
    const records = spread(written.map((one) => one.records))
    const limit = call === 'encryptMessage' ? limits.bytesPerEncrypt : undefined
    list.push(row(`bytes-${call}`, `bytes of values written per ${call} (most; ${count(records.median)} records)`, most, count, `${Math.min(...values)} – ${most}`, limit))
  }
  for (const [kind, size] of Object.entries(wasm)) {
    list.push(row(`wasm-${kind}`, `openmls_wasm_bg.wasm, ${kind}`, size, kB, '', limits.wasm[kind]))
  }
  return list
}

/** The rows as a table for people. */
export function table(list) {
  const head = { text: 'what', shown: 'median', spread: 'quartiles or range', limit: 'limit', verdict: '' }
  const lines = list.map((one) => ({ ...one, limit: one.limit ?? '', verdict: one.pass === undefined ? '' : one.pass ? 'pass' : 'MISS' }))
  const widths = Object.fromEntries(['text', 'shown', 'spread', 'limit'].map((key) => [key, Math.max(...[head, ...lines].map((line) => line[key].length))]))
  return [head, ...lines]
    .map((line) => `${line.text.padEnd(widths.text)}  ${line.shown.padStart(widths.shown)}  ${line.spread.padStart(widths.spread)}  ${line.limit.padStart(widths.limit)}  ${line.verdict}`.trimEnd())
    .join('\n')
}
