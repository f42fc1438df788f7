// wasm-bindgen's test server (tiny_http 0.12, `TaskPool::spawn`) counts a thread that it has just woken as still free. A
// connection that arrives in that moment waits for a thread that does not come, for as long as the others are kept alive,
// and the page never ends loading. Chromium opens six at once; behind this proxy the server sees one.
import { Agent, createServer, request } from 'node:http'

/**
 * An HTTP proxy to this machine, and to nowhere else, that has one connection at a time to each server.
 * @returns {Promise<{address: string, close: () => void}>}
 */
export async function startProxy() {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const proxy = createServer((incoming, outgoing) => {
    const url = new URL(incoming.url, 'http://proxy.invalid')
    if (url.hostname !== '127.0.0.1') return outgoing.writeHead(502).end()
    const { method, headers } = incoming
    const onward = request(url, { method, headers, agent }, (answer) => {
      outgoing.writeHead(answer.statusCode, answer.headers)
      answer.pipe(outgoing)
    })
    onward.on('error', () => outgoing.destroy())
    incoming.pipe(onward)
  })
  await new Promise((listening) => proxy.listen(0, '127.0.0.1', listening))
  const close = () => {
    agent.destroy()
    proxy.closeAllConnections()
    proxy.close()
  }
  return { address: `127.0.0.1:${proxy.address().port}`, close }
}
