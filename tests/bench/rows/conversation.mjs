// A conversation of two: awaited calls, a thousand at once, and bytes.
import { median, ratio, spread } from '../statistics.mjs'
import { between, count, ms, msRow, ratioRow, row, times } from './row.mjs'

const limits = {
  awaited: { relaxed: 1.35, strict: 1.25 },
  digests: 1.05,
  inFlight: 1.2,
  bytesPerEncrypt: 1000,
}

/** Rows of messages of two members. */
export function conversationRows({ awaited = {}, digests = {}, inFlight = {}, bytes = {} }) {
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
  for (const [durability, { with: ours, without, both, one }] of Object.entries(digests)) {
    const onePut = spread(both.map((block, index) => (median(block) - median(one[index])) / median(without[index])))
    list.push(
      ratioRow(`digests-${durability}`, `awaited encrypt, ${durability}: with digest and root against without`, ratio(ours, without), limits.digests),
      msRow(`digests-${durability}-with-ms`, '  with', ours),
      msRow(`digests-${durability}-without-ms`, '  without', without),
      row(`digests-${durability}-put`, '  what one record more takes by raw IndexedDB: share of that', onePut.median, times, between(onePut, times)),
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
    list.push(row(`bytes-${call}`, `bytes of values written per ${call} (most; ${count(records.median)} records)`, most, count, `${Math.min(...values)} – ${most}`))
    if (call === 'encryptMessage') {
      const ofMls = written.map((one) => one.mls)
      list.push(row(`bytes-${call}-mls`, '  of those, values of MLS', Math.max(...ofMls), count, `${Math.min(...ofMls)} – ${Math.max(...ofMls)}`, limits.bytesPerEncrypt))
    }
  }
  return list
}
