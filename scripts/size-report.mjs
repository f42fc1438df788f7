// Prints the size of each build of the wasm, by crate, against its limits. A size over a limit is a failure.
//   node scripts/size-report.mjs [release | pq]     (default: those that were built)
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'
import { functions, sections } from './lib/wasm-file.mjs'
import { packageDir, targetDir } from './lib/paths.mjs'
import { Problem, main, say } from './lib/say.mjs'

const builds = {
  release: { folder: 'pkg', limits: { raw: 2_000_000, brotli: 450_000 }, aims: { raw: 1_300_000, brotli: 350_000 } },
  pq: { folder: 'pkg-pq', limits: { raw: 2_200_000, brotli: 600_000 }, aims: {} },
}
const rows = 18
const kB = (bytes) => `${(bytes / 1000).toFixed(1)} kB`

/** Custom sections that no browser reads. */
export const debugSections = ['name', 'producers', 'target_features']
/** @param {'release' | 'pq'} flavour */
export const namedModule = (flavour) => join(targetDir, 'wasm-bindgen', flavour, 'openmls_wasm_bg.named.wasm')

/**
 * @param {'release' | 'pq'} flavour
 * @param {Buffer} named the optimized module, function names included
 * @param {Buffer} shipped the same without them, its functions in another order
 */
export function reportSize(flavour, named, shipped) {
  const { folder, limits, aims } = builds[flavour]
  const brotli = brotliCompressSync(shipped, { params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: shipped.length } }).length
  say(`\nSize of ${folder}/openmls_wasm_bg.wasm`)
  say(line('raw', shipped.length, limits.raw, aims.raw))
  say(line('gzip', gzipSync(shipped, { level: 9 }).length))
  say(line('brotli', brotli, limits.brotli, aims.brotli))
  printTable(named, shipped.length)
  const over = Object.entries({ raw: shipped.length, brotli }).filter(([kind, size]) => size > limits[kind])
  if (over.length > 0) {
    throw new Problem(
      over.map(([kind, size]) => `The wasm is too big: ${kB(size)} ${kind}, ${kB(size - limits[kind])} over the limit of ${kB(limits[kind])}.`).join('\n  '),
      'See the table by crate above for what grew, or build an older commit to compare.')
  }
}

function line(kind, size, limit, aim) {
  const against = limit ? `   limit ${kB(limit)}${aim ? `, aim ${kB(aim)}` : ''}${size > limit ? '   OVER THE LIMIT' : ''}` : ''
  return `  ${kind.padEnd(8)}${kB(size).padStart(12)}${against}`
}

function printTable(named, total) {
  const sizes = new Map()
  const add = (crate, size) => sizes.set(crate, (sizes.get(crate) ?? 0) + size)
  for (const { name, size } of functions(named)) add(crateOf(name), size)
  for (const { id, name, start, end } of sections(named)) {
    if (id === 11) add('(constant data)', end - start)
    else if (id !== 10 && !(id === 0 && debugSections.includes(name))) add('(tables, types, imports, exports)', end - start)
  }
  const sorted = [...sizes].sort((a, b) => b[1] - a[1])
  const rest = sorted.slice(rows)
  if (rest.length > 0) sorted.splice(rows, rest.length, [`(${rest.length} more)`, rest.reduce((sum, [, size]) => sum + size, 0)])
  say('\n  Code by the crate that its source is in')
  for (const [crate, size] of sorted) {
    say(`  ${crate.padEnd(44)}${kB(size).padStart(12)}${((100 * size) / total).toFixed(1).padStart(7)} %`)
  }
}

const standard = new Set(['core', 'alloc', 'std'])

/**
 * The crate whose source a function comes from, by its demangled name. `<A as B>::f` counts for A's crate, or for
 * B's where A is a type of the language or the standard library: there the implementation stands with the trait.
 */
export function crateOf(name) {
  const plain = name.replace(/^byn\$\S*?\$/, '')
  // Exported methods: the optimizer inlines into them whatever is called from one place only.
  if (/^(__wbg_)?mls\w*_|multivalue shim$/.test(plain)) return 'openmls_wasm'
  const path = firstPath(plain)
  if (path && !standard.has(path)) return path
  const trait = plain.startsWith('<') ? traitOf(plain) : undefined
  const crate = (trait && firstPath(trait)) ?? path
  if (!crate) return plain.includes('::') || plain === '' ? '(unattributed)' : '(runtime of the compiler and wasm-bindgen)'
  return standard.has(crate) ? 'core, alloc, std' : crate
}

/** The first segment of the path that a type or function name starts with; undefined for a type of the language. */
function firstPath(text) {
  const bare = text.replace(/^(?:[<&([*]|'\w+ |mut |const |dyn |impl |unsafe |extern "[^"]*" )*/, '')
  return bare.match(/^([A-Za-z_]\w*)(?:\[[0-9a-f]+\])?::/)?.[1]
}

/** B of `<A as B>::f`, whatever angle brackets A has inside. */
function traitOf(text) {
  let depth = 0
  for (let at = 0; at < text.length; at++) {
    if (text[at] === '<') depth++
    else if (text[at] === '>' && text[at - 1] !== '-') depth--
    else if (depth === 1 && text.startsWith(' as ', at)) return text.slice(at + 4)
  }
  return undefined
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  main(async () => {
    const wanted = process.argv[2] ? [process.argv[2]] : Object.keys(builds).filter((flavour) => existsSync(namedModule(flavour)))
    if (wanted.length === 0 || !wanted.every((flavour) => flavour in builds && existsSync(namedModule(flavour)))) {
      throw new Problem('That was not built.', 'Run `npm run build` first, or `npm run build -- --pq`.')
    }
    for (const flavour of wanted) {
      reportSize(flavour, readFileSync(namedModule(flavour)), readFileSync(join(packageDir, builds[flavour].folder, 'openmls_wasm_bg.wasm')))
    }
  })
}
