// Serves the built package, the page of the benchmark and its fixture, cross-origin isolated: only then is the clock fine (5 µs).
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { extname, join, normalize } from 'node:path'
import { root } from '../../scripts/lib/paths.mjs'
import { fixtureDir } from './fixture.mjs'

const served = ['/openmls-wasm/dist/', '/openmls-wasm/pkg/', '/openmls-wasm/pkg-bench/', '/tests/bench/page/']
/** Below this the same package is served with the wasm that has no digests. */
const withoutDigests = '/without-digests'
const types = { '.js': 'text/javascript; charset=utf-8', '.wasm': 'application/wasm' }
const page = '<!doctype html><title>openmls-wasm bench</title><link rel="icon" href="data:,"><script type="module" src="/tests/bench/page/index.js"></script>'
const headers = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
  'Cache-Control': 'no-store',
}

/** @returns {Promise<{origin: string, close: () => void}>} */
export async function startServer() {
  const server = createServer(async (request, response) => {
    const asked = normalize(new URL(request.url ?? '/', 'http://localhost').pathname)
    const path = asked.startsWith(withoutDigests) ? asked.slice(withoutDigests.length).replace('/pkg/', '/pkg-bench/') : asked
    if (path === '/') return response.writeHead(200, { ...headers, 'Content-Type': 'text/html; charset=utf-8' }).end(page)
    const file = path.startsWith('/fixture/') ? join(fixtureDir, path.slice('/fixture/'.length)) : join(root, path)
    const isServed = file.startsWith(fixtureDir) || served.some((folder) => path.startsWith(folder))
    const body = isServed && (await readFile(file).catch(() => undefined))
    if (!body) return response.writeHead(404, headers).end()
    response.writeHead(200, { ...headers, 'Content-Type': types[extname(path)] ?? 'application/octet-stream' }).end(body)
  })
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening))
  const close = () => {
    server.closeAllConnections()
    server.close()
  }
  return { origin: `http://127.0.0.1:${server.address().port}`, close }
}
