// npm packages, as the lock file says: installed when missing, and again when the lock file has changed.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../lib/paths.mjs'
import { npm } from '../lib/run.mjs'
import { Problem, step } from '../lib/say.mjs'

const oldestNode = 20

export async function ensureNodePackages() {
  if (Number(process.versions.node.split('.')[0]) < oldestNode) {
    throw new Problem(`Node ${process.versions.node} is too old.`, `Install Node ${oldestNode} or later.`)
  }
  if (isUpToDate()) return
  const fresh = !existsSync(join(root, 'node_modules')) && existsSync(join(root, 'package-lock.json')) && lockMatchesManifests()
  // `ci` deletes node_modules first: only where there is none, so that a running dev server keeps its files.
  await step('Installing npm packages', '30 s', () =>
    npm([fresh ? 'ci' : 'install', '--no-progress', '--loglevel=error'], { quiet: true }))
}

const readJson = (path) => JSON.parse(readFileSync(path, 'utf8'))

function isUpToDate() {
  // npm keeps a copy of the lock file of what it has installed.
  const installedPath = join(root, 'node_modules', '.package-lock.json')
  if (!existsSync(installedPath) || !existsSync(join(root, 'package-lock.json')) || !lockMatchesManifests()) return false
  const installed = readJson(installedPath).packages
  return Object.entries(readJson(join(root, 'package-lock.json')).packages).every(([path, wanted]) =>
    !path.startsWith('node_modules/') && !path.includes('/node_modules/')
      ? true
      : wanted.optional || wanted.peer || (installed[path]?.version === wanted.version && existsSync(join(root, path))))
}

/** Whether the lock file was made from the package.json files as they are now. */
function lockMatchesManifests() {
  const locked = readJson(join(root, 'package-lock.json')).packages
  const folders = ['', ...readJson(join(root, 'package.json')).workspaces]
  return folders.every((folder) => {
    const path = join(root, folder, 'package.json')
    if (!existsSync(path)) return true
    const manifest = readJson(path)
    return ['dependencies', 'devDependencies', 'peerDependencies'].every((kind) =>
      sameEntries(manifest[kind], locked[folder]?.[kind]))
  })
}

const sameEntries = (a = {}, b = {}) =>
  Object.keys(a).length === Object.keys(b).length && Object.entries(a).every(([name, range]) => b[name] === range)
