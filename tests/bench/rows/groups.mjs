// What must not grow: opening by the number of groups, messages by members and retained epochs.
import { median, ratio } from '../statistics.mjs'
import { mostRow, msRow, ratioRow, row } from './row.mjs'

const limits = { opening: 1.2, memoryPerGroup: 64, bytesPerMessage: 2000, awaited: 2 }
const bytes = (value) => `${value.toFixed(0)} B`

export function openingRows({ opening }) {
  if (opening === undefined) return []
  const { results, memory, records } = opening
  const counts = Object.keys(memory).map(Number)
  const [few, many] = [counts[0], counts.at(-1)]
  const perGroup = (Math.max(...memory[many]) - Math.max(...memory[few])) / many
  return [
    ratioRow('opening', `open → first encrypt, ${many} groups: against ${few} group`, ratio(results[`open-${many}`], results[`open-${few}`]), limits.opening),
    ...counts.flatMap((count) => [
      msRow(`opening-${count}-ms`, `  ${count} groups, ${records[count]} records`, results[`open-${count}`]),
      msRow(`opening-${count}-raw-ms`, '    raw IndexedDB: open, read the same records, write those of the message', results[`raw-${count}`]),
    ]),
    row('opening-memory', `  wasm memory after it: more with ${many} groups than with ${few}, per group`, perGroup, bytes, `${median(memory[few])} B, ${median(memory[many])} B`, limits.memoryPerGroup),
  ]
}

/** The rows of messages in groups in use; the limits are for the largest group with all retained epochs. */
export function memberRows({ groupBytes = [], groupAwaited = {}, epochsAwaited }, { native, large, retained }) {
  const list = []
  for (const { members, retained: epochs, ...operations } of groupBytes) {
    for (const [operation, written] of Object.entries(operations)) {
      const id = `bytes-${operation}-${members}-${epochs}`
      if (list.some((one) => one.id === id)) continue
      const limit = members === large && epochs === retained ? limits.bytesPerMessage : undefined
      const text = `${operation}, ${members} members who all have spoken, ${epochs} retained epochs: bytes of values`
      list.push(mostRow(id, text, written.map((one) => one.bytes), limit))
      list.push(mostRow(`${id}-keys`, '  with keys', written.map((one) => one.bytes + one.keys)))
    }
  }
  for (const [durability, results] of Object.entries(groupAwaited)) {
    const sizes = Object.keys(native).map(Number)
    const arm = (kind, members) => results[`${kind}-${members}-${retained}`]
    const text = `awaited encrypt, ${durability}, ${large} members: against ${sizes[0]} members`
    list.push(ratioRow(`awaited-members-${durability}`, text, ratio(arm('stored', large), arm('stored', sizes[0])), limits.awaited))
    for (const members of sizes) {
      list.push(
        msRow(`awaited-members-${durability}-${members}-ms`, `  ${members} members`, arm('stored', members)),
        msRow(`awaited-members-${durability}-${members}-memory-ms`, '    in memory', arm('memory', members), native[members].encrypt),
        msRow(`awaited-members-${durability}-${members}-raw-ms`, '    raw IndexedDB, the same bytes', arm('raw', members)),
      )
    }
  }
  for (const [arm, blocks] of Object.entries(epochsAwaited ?? {})) {
    const [kind, members, epochs] = arm.split('-')
    if (kind === 'stored') list.push(msRow(`awaited-epochs-${epochs}-ms`, `awaited encrypt, relaxed, ${members} members, ${epochs} retained epochs`, blocks))
  }
  return list
}
