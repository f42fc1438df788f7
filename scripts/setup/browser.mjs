// A Chromium for the tests, and the chromedriver that matches it.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { exe, isWindows } from '../lib/paths.mjs'
import { mustRun, run, which } from '../lib/run.mjs'
import { Problem, step } from '../lib/say.mjs'

const advice = [
  'Install Google Chrome or Chromium (Debian: `apt-get install chromium chromium-driver`), or run',
  '`npx playwright-core install chromium`, or set the environment variable CHROME to the path of a browser you have.',
].join('\n')

/** @returns {Promise<{browser: string, chromedriver: string | undefined}>} */
export async function ensureBrowser() {
  let browser = findBrowser()
  let chromedriver = browser && (await findChromedriver(browser))
  // A Chromium of Debian without its driver: the driver is a package of its own.
  if (isDebianRoot() && (!browser || (!chromedriver && isDebiansOwn(browser)))) {
    await step('Installing Chromium and its driver by apt-get', '1 min', async () => {
      const env = { DEBIAN_FRONTEND: 'noninteractive' }
      await mustRun('apt-get', ['update', '-qq'], { quiet: true, env }, advice)
      await mustRun('apt-get', ['install', '-y', '-qq', '--no-install-recommends', 'chromium', 'chromium-driver', 'fonts-liberation'], { quiet: true, env }, advice)
    })
    browser = findBrowser()
    chromedriver = browser && (await findChromedriver(browser))
  }
  if (!browser) throw new Problem('No browser for the tests was found.', advice)
  return { browser, chromedriver }
}

function findBrowser() {
  if (process.env.CHROME) {
    if (!existsSync(process.env.CHROME)) throw new Problem(`CHROME is set to ${process.env.CHROME}, which does not exist.`, advice)
    return process.env.CHROME
  }
  for (const name of ['google-chrome', 'google-chrome-stable', 'chromium', 'chromium-browser', 'chrome']) {
    const found = which(name)
    if (found) return found
  }
  return [...usualPlaces(), ...playwrightBrowsers()].find((path) => existsSync(path))
}

function usualPlaces() {
  if (process.platform === 'darwin') {
    return ['/Applications', join(process.env.HOME ?? '', 'Applications')].flatMap((folder) => [
      `${folder}/Google Chrome.app/Contents/MacOS/Google Chrome`,
      `${folder}/Chromium.app/Contents/MacOS/Chromium`,
    ])
  }
  if (!isWindows) return ['/usr/lib/chromium/chromium', '/opt/google/chrome/chrome', '/snap/bin/chromium']
  return ['PROGRAMFILES', 'PROGRAMFILES(X86)', 'LOCALAPPDATA']
    .map((name) => process.env[name])
    .filter(Boolean)
    .flatMap((folder) => [join(folder, 'Google/Chrome/Application/chrome.exe'), join(folder, 'Chromium/Application/chrome.exe')])
}

/** What `playwright install` has downloaded, newest first. */
function playwrightBrowsers() {
  const home = process.env.HOME ?? process.env.USERPROFILE ?? ''
  const cache = process.env.PLAYWRIGHT_BROWSERS_PATH ?? (isWindows
    ? join(process.env.LOCALAPPDATA ?? '', 'ms-playwright')
    : join(home, process.platform === 'darwin' ? 'Library/Caches/ms-playwright' : '.cache/ms-playwright'))
  if (!existsSync(cache)) return []
  const number = (name) => Number(name.split('-')[1])
  return readdirSync(cache)
    .filter((name) => /^chromium-\d+$/.test(name))
    .sort((a, b) => number(b) - number(a))
    .flatMap((name) => ['chrome-linux/chrome', 'chrome-linux64/chrome', 'chrome-win/chrome.exe', 'chrome-win64/chrome.exe',
      'chrome-mac/Chromium.app/Contents/MacOS/Chromium', 'chrome-mac-arm64/Chromium.app/Contents/MacOS/Chromium',
    ].map((path) => join(cache, name, path)))
}

/** A driver works with the browser of its own major version only. */
async function findChromedriver(browser) {
  const candidates = [
    process.env.CHROMEDRIVER,
    join(dirname(browser), exe('chromedriver')),
    which('chromedriver'),
    '/usr/bin/chromedriver',
    '/usr/lib/chromium/chromedriver',
    '/usr/lib/chromium-browser/chromedriver',
  ].filter((path) => path && existsSync(path))
  const wanted = await majorVersion(browser)
  for (const path of candidates) {
    const found = await majorVersion(path)
    if (!wanted || found === wanted) return path
  }
  return undefined
}

async function majorVersion(path) {
  // Chrome on Windows opens a window instead of printing its version.
  if (isWindows && !path.includes('chromedriver')) return undefined
  const { output } = await run(path, ['--version'], { quiet: true })
  return output.match(/(\d+)\.\d+\.\d+\.\d+/)?.[1]
}

const isDebiansOwn = (browser) => /^\/usr\/(bin|lib)\/chromium/.test(browser)

function isDebianRoot() {
  if (process.platform !== 'linux' || process.getuid?.() !== 0 || !which('apt-get')) return false
  try {
    return /^ID=debian$/m.test(readFileSync('/etc/os-release', 'utf8'))
  } catch {
    return false
  }
}
