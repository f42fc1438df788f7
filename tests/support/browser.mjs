// A real Chromium on a profile of its own on the disk, in a process group of its own: so it can be killed like the power
// cut kills it, and started again on what it left.
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { chromium } from 'playwright-core'
import { ensureBrowser } from '../../scripts/setup/browser.mjs'

const args = [
  '--headless=new',
  '--remote-debugging-port=0',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--no-default-browser-check',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--hide-crash-restore-bubble',
  '--password-store=basic',
  '--use-mock-keychain',
  // Several windows share one machine in these tests; none of them is a background tab of a user.
  '--disable-background-timer-throttling',
  '--disable-backgrounding-occluded-windows',
  '--disable-renderer-backgrounding',
  // Chromium does not run as root with its sandbox, as in a container.
  ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
]

/** Process groups that run. They outlive this process if it is ended, and nobody else knows them. */
const running = new Set()
process.on('exit', () => { for (const pid of running) signalGroup(pid, 'SIGKILL') })
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1))

/** One user's browser. `start` after `kill` or `close` is the same user coming back. */
export class Profile {
  #folder = mkdtempSync(join(tmpdir(), 'openmls-wasm-profile-'))
  #child
  #exited
  #browser
  /** Uncaught errors of all pages so far. */
  errors = []

  async start() {
    const { browser: path } = await ensureBrowser()
    const child = spawn(path, [...args, `--user-data-dir=${this.#folder}`, 'about:blank'], {
      detached: true,
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    this.#child = child
    running.add(child.pid)
    this.#exited = new Promise((done) => child.once('exit', done))
    const endpoint = await new Promise((found, failed) => {
      const output = []
      child.once('error', failed)
      child.once('exit', (code) => failed(new Error(`the browser ended with ${code}: ${output.join('\n')}`)))
      createInterface(child.stderr).on('line', (line) => {
        output.push(line)
        const [address] = /ws:\/\/127\.0\.0\.1:\d+\/\S+/.exec(line) ?? []
        if (address !== undefined) found(address)
      })
    })
    this.#browser = await chromium.connectOverCDP(endpoint)
    return this
  }

  get context() {
    return this.#browser.contexts()[0]
  }

  async page(url, prepare) {
    const page = await this.context.newPage()
    page.setDefaultTimeout(30_000)
    page.on('pageerror', (error) => this.errors.push(error.message))
    await prepare?.(page)
    await page.goto(url)
    return page
  }

  /** All bytes that the profile has on the disk: those of each file, by its path. */
  files() {
    const files = readdirSync(this.#folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
    return files.map(({ parentPath, name }) => ({ path: join(parentPath, name), bytes: readFileSync(join(parentPath, name)) }))
  }

  /**
   * Whether Chromium itself has deleted the databases of this profile. A kill in the middle of a write leaves half a record
   * at the end of LevelDB's log; the next start appends behind it, and the one after that finds a checksum that does not
   * match ("database was corrupt"), deletes all of the origin and begins anew. Nothing on a page can prevent it.
   */
  databasesWereDeleted() {
    const folder = join(this.#folder, 'Default', 'IndexedDB')
    const logs = readdirSync(folder).map((name) => join(folder, name, 'LOG')).filter((log) => existsSync(log))
    return logs.some((log) => readFileSync(log, 'latin1').includes('since it was missing'))
  }

  /** SIGKILL, for the browser and everything it started. Settles when it is gone. */
  async kill() {
    if (this.#child === undefined) return
    signalGroup(this.#child.pid, 'SIGKILL')
    await this.#gone()
  }

  /** As a user quits it. */
  async close() {
    if (this.#child === undefined) return
    signalGroup(this.#child.pid, 'SIGTERM')
    await this.#gone()
  }

  async remove() {
    await this.kill()
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 })
  }

  async #gone() {
    await this.#exited
    // The processes it started are of its group; they hold the database until they are gone.
    signalGroup(this.#child.pid, 'SIGKILL')
    running.delete(this.#child.pid)
    await this.#browser?.close().catch(() => undefined)
    this.#child = undefined
    this.#browser = undefined
  }
}

function signalGroup(pid, signal) {
  try {
    process.kill(-pid, signal)
  } catch (error) {
    if (error.code !== 'ESRCH') throw error
  }
}
