// npm run bench [-- --check]: builds the release wasm, the one to compare with, and the npm package, and runs the benchmark of tests/ in a browser.
import { buildPackage, buildWasm } from './build.mjs'
import { runInTests } from './lib/run-in-tests.mjs'

runInTests('bench', async (tools) => {
  await buildWasm('release', tools)
  await buildWasm('without-digests', tools)
  await buildPackage()
})
