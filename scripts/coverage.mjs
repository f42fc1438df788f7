// npm run coverage: which of our methods offers each public operation of OpenMLS, or why none does. Writes the table and
// fails if it has a gap.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { countsOf, coverageTable, operationsOfOpenMls, ownMethods, problemsOf, readMapping } from './lib/coverage.mjs'
import { referenceDir } from './lib/paths.mjs'
import { Problem, main, say } from './lib/say.mjs'

main(async () => {
  const openMls = await operationsOfOpenMls()
  const mapping = readMapping()
  const problems = problemsOf(openMls.operations, mapping, ownMethods())
  if (problems.length > 0) {
    throw new Problem(`The coverage table has gaps:\n  ${problems.join('\n  ')}`, 'Correct docs/coverage.json.')
  }
  mkdirSync(referenceDir, { recursive: true })
  const path = join(referenceDir, 'coverage.md')
  writeFileSync(path, coverageTable(openMls, mapping))
  const { offered, total } = countsOf(openMls.operations, mapping)
  say(`${total} operations of OpenMLS ${openMls.version}: ${offered} offered, ${total - offered} not, each with its reason: ${path}`)
})
