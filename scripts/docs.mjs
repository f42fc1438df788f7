// npm run docs: the reference of the TypeScript API, with the error table and the coverage table, and that of the Rust API.
// Every warning is a failure, and an item without documentation is a warning. `--check` looks at the TypeScript API only,
// and draws nothing (`npm test` does both).
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { coverageTable, operationsOfOpenMls, ownMethods, problemsOf, readMapping } from './lib/coverage.mjs'
import { errorCodes, errorTable, testsByCode } from './lib/error-table.mjs'
import { referenceDir, targetDir } from './lib/paths.mjs'
import { mustRun, packageCommand } from './lib/run.mjs'
import { Problem, main, say, step } from './lib/say.mjs'
import { ensureNodePackages } from './setup/node-packages.mjs'

async function typeScriptReference(options) {
  mkdirSync(referenceDir, { recursive: true })
  const codes = errorCodes()
  writeFileSync(join(referenceDir, 'errors.md'), errorTable(codes, testsByCode(codes)))
  writeFileSync(join(referenceDir, 'coverage.md'), await coveragePage())
  await mustRun(process.execPath, [packageCommand('typedoc', 'typedoc'), ...options])
}

async function coveragePage() {
  const [openMls, mapping] = [await operationsOfOpenMls(), readMapping()]
  if (problemsOf(openMls.operations, mapping, ownMethods()).length > 0) {
    throw new Problem('The coverage table has gaps.', 'See `npm run coverage`.')
  }
  return coverageTable(openMls, mapping)
}

main(async () => {
  if (process.argv.includes('--check')) return typeScriptReference(['--emit', 'none'])
  await ensureNodePackages()
  await step('Writing the reference of the TypeScript API', '15 s', () => typeScriptReference([]))
  await step('Writing the reference of the Rust API', '1 min', () =>
    mustRun('cargo', ['doc', '--no-deps', '--package', 'openmls-wasm', '--lib'], { env: { RUSTDOCFLAGS: '-D warnings' } }))
  say(`TypeScript: ${join(referenceDir, 'typescript', 'index.html')}`)
  say(`Rust:       ${join(targetDir, 'doc', 'openmls_wasm', 'index.html')}`)
})
