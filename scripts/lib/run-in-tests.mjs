import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { buildApp } from '../build.mjs'
import { ensureBrowser } from '../setup/browser.mjs'
import { setUpToBuild } from '../setup/index.mjs'
import { root, serviceBinary } from './paths.mjs'
import { run } from './run.mjs'
import { Problem, main } from './say.mjs'

/** Builds what it needs, then runs tests/<name>.mjs or tests/<name>/main.mjs with the rest of the command line. */
export function runInTests(name, build = buildApp) {
  main(async () => {
    const script = [`${name}.mjs`, join(name, 'main.mjs')].map((path) => join(root, 'tests', path)).find((path) => existsSync(path))
    if (!script) throw new Problem(`There is no tests/${name}.mjs and no tests/${name}/main.mjs.`)
    await build(await setUpToBuild())
    const { browser } = await ensureBrowser()
    const { code } = await run(process.execPath, [script, ...process.argv.slice(2)], {
      env: { CHROME: browser, DELIVERY_SERVICE_BINARY: serviceBinary },
    })
    process.exitCode = code === 0 ? 0 : 1
  })
}
