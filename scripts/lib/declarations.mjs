// The declarations of the npm package that an app's type checker loads: what its entry points refer to, however far.
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'

const suffix = '.d.ts'

/** @param {string} packageDir where package.json is @returns {string[]} the files */
export function reachableDeclarations(packageDir) {
  const { exports } = JSON.parse(readFileSync(join(packageDir, 'package.json'), 'utf8'))
  const reached = new Set()
  const reach = (file) => {
    if (reached.has(file) || !existsSync(file)) return
    reached.add(file)
    for (const [, module] of readFileSync(file, 'utf8').matchAll(/(?:from|import)\s*\(?\s*'(\.[^']*)\.js'/g)) {
      reach(resolve(dirname(file), module + suffix))
    }
  }
  for (const { types } of Object.values(exports)) if (types !== undefined) reach(resolve(packageDir, types))
  return [...reached]
}
