// npm start [-- --port N]: builds what has changed, starts the delivery service, which serves the chat app as well.
import { spawn } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { dataDir, frontendDir, isWindows, serviceBinary } from './lib/paths.mjs'
import { Problem, main, say } from './lib/say.mjs'
import { buildApp } from './build.mjs'
import { setUpToBuild } from './setup/index.mjs'

const host = '127.0.0.1'
const usualPort = 8787

main(async () => {
  const wanted = portFromArguments()
  await buildApp(await setUpToBuild())
  const port = await freePort(wanted)
  if (port !== wanted) say(`Port ${wanted} is taken: using ${port} instead.`)
  await serve(port)
})

function portFromArguments() {
  const at = process.argv.indexOf('--port')
  if (at < 0) return usualPort
  const port = Number(process.argv[at + 1])
  if (Number.isInteger(port) && port > 0 && port < 65536) return port
  throw new Problem(`--port needs a number from 1 to 65535, not "${process.argv[at + 1] ?? ''}".`)
}

/** `wanted` if it is free, else one that the system picks. */
async function freePort(wanted) {
  return (await tryPort(wanted)) ?? (await tryPort(0))
}

function tryPort(port) {
  return new Promise((settle) => {
    const probe = createServer()
    probe.once('error', () => settle(undefined))
    probe.listen(port, host, () => {
      const { port: got } = probe.address()
      probe.close(() => settle(got))
    })
  })
}

async function serve(port) {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  const service = spawn(serviceBinary, [
    '--listen', `${host}:${port}`,
    '--database', join(dataDir, 'delivery-service.sqlite'),
    '--static', join(frontendDir, 'dist'),
  ], {
    stdio: ['ignore', 'inherit', 'inherit'],
    // Its own process group: Ctrl-C reaches us alone, and we ask it once to stop in good order.
    detached: !isWindows,
  })
  const ended = new Promise((settle) => {
    service.once('error', (error) => settle({ error }))
    service.once('exit', (code, signal) => settle({ code, signal }))
  })
  let stopping = false
  const stop = () => {
    if (stopping) return service.kill('SIGKILL')
    stopping = true
    say('\nStopping… (once more to stop at once)')
    service.kill('SIGINT')
    setTimeout(() => service.kill('SIGKILL'), 10_000).unref()
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, stop)
  process.on('exit', () => service.kill('SIGKILL'))
  // Stopping npm by a signal stops npm and its shell, and leaves us behind: notice that we have a new parent.
  const parent = process.ppid
  if (process.env.npm_lifecycle_event) setInterval(() => { if (process.ppid !== parent && !stopping) stop() }, 500).unref()

  const url = `http://${host}:${port}/`
  const waiting = new AbortController()
  const answered = await Promise.race([ended.then(() => false), answers(url, waiting.signal)])
  waiting.abort()
  if (answered && !stopping) say(`\nThe chat app: ${url}\n  Two people on one machine: open it in two browser profiles. Ctrl-C stops it.\n`)
  const { error, code, signal } = await ended
  if (error) throw new Problem(`The delivery service could not be started: ${error.message}`)
  if (!stopping) throw new Problem(`The delivery service ended by itself (${signal ?? `exit code ${code}`}).`, 'See its last lines above.')
  say('Stopped.')
  process.exit(0)
}

/** True as soon as the service answers; false when `signal` says not to wait any longer. */
async function answers(url, signal) {
  while (!signal.aborted) {
    try {
      if ((await fetch(new URL('v1/health', url), { signal })).ok) return true
    } catch {
      // Not listening yet.
    }
    await new Promise((settle) => setTimeout(settle, 50))
  }
  return false
}
