// Many calls at once, commits, what takes long, and sizes.
import { median, ratio, spread } from '../statistics.mjs'
import { between, kB, mostRow, ms, msRow, ratioRow, row, times } from './row.mjs'

const limits = {
  encryptsAtOnce: { few: 1.15, many: 1.2 },
  decryptsAtOnce: 1.3,
  merge: { bytes: 32_000, storage: 0.1 },
  longOperation: 1.25,
  longTask: 50,
  disk: 2,
  wasm: { raw: 2_000_000, brotli: 450_000 },
}

/** A thousand calls at once, in groups in use. */
export function atOnceRows({ encryptsAtOnce = {}, decryptsAtOnce = {} }, { large }) {
  const list = []
  for (const [what, sizes] of Object.entries({ encryptsAtOnce, decryptsAtOnce })) {
    const verb = what === 'encryptsAtOnce' ? 'encrypts' : 'decrypts'
    for (const [members, byDurability] of Object.entries(sizes)) {
      for (const [durability, { stored, memory, received }] of Object.entries(byDurability)) {
        const id = `${verb}-at-once-${members}-${durability}`
        const limit = what === 'decryptsAtOnce' ? limits.decryptsAtOnce : limits.encryptsAtOnce[Number(members) === large ? 'many' : 'few']
        list.push(
          ratioRow(id, `1000 ${verb} at once, ${members} members, ${durability}: against in memory`, ratio(stored, memory), limit),
          msRow(`${id}-ms`, `  1000 ${verb} at once`, stored),
          msRow(`${id}-memory-ms`, '  in memory, one after the other', memory),
        )
        if (received) list.push(msRow(`${id}-received-ms`, '  1000 receiveMessage at once (with items of the inbox)', received))
      }
    }
  }
  return list
}

/**
 * The own commit. Its storage part cannot be seen alone in wasm, where OpenMLS merges and stores in one call: it is taken to be
 * the same share of the merge as natively, plus handing over the changes, plus the transaction. Above it, the most it can be:
 * the whole merge.
 */
export function commitRows({ selfUpdates = {} }, { native, large }) {
  const list = []
  for (const [members, { results, written }] of Object.entries(selfUpdates)) {
    const is = Number(members) === large
    const natively = native[members]
    const { storage } = natively
    const part = (arm, name) => results[arm].map(([one]) => one[name])
    const share = Math.min(1, storage.storedInMerge / storage.merge)
    const shares = (stored) => spread(results.memory.map(([one]) => {
      const inStore = one.merge * stored
      return (inStore + one.drain + one.write) / (one.commit + one.merge - inStore)
    }))
    const [estimate, most] = [shares(share), shares(1)]
    const ofNative = (storage.storedInMerge + storage.drain) / storage.crypto
    list.push(
      mostRow(`merge-bytes-${members}`, `merge of an own commit, ${members} members: bytes of values`, written.map((one) => one.bytes), is ? limits.merge.bytes : undefined),
      mostRow(`merge-bytes-${members}-keys`, '  with keys', written.map((one) => one.bytes + one.keys)),
      row(`merge-storage-${members}`, '  its storage part (share of the merge as natively + drain + transaction): against the commit’s crypto', estimate.median, times, between(estimate, times), is ? limits.merge.storage : undefined),
      row(`merge-storage-${members}-most`, '    at most (all of the merge + drain + transaction)', most.median, times, between(most, times)),
      row(`merge-storage-${members}-native`, '    natively (time inside GranularStorage + drain), no transaction', ofNative, times, '', is ? limits.merge.storage : undefined),
      msRow(`self-update-${members}-ms`, '  selfUpdate, in memory', part('memory', 'commit'), natively.selfUpdate),
      msRow(`merge-${members}-memory-ms`, '  merge, in memory', part('memory', 'merge'), natively.merge),
      msRow(`merge-${members}-drain-ms`, '    handing over its changes', part('memory', 'drain'), storage.drain),
      msRow(`merge-${members}-raw-ms`, '    raw IndexedDB, the same bytes', part('memory', 'write')),
      msRow(`self-update-${members}-stored-ms`, '  selfUpdate, awaited', part('stored', 'commit')),
      msRow(`merge-${members}-stored-ms`, '  merge, awaited', part('stored', 'merge')),
    )
  }
  return list
}

/** What takes long. */
export function longRows(samples, { native, large }) {
  const natively = { ...native[large].large, processCommits: native[large].processCommit }
  const operations = [
    ['addAll', `add ${large - 2} members at once`, natively.add],
    ['join', `join a group of ${large}`, natively.join],
    ['processCommits', `process a commit, ${large} members`, natively.processCommits],
  ]
  return operations.filter(([name]) => samples[name]).flatMap(([name, text, took]) => {
    const { results, longTasks } = samples[name]
    return [
      ratioRow(`${name}-page`, `${text}, on the page: against in memory`, ratio(results.page, results.memory), limits.longOperation),
      ratioRow(`${name}-worker`, `${text}, in a worker: against in memory`, ratio(results.worker, results.memory), limits.longOperation),
      row(`${name}-long-task`, '  the longest that the page was blocked meanwhile, in a worker', Math.max(...longTasks), ms, 'tasks under 50 ms count as 0', limits.longTask),
      msRow(`${name}-page-ms`, '  on the page', results.page),
      msRow(`${name}-worker-ms`, '  in a worker', results.worker),
      msRow(`${name}-memory-ms`, '  in memory', results.memory, took),
    ]
  })
}

/** On the disk, and to download. */
export function sizeRows({ disk, wasm = {} }) {
  const list = []
  if (disk) {
    const [few, many] = Object.keys(disk)
    for (const [kind, text] of [['folder', 'folder of the database after closing the browser'], ['estimate', 'navigator.storage.estimate()']]) {
      const against = disk[many][kind] / disk[few][kind]
      list.push(row(`disk-${kind}`, `${text}, ${many} messages in a group of 100: against ${few}`, against, times, `${kB(disk[few][kind])}, ${kB(disk[many][kind])}`, limits.disk))
    }
  }
  for (const [kind, size] of Object.entries(wasm)) list.push(row(`wasm-${kind}`, `openmls_wasm_bg.wasm, ${kind}`, size, kB, '', limits.wasm[kind]))
  return list
}

/** The middle of each arm, for the charts. */
export const middle = (blocks) => median(blocks.flat())
