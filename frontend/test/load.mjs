// Loads TypeScript modules of the app in Node, through Vite: the same transformation as in the page.
import { after } from 'node:test'
import { fileURLToPath } from 'node:url'
import { createServer } from 'vite'

const server = await createServer({
  root: fileURLToPath(new URL('..', import.meta.url)),
  configFile: false,
  appType: 'custom',
  logLevel: 'error',
  server: { middlewareMode: true, ws: false, watch: null },
  optimizeDeps: { noDiscovery: true },
})
after(() => server.close())

/** @param {string} path below src/ */
export function load(path) {
  return server.ssrLoadModule(`/src/${path}`)
}
