// Builds a page of the tests, as an app would be built: by Vite, without configuration for the package.
import { basename, join } from 'node:path'
import { build } from 'vite'
import { root } from '../../scripts/lib/paths.mjs'

/**
 * @param {'release' | 'test-hooks'} flavour of the wasm
 * @param {string} page the file in `tests/page`, without `.html`
 * @returns {Promise<string>} the folder with the built page
 */
export async function buildPage(flavour = 'release', page = 'index') {
  // A folder for each file of tests: another one may be building its own at the same time.
  const outDir = join(root, 'tests', 'dist', basename(process.argv[1] ?? 'page', '.test.mjs'), flavour)
  await build({
    root: join(root, 'tests', 'page'),
    configFile: false,
    logLevel: 'warn',
    plugins: flavour === 'test-hooks' ? [withTestHooks()] : [],
    build: {
      outDir, emptyOutDir: true, target: 'es2022', minify: false, modulePreload: false,
      rollupOptions: { input: join(root, 'tests', 'page', `${page}.html`) },
    },
  })
  return outDir
}

/** The package over `pkg-test`, the wasm that can be made to panic. */
function withTestHooks() {
  return {
    name: 'test-hooks',
    enforce: 'pre',
    transform(code, id) {
      return id.endsWith('/openmls-wasm/dist/wasm-engine-host.js') ? code.replaceAll('../pkg/', '../pkg-test/') : undefined
    },
  }
}
