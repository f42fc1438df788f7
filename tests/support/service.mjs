// The delivery service's binary on a free port, with a database of its own.
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { serviceBinary } from '../../scripts/lib/paths.mjs'

/**
 * @param {string} staticFolder what it serves beside its API
 * @returns {Promise<{url: string, stop: () => Promise<void>}>} `url` without a slash at its end
 */
export async function startService(staticFolder) {
  const scratch = mkdtempSync(join(tmpdir(), 'openmls-wasm-service-'))
  const child = spawn(process.env.DELIVERY_SERVICE_BINARY ?? serviceBinary, [
    '--listen', '127.0.0.1:0', '--database', join(scratch, 'service.sqlite'), '--static', staticFolder,
  ], { stdio: ['ignore', 'pipe', 'pipe'] })
  process.on('exit', () => child.kill('SIGKILL'))
  const exited = new Promise((done) => child.once('exit', done))
  const url = await new Promise((found, failed) => {
    const output = []
    child.once('error', failed)
    child.once('exit', (code) => failed(new Error(`the delivery service ended with ${code}: ${output.join('\n')}`)))
    for (const stream of [child.stdout, child.stderr]) {
      createInterface(stream).on('line', (line) => {
        output.push(line)
        const [address] = /http:\/\/127\.0\.0\.1:\d+/.exec(line) ?? []
        if (address !== undefined) found(address)
      })
    }
  })
  return {
    url,
    stop: async () => {
      child.kill('SIGTERM')
      await exited
      rmSync(scratch, { recursive: true, force: true })
    },
  }
}
