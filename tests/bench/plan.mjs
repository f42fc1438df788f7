// What is measured, in which order and how often.
import { readFileSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { brotliCompressSync, constants } from 'node:zlib'
import { packageDir } from '../../scripts/lib/paths.mjs'
import { step } from '../../scripts/lib/say.mjs'
import { BenchBrowser } from './browser.mjs'
import { groupCount, memberCounts } from './fixture.mjs'

const durabilities = ['relaxed', 'strict']
const calls = 1000
const large = memberCounts.at(-1)
const epochs = [0, 2, 5, 10]
/** As many epochs as are retained by default. */
const retained = 10

// In the prepared groups ten epochs are retained in which everybody has spoken. With each commit one of them goes, all its
// records with it; after ten the next to go is one in which nobody has. So a page measures no more commits than these.
const commits = { blocks: 8, warmUp: 2 }

/** Samples of several pages as those of one. */
const joined = (one, other) =>
  Array.isArray(one) ? [...one, ...other] : Object.fromEntries(Object.keys(one).map((key) => [key, joined(one[key], other[key])]))

/**
 * @param {BenchBrowser} browser
 * @param {{share: number, only?: string}} how `share`: of the usual number of blocks; `only`: what begins with that
 */
export async function measureAll(browser, { share, only }) {
  const times = (number) => Math.max(2, Math.round(number * share))
  const samples = {}
  const measure = async (name, what, usually, work) => {
    if (only === undefined || name.startsWith(only)) samples[name] = await step(what, usually, work)
  }
  const each = async (list, work) => {
    const entries = []
    for (const one of list) entries.push([one, await work(one)])
    return Object.fromEntries(entries)
  }

  const again = async (count, work) => {
    let all = await work()
    for (let n = 1; n < count; n += 1) all = joined(all, await work())
    return all
  }

  await measure('awaited', 'Awaited encrypts', '30 s', () =>
    each(durabilities, (durability) => browser.measure('awaited', { durability, blocks: times(60), warmUp: times(8), perBlock: 20 })))
  await measure('digests', 'Awaited encrypts, with and without digests', '30 s', () =>
    each(durabilities, (durability) => browser.measure('digestsAwaited', { durability, blocks: times(60), warmUp: times(8), perBlock: 20 })))
  await measure('inFlight', `${calls} calls at once`, '2 min', () =>
    each(durabilities, async (durability) => ({
      ...(await browser.measure('inFlight', { durability, blocks: times(40), blocksOfSends: times(12), warmUp: 3, calls })),
      calls,
    })))
  await measure('bytes', 'Bytes written, 2 members', '5 s', () => browser.measure('bytesWritten', { rounds: times(300) }))

  await measure('opening', 'Opening, by the number of groups', '1 min', () =>
    browser.measure('opening', { counts: [1, 10, 100, 1000, groupCount], blocks: times(40), warmUp: 3, durability: 'strict' }))
  await measure('groupBytes', 'Bytes written, by members and retained epochs', '20 s', async () => {
    const rounds = times(200)
    const groups = [...memberCounts.map((members) => ({ members, retained })), ...epochs.map((count) => ({ members: large, retained: count }))]
    const measured = []
    for (const group of groups) measured.push({ ...group, ...(await browser.measure('bytesPerMessage', { ...group, rounds })) })
    return measured
  })
  await measure('groupAwaited', 'Awaited encrypts, by members', '1 min', () =>
    each(durabilities, (durability) =>
      browser.measure('awaitedByGroup', {
        groups: memberCounts.map((members) => ({ members, retained })), durability, blocks: times(40), warmUp: times(5), perBlock: 10,
      })))
  await measure('epochsAwaited', 'Awaited encrypts, by retained epochs', '30 s', () =>
    browser.measure('awaitedByGroup', {
      groups: epochs.map((count) => ({ members: large, retained: count })), durability: 'relaxed', blocks: times(30), warmUp: times(5), perBlock: 10,
    }))
  for (const [name, run, what] of [['encryptsAtOnce', 'encryptsAtOnce', 'encrypts'], ['decryptsAtOnce', 'decryptsAtOnce', 'decrypts']]) {
    await measure(name, `${calls} ${what} at once, in groups in use`, '3 min', () =>
      each([2, large], (members) => each(durabilities, (durability) => browser.measure(run, { members, durability, blocks: times(20), warmUp: 2, calls }))))
  }
  await measure('selfUpdates', `Own commits, ${large} members`, '1 min', () =>
    each(['alice', 'fresh'], (member) =>
      again(times(4), () => browser.measure('selfUpdates', { member, members: large, durability: 'strict', ...commits }))))
  await measure('processCommits', `Processing commits, ${large} members`, '1 min', () =>
    again(times(4), () => browser.measure('processCommits', { members: large, durability: 'strict', ...commits })))
  for (const [name, what, blocks] of [['addAll', `Adding ${large - 2} members`, 6], ['join', `Joining ${large} members`, 10], ['endEpoch', `Ending an epoch in which ${large} have spoken`, 10]]) {
    await measure(name, what, '1 min', () => browser.measure(name, { members: large, durability: 'strict', blocks: times(blocks), warmUp: 1 }))
  }
  await measure('vaultAwaited', 'Awaited encrypts, sealed', '30 s', () =>
    each(durabilities, (durability) => browser.measure('vaultAwaited', { durability, blocks: times(60), warmUp: times(8), perBlock: 20 })))
  await measure('vaultOpening', `Opening ${groupCount} groups, sealed`, '2 min', () =>
    browser.measure('vaultOpening', { count: groupCount, durability: 'strict', blocks: times(40), warmUp: 3 }))
  await measure('disk', 'Size on the disk', '1 min', async () => {
    const [few, many] = [100, Math.max(1000, Math.round(10_000 * share))]
    // More than many, for whether it grows: the log of LevelDB is compacted now and then.
    const counts = { fillDisk: [few, many, ...[1.2, 1.4, 2, 4].map((factor) => Math.round(factor * many))], fillDiskRaw: [few, many], fillDiskLeast: [few, many] }
    return each(Object.keys(counts), (run) => each(counts[run], (messages) => sizeOnDisk(run, messages)))
  })
  if (only === undefined || 'wasm'.startsWith(only)) samples.wasm = wasmSizes()
  return samples
}

/** In a browser of its own, so that nothing else is in its folder, and all is written when it has ended. */
async function sizeOnDisk(run, messages) {
  const browser = await BenchBrowser.start()
  let usage
  let folder
  try {
    usage = await browser.measure(run, { members: 100, messages, commitEvery: 500 })
  } finally {
    folder = await browser.close((profile) => folderSize(join(profile, 'Default', 'IndexedDB')))
  }
  return { ...usage, folder }
}

function folderSize(folder) {
  const files = readdirSync(folder, { recursive: true }).map((name) => statSync(join(folder, name)))
  return files.filter((file) => file.isFile()).reduce((sum, file) => sum + file.size, 0)
}

function wasmSizes() {
  const wasm = readFileSync(join(packageDir, 'pkg', 'openmls_wasm_bg.wasm'))
  const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: wasm.length }
  return { raw: wasm.length, brotli: brotliCompressSync(wasm, { params }).length }
}
