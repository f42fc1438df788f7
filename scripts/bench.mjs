// npm run bench: builds the release wasm and runs the benchmark of tests/ in a browser.
import { runInTests } from './lib/run-in-tests.mjs'

runInTests('bench')
