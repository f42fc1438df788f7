// Many calls at once, commits, what takes long, and sizes.
import { ratio, spread } from '../statistics.mjs'
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
 * the awaited merge, transaction and all, less what OpenMLS does in it, which is the same share of the merge in memory as natively.
 * Above it, the most it can be: the whole awaited merge.
 */
export function commitRows({ selfUpdates = {} }, { native, large }) {
  const kinds = {
    alice: ['', `${large} members, a tree in use`, native[large].storage],
    fresh: ['-fresh', `${large} members, the first commit after adding all`, native[large].storageFresh],
  }
  const list = []
  for (const [member, { results, written }] of Object.entries(selfUpdates)) {
    const [suffix, text, storage] = kinds[member]
    const id = (name) => `${name}${suffix}`
    const part = (arm, name) => results[arm].map(([one]) => one[name])
    const share = Math.min(1, storage.storedInMerge / storage.merge)
    const shares = (stored) => spread(results.memory.map(([one], block) => {
      const ofOpenMls = one.merge * (1 - stored)
      return (results.stored[block][0].merge - ofOpenMls) / (one.commit + ofOpenMls)
    }))
    const [estimate, most] = [shares(share), shares(1)]
    const floor = spread(results.memory.map(([one]) => one.write / one.commit))
    const least = spread(results.memory.map(([one]) => one.writeOne / one.commit))
    const natively = (storage.storedInMerge + storage.drain) / storage.crypto
    list.push(
      mostRow(id('merge-bytes'), `merge of an own commit, ${text}: bytes of values`, written.map((one) => one.bytes), limits.merge.bytes),
      mostRow(id('merge-bytes-keys'), '  with keys', written.map((one) => one.bytes + one.keys)),
      mostRow(id('merge-records'), '  records put and deleted', written.map((one) => one.records)),
      row(id('merge-storage'), `  storage part of a merge, ${text}: against the commit’s crypto`, estimate.median, times, between(estimate, times), limits.merge.storage),
      row(id('merge-storage-most'), '    at most: all of the awaited merge', most.median, times, between(most, times)),
      row(id('merge-storage-raw'), '    one raw transaction of the same records', floor.median, times, between(floor, times)),
      row(id('merge-storage-least'), '    at least: one raw transaction of as many bytes in one record', least.median, times, between(least, times)),
      row(id('merge-storage-native'), `  storage part of a merge, ${text}, natively, without a transaction`, natively, times, `${ms(storage.storedInMerge + storage.drain)}, ${ms(storage.crypto)}`, limits.merge.storage),
      msRow(id('self-update-ms'), '  selfUpdate, in memory', part('memory', 'commit'), suffix === '' ? native[large].selfUpdate : undefined),
      msRow(id('merge-memory-ms'), '  merge, in memory', part('memory', 'merge'), storage.merge),
      msRow(id('merge-drain-ms'), '    handing over its changes', part('memory', 'drain'), storage.drain),
      msRow(id('merge-raw-ms'), '    raw IndexedDB, the same records', part('memory', 'write')),
      msRow(id('self-update-stored-ms'), '  selfUpdate, awaited', part('stored', 'commit')),
      msRow(id('merge-stored-ms'), '  merge, awaited', part('stored', 'merge')),
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
    ['endEpoch', `process the first commit after all ${large} have spoken`],
  ]
  return operations.filter(([name]) => samples[name]).flatMap(([name, text, took]) => {
    const { results, longTasks } = samples[name]
    return [
      ratioRow(`${name}-page`, `${text}, on the page: against in memory`, ratio(results.page, results.memory), limits.longOperation),
      ratioRow(`${name}-worker`, `${text}, in a worker: against in memory`, ratio(results.worker, results.memory), limits.longOperation),
      ...(results.raw ? [ratioRow(`${name}-raw`, '  in memory + one raw transaction of the same records: against in memory', ratio(results.raw, results.memory))] : []),
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
  for (const [run, sizes] of Object.entries(disk ?? {})) {
    const [few, many, ...more] = Object.keys(sizes)
    const suffix = { fillDisk: '', fillDiskRaw: '-raw', fillDiskLeast: '-least' }[run]
    const baseline = { fillDiskRaw: `${many} times the same keys`, fillDiskLeast: `${many} times 16 bytes under one key` }[run]
    const against = (kind, messages = many) => sizes[messages][kind] / sizes[few][kind]
    const text = { folder: 'folder of the database after closing the browser', estimate: 'navigator.storage.estimate()', most: 'the most that it says on the way' }
    for (const kind of Object.keys(text)) {
      const what = baseline === undefined ? `${text[kind]}, ${many} messages in a group of 100` : `  ${text[kind]}, raw IndexedDB, ${baseline}`
      const limit = baseline === undefined && kind !== 'most' ? limits.disk : undefined
      list.push(row(`disk-${kind}${suffix}`, `${what}: against ${few}`, against(kind), times, `${kB(sizes[few][kind])}, ${kB(sizes[many][kind])}`, limit))
    }
    for (const messages of more) {
      list.push(row(`disk-folder-${messages}`, `  folder, ${messages} messages: against ${few}`, against('folder', messages), times, kB(sizes[messages].folder)))
    }
  }
  for (const [kind, size] of Object.entries(wasm)) list.push(row(`wasm-${kind}`, `openmls_wasm_bg.wasm, ${kind}`, size, kB, '', limits.wasm[kind]))
  return list
}
