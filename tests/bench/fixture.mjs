// What the native build prepares once: groups in use, as files for the page, and the times of the same operations natively.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { exe, packageDir, root, targetDir } from '../../scripts/lib/paths.mjs'
import { mustRun } from '../../scripts/lib/run.mjs'
import { step } from '../../scripts/lib/say.mjs'
import { unlessUnchanged } from '../../scripts/lib/stamp.mjs'
import { codecsInWasm } from './codecs-in-wasm.mjs'

export const fixtureDir = join(targetDir, 'bench-fixture')

/** How many members the prepared groups have, the largest last; and how many groups the client with many is in. */
export const memberCounts = [2, 10, 100, 1000]
export const groupCount = 10_000

const example = join(targetDir, 'service', 'examples', exe('bench'))
const sources = (...examples) => ({
  files: [join(root, 'Cargo.lock'), join(root, 'Cargo.toml'), join(packageDir, 'Cargo.toml')],
  folders: [join(packageDir, 'src'), ...examples.map((name) => join(packageDir, 'examples', name))],
  text: [process.env.RUSTFLAGS ?? '', memberCounts.join(), `${groupCount}`],
})
const json = (name) => JSON.parse(readFileSync(join(fixtureDir, name), 'utf8'))

/**
 * Builds the fixture, unless it is there and nothing that it depends on has changed. Without `test-hooks`: with them values
 * are in smaller parts.
 * @returns the native times by the number of members, and the tables of codecs
 */
export async function prepareFixture() {
  const outputs = [...memberCounts.map((count) => `members-${count}.bin`), 'groups.bin', 'native.json'].map((name) => join(fixtureDir, name))
  await unlessUnchanged('bench fixture', sources('bench'), outputs, async () => {
    await step('Compiling what prepares the fixture, natively', '1–3 min the first time', () =>
      mustRun('cargo', ['build', '--profile', 'service', '-p', 'openmls-wasm', '--example', 'bench']))
    await step('Preparing groups in use', '2 min', () =>
      mustRun(example, ['fixture', fixtureDir, `${groupCount}`, ...memberCounts.map(String)]))
  })
  const tables = { native: join(fixtureDir, 'codecs.json'), wasm: join(fixtureDir, 'codecs-wasm.json') }
  const files = memberCounts.filter((count) => count !== 10).map((count) => join(fixtureDir, `members-${count}.bin`))
  await unlessUnchanged('bench codecs', sources('bench', 'codecs'), Object.values(tables), async () => {
    await step('Measuring codecs, natively', '10 s', async () =>
      writeFileSync(tables.native, await mustRun(example, ['codecs', ...files], { quiet: true })))
    await step('Measuring codecs, in wasm', '3 min the first time', async () =>
      writeFileSync(tables.wasm, JSON.stringify(await codecsInWasm(files))))
  })
  return { native: json('native.json'), codecs: { native: json('codecs.json'), wasm: json('codecs-wasm.json') } }
}
