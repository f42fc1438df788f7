// Skips a build step when nothing it reads has changed: a hash of its inputs, kept beside the build.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stampsDir } from './paths.mjs'
import { say } from './say.mjs'

const skipped = new Set(['node_modules', 'target', 'dist', 'pkg', 'pkg-test', 'pkg-bench', '.git', 'delivery-service'])

function addFile(hash, path, name) {
  hash.update(`\0${name}\0`)
  hash.update(readFileSync(path))
}

function addTree(hash, path) {
  if (!existsSync(path)) return
  const entries = readdirSync(path, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))
  for (const entry of entries) {
    if (skipped.has(entry.name)) continue
    const below = join(path, entry.name)
    if (entry.isDirectory()) addTree(hash, below)
    else if (entry.isFile()) addFile(hash, below, below)
  }
}

/** @param {{files?: string[], folders?: string[], text?: string[]}} inputs */
export function fingerprint({ files = [], folders = [], text = [] }) {
  const hash = createHash('sha256')
  for (const path of files) if (existsSync(path)) addFile(hash, path, path)
  for (const path of folders) addTree(hash, path)
  for (const part of text) hash.update(`\0${part}`)
  return hash.digest('hex')
}

/** Runs `work` unless the inputs are those of its last success and every output is still there. */
export async function unlessUnchanged(name, inputs, outputs, work) {
  const stamp = join(stampsDir, name.replace(/\W+/g, '-'))
  const current = fingerprint(inputs)
  const last = existsSync(stamp) ? readFileSync(stamp, 'utf8') : ''
  if (last === current && outputs.every((path) => existsSync(path))) {
    say(`✓ ${name}: unchanged`)
    return false
  }
  await work()
  mkdirSync(stampsDir, { recursive: true })
  writeFileSync(stamp, current)
  return true
}
