// The browser that is measured in. Its profile is on the disk, so `strict` means what it means to a user.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { chromium } from 'playwright-core'
import { root } from '../../scripts/lib/paths.mjs'
import { Problem, say } from '../../scripts/lib/say.mjs'
import { ensureBrowser } from '../../scripts/setup/browser.mjs'
import { startServer } from './server.mjs'

export const resultsDir = join(root, 'bench-results')

const args = [
  '--headless=new', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync',
  '--disable-background-timer-throttling', '--disable-renderer-backgrounding',
  ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
]

/** A browser with a profile of its own, and pages of the benchmark in it. */
export class BenchBrowser {
  #server
  #context
  #recordsProfiles
  /** The folder of the browser's profile. */
  profile

  static async start({ recordsProfiles = false } = {}) {
    const browser = new BenchBrowser()
    mkdirSync(resultsDir, { recursive: true })
    browser.profile = mkdtempSync(join(resultsDir, 'profile-'))
    browser.#recordsProfiles = recordsProfiles
    const executablePath = process.env.CHROME ?? (await ensureBrowser()).browser
    browser.#server = await startServer()
    browser.#context = await chromium.launchPersistentContext(browser.profile, { executablePath, args })
    return browser
  }

  get version() {
    return this.#context.browser()?.version() ?? 'unknown'
  }

  /** One measurement, in a page of its own: none inherits the garbage of another. */
  async measure(name, options) {
    const page = await this.open()
    try {
      const profiler = this.#recordsProfiles ? await startProfile(page) : undefined
      const result = await page.evaluate(([run, how]) => window.bench[run](how), [name, options])
      await profiler?.([name, options.durability, options.members].filter(Boolean).join('-'))
      return result
    } finally {
      await page.close()
    }
  }

  /** A page of the benchmark. */
  async open() {
    const page = await this.#context.newPage()
    page.on('pageerror', (error) => say(`✗ in the page: ${error.message}`))
    await page.goto(this.#server.origin, { waitUntil: 'load' })
    if (!(await page.evaluate(() => crossOriginIsolated))) throw new Problem('The page is not cross-origin isolated: its clock is too coarse.')
    return page
  }

  /** Ends the browser; `look` is called before its profile is deleted. */
  async close(look = () => undefined) {
    await this.#context.close()
    this.#server.close()
    const seen = look(this.profile)
    rmSync(this.profile, { recursive: true, force: true })
    return seen
  }
}

async function startProfile(page) {
  const session = await page.context().newCDPSession(page)
  await session.send('Profiler.enable')
  await session.send('Profiler.setSamplingInterval', { interval: 100 })
  await session.send('Profiler.start')
  return async (name) => {
    const { profile } = await session.send('Profiler.stop')
    writeFileSync(join(resultsDir, `${name}.cpuprofile`), JSON.stringify(profile))
  }
}
