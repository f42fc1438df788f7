// Writes a picture of every view of the chat, 360 and 1280 pixels wide, into screenshots/ (which git ignores), and
// fails if a view is wider than its window. `npm run screenshots`, or with CHROME and DELIVERY_SERVICE_BINARY set:
// node tests/screenshots.mjs [part of a view's name]
import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'
import { passphrase, protect, unlock } from './support/chat.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const folder = join(root, 'screenshots')
const wanted = process.argv[2] ?? ''
const sizes = [{ width: 360, height: 740 }, { width: 1280, height: 800 }]
const scratch = mkdtempSync(join(tmpdir(), 'chat-screenshots-'))
let tooWide = 0

const service = await startService()
const browser = await chromium.launch({ executablePath: process.env.CHROME ?? '/usr/bin/chromium', args: ['--no-sandbox'] })
try {
  mkdirSync(folder, { recursive: true })
  await takeAll()
} finally {
  await browser.close()
  service.process.kill('SIGINT')
  await service.ended
  rmSync(scratch, { recursive: true, force: true })
}
console.log(`Pictures are in ${folder}`)
if (tooWide > 0) {
  console.error(`${tooWide} views are wider than their window.`)
  process.exitCode = 1
}

async function takeAll() {
  const anna = await profile()
  await anna.goto(service.url)
  await anna.getByTestId('name-input').waitFor()
  await shoot(anna, '01-start')
  await anna.getByTestId('name-input').fill('Anna/Berta')
  await anna.getByTestId('new-passphrase-input').fill('too short')
  await anna.getByTestId('register-button').click()
  await shoot(anna, '02-start-problem')
  await protect(anna, 'device')
  await shoot(anna, '02a-start-no-secret')
  await register(anna, 'Anna')
  await shoot(anna, '03-no-conversations')

  const other = await profile()
  await other.goto(service.url)
  await other.getByTestId('name-input').fill('Anna')
  await protect(other, 'device')
  await other.getByTestId('register-button').click()
  await other.getByTestId('link-code').waitFor()
  await shoot(other, '04-name-taken')

  const ben = await person('Ben')
  const long = await person('Wolfeschlegelsteinhausenbergerdorff-von-und-zu-Hohenlohe-1234567')
  await anna.getByTestId('new-group-button').click()
  await anna.getByTestId('group-name-input').fill('Weekend in the mountains')
  await anna.getByTestId('group-people-input').fill('Ben')
  await shoot(anna, '05-new-group')
  await anna.getByTestId('create-group-button').click()
  await shoot(anna, '06-new-conversation', async () => anna.getByTestId('event-line').filter({ hasText: 'Ben' }).waitFor())
  await ben.getByTestId('conversation-item').click()
  await chatter(anna, ben)
  await shoot(anna, '07-conversation')
  await shoot(ben, '08-conversation-other-side')
  await dark(anna, '09-conversation-dark')

  await newGroup(anna, 'A group with quite a long name that certainly does not fit into one line', [
    'Wolfeschlegelsteinhausenbergerdorff-von-und-zu-Hohenlohe-1234567',
    'Ben',
  ])
  await long.getByTestId('conversation-item').click()
  await say(long, 'https://example.org/a/very/long/address/without/any/place/to/break/it/0123456789012345678901234567890123456789')
  await say(long, 'A longer message, with several sentences. It wraps where it should. It keeps\nline breaks\n\nand empty lines, too.')
  await received(anna, 'A longer message')
  await shoot(anna, '10-long-names-and-words')
  await shoot(ben, '11-list-with-unread', async () => {
    await ben.evaluate(() => { location.hash = '' })
    await ben.getByTestId('unread-badge').waitFor()
  })
  await anna.getByTestId('members-button').click()
  await anna.getByTestId('member').nth(2).waitFor()
  await anna.getByTestId('invite-input').fill('Nobody by that name')
  await anna.getByTestId('invite-button').click()
  await anna.getByTestId('invitation-failed').waitFor()
  await anna.getByTestId('member').nth(0).locator('summary').click()
  await shoot(anna, '12-members')
  await anna.getByTestId('leave-button').click()
  await anna.getByTestId('leave-confirm').waitFor()
  await shoot(anna, '13-leave')
  await anna.getByTestId('leave-confirm').click()
  await anna.locator('[data-standing=left]').waitFor()
  await shoot(anna, '14-left')

  await anna.getByTestId('conversation-item').filter({ hasText: 'mountains' }).click().catch(() => {})
  await select(anna, 'mountains')
  await anna.context().setOffline(true)
  await anna.locator('[data-testid=connection-status][data-status=offline]').waitFor({ state: 'attached' })
  await say(anna, 'Written in the train, without a connection', 'waiting')
  await shoot(anna, '15-offline')
  await anna.context().setOffline(false)
  await anna.locator('[data-testid=connection-status][data-status=online]').waitFor({ state: 'attached' })
  await anna.locator('[data-testid=message][data-state=waiting]').waitFor({ state: 'detached' })

  await anna.route('**/messages', (route) => route.fulfill({ status: 413, json: { code: 'message-too-large', message: 'no' } }))
  await say(anna, 'Refused by the server', 'failed')
  await shoot(anna, '16-failed')
  await anna.unroute('**/messages')
  await anna.getByTestId('retry-button').click()
  await anna.locator('[data-testid=message][data-state=failed]').waitFor({ state: 'detached' })

  await anna.getByTestId('composer-input').fill(`${'many words '.repeat(2900)}and some more`)
  await shoot(anna, '17-near-the-limit')
  await anna.getByTestId('composer-input').fill('ü'.repeat(20_000))
  await shoot(anna, '18-too-long')
  await anna.getByTestId('composer-input').fill('')

  await anna.setViewportSize(sizes[1])
  await anna.getByTestId('settings-button').click()
  await anna.getByTestId('link-input').fill(await other.getByTestId('link-code').innerText())
  await anna.getByTestId('link-button').click()
  await anna.getByTestId('linked').waitFor()
  await shoot(anna, '19-settings')
  await other.getByTestId('chat-app').waitFor()
  await anna.keyboard.press('Escape')

  await refuseWrites(anna, true)
  await anna.getByTestId('composer-input').fill('Not saved yet')
  await anna.keyboard.press('Enter')
  await anna.locator('[data-testid=message][data-state=saving]').waitFor()
  await anna.getByTestId('storage-banner').waitFor()
  await shoot(anna, '20-cannot-save')
  await refuseWrites(anna, false)
  await anna.locator('[data-testid=message][data-state=saving]').waitFor({ state: 'detached' })

  const second = await anna.context().newPage()
  await second.goto(service.url)
  await errorPage(second, 'already-open')
  await shoot(second, '21-already-open')
  await dark(second, '22-already-open-dark')
  await second.close()
  await errorPages(ben)
  await vaults()
  await backups()
}

/** What a vault adds: a locked chat, the settings of it, and the page about storage. */
async function vaults() {
  const page = await profile()
  // Passkeys are of a host name, not of an address.
  await page.goto(service.url.replace('127.0.0.1', 'localhost'))
  await authenticator(page)
  await page.getByTestId('protection-passkey').check()
  await shoot(page, '30-start-passkey')
  await register(page, 'Greta', 'passphrase')
  await newGroup(page, 'Mushrooms', [])
  await say(page, 'Chanterelles behind the old mill')
  await page.getByTestId('settings-button').click()
  await page.getByTestId('protection-tab').click()
  await page.getByTestId('add-passkey-button').click()
  await page.getByTestId('proof-passphrase-input').fill(passphrase)
  await page.getByTestId('change-confirm').click()
  await page.locator('[data-testid=unlock-way][data-kind=passkey]').waitFor()
  await shoot(page, '31-protection')
  await page.getByTestId('change-passphrase-button').click()
  await page.getByTestId('proof-passphrase-input').fill('not the right one')
  await page.getByTestId('new-passphrase-input').fill(passphrase)
  await page.getByTestId('passphrase-again-input').fill(passphrase)
  await page.getByTestId('change-confirm').click()
  await page.getByTestId('change-problem').waitFor()
  await shoot(page, '32-change-passphrase')
  await page.getByRole('button', { name: 'Cancel' }).click()
  await page.getByTestId('storage-tab').click()
  await page.getByTestId('health-button').click()
  await page.getByTestId('health-good').waitFor()
  await page.getByTestId('persist-button').click()
  await shoot(page, '33-storage')
  await page.keyboard.press('Escape')
  await page.setViewportSize(sizes[1])
  await page.getByTestId('lock-button').click()
  await page.getByTestId('unlock-page').waitFor()
  await shoot(page, '34-locked')
  await dark(page, '35-locked-dark')
  await unlock(page, 'not the right one at all')
  await page.getByTestId('unlock-problem').waitFor()
  await shoot(page, '36-locked-problem')
  await unlock(page)
  await page.getByTestId('settings-button').click()

  const plain = await profile()
  await plain.goto(`${service.url}?plain`)
  await shoot(plain, '37-start-plain')
  await plain.getByTestId('name-input').fill('Hans')
  await plain.getByTestId('register-button').click()
  await plain.locator('[data-testid=connection-status][data-status=online]').waitFor()
  await newGroup(plain, 'Broken', [])
  await say(plain, 'It will not be readable soon')
  await plain.getByTestId('settings-button').click()
  await plain.getByTestId('protection-tab').click()
  await shoot(plain, '38-seal')
  await plain.goto('about:blank')
  await tamper(plain.context(), 'damaged-group')
  await plain.goto(service.url)
  await littleRoom(plain)
  await plain.getByTestId('settings-button').click()
  await plain.getByTestId('storage-tab').click()
  await plain.getByTestId('health-button').click()
  await plain.getByTestId('damaged-group').waitFor()
  await shoot(plain, '39-damaged-group')
  await plain.getByTestId('repair-button').click()
  await plain.locator('[data-testid=damaged-group][data-state=repaired]').waitFor()
  await shoot(plain, '40-group-set-aside')
  await plain.keyboard.press('Escape')
  await select(plain, 'Broken')
  await plain.locator('[data-standing=damaged]').waitFor()
  await shoot(plain, '41-conversation-set-aside')
}

/** Making a backup, and bringing it back in another browser. */
async function backups() {
  const page = await profile()
  await page.goto(service.url)
  await register(page, 'Ida', 'device')
  await newGroup(page, 'Lighthouse', [])
  await say(page, 'The key hangs behind the door')
  await page.setViewportSize(sizes[1])
  await page.getByTestId('settings-button').click()
  await page.getByTestId('storage-tab').click()
  await page.getByTestId('backup-button').click()
  await page.getByTestId('new-passphrase-input').fill(passphrase)
  await page.getByTestId('passphrase-again-input').fill(passphrase)
  await shoot(page, '50-back-up')
  const downloading = page.waitForEvent('download')
  await page.getByTestId('backup-confirm').click()
  const file = join(scratch, 'backup.mls-snapshot')
  await (await downloading).saveAs(file)
  await page.getByTestId('backup-made').waitFor()
  await shoot(page, '51-backed-up')

  const next = await profile()
  await next.goto(service.url)
  await next.getByTestId('restore-link').click()
  await shoot(next, '52-restore')
  await next.getByTestId('restore-file-input').setInputFiles(file)
  await next.getByTestId('restore-passphrase-input').fill('not the right one at all')
  await protect(next, 'passphrase')
  await next.getByTestId('restore-button').click()
  await next.locator('[data-testid=restore-page][data-code=unlock-failed]').waitFor()
  await shoot(next, '53-restore-problem')
  // The page itself is loaded; the server is not reached by what comes.
  await next.route('**/v1/groups/**', (route) => route.abort())
  await next.getByTestId('restore-passphrase-input').fill(passphrase)
  await next.getByTestId('restore-button').click()
  await next.getByTestId('chat-app').waitFor()
  await select(next, 'Lighthouse')
  await next.locator('[data-testid=read-only][data-standing=inert]').waitFor()
  await shoot(next, '54-without-keys')
  await next.unroute('**/v1/groups/**')
  await next.getByTestId('composer-input').waitFor()
  await shoot(next, '55-back')
}

/** A disk with little on it, as the next write finds it. */
async function littleRoom(page) {
  await page.evaluate(() => {
    navigator.storage.estimate = async () => ({ usage: 980e6, quota: 1e9 })
  })
  await newGroup(page, 'Another one', [])
  await page.getByTestId('room-banner').waitFor()
  await shoot(page, '42-little-room')
  await page.setViewportSize(sizes[1])
  await page.getByTestId('room-banner').getByRole('button', { name: 'Close' }).click()
}

async function authenticator(page) {
  const session = await page.context().newCDPSession(page)
  await session.send('WebAuthn.enable')
  await session.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2', ctap2Version: 'ctap2_1', transport: 'internal', hasResidentKey: true, hasUserVerification: true,
      automaticPresenceSimulation: true, isUserVerified: true, hasPrf: true,
    },
  })
}

/** Each on a profile whose database was tampered with while the app was closed. */
async function errorPages(page) {
  const views = [
    ['23-newer-format', 'newer-format', (context) => tamper(context, 'newer-format')],
    ['24-damaged-record', 'damaged-record', (context) => tamper(context, 'damaged-record')],
    ['25-evicted', 'evicted-suspected', (context) => tamper(context, 'database-missing')],
  ]
  await page.close()
  for (const [name, code, prepare] of views) {
    await prepare(page.context())
    const next = await page.context().newPage()
    await next.goto(service.url)
    await errorPage(next, code)
    await shoot(next, name)
    await next.close()
  }
  const blocked = await profile()
  await blocked.addInitScript(() => Object.defineProperty(window, 'indexedDB', { value: undefined }))
  await blocked.goto(service.url)
  await errorPage(blocked, 'indexeddb-unavailable')
  await shoot(blocked, '26-indexeddb-unavailable')
}

async function errorPage(page, code) {
  await page.getByTestId('error-page').waitFor()
  const shown = await page.getByTestId('error-page').getAttribute('data-code')
  if (shown !== code) throw new Error(`expected the page for ${code}, got ${shown}`)
}

/** From a page of the same origin that runs no app. */
async function tamper(context, how) {
  const page = await context.newPage()
  await page.goto(`${service.url}v1/health`)
  await page.evaluate(async (what) => {
    const settle = (request) => new Promise((resolve, reject) => {
      request.onsuccess = () => resolve(request.result)
      request.onerror = () => reject(request.error)
      request.onblocked = () => reject(new Error('blocked'))
    })
    const name = (await indexedDB.databases()).map((database) => database.name).find((text) => text.startsWith('openmls-wasm '))
    if (what === 'database-missing') return settle(indexedDB.deleteDatabase(name))
    const database = await settle(indexedDB.open(name))
    const write = async (store, key, value) => {
      const tx = database.transaction(store, 'readwrite')
      const done = new Promise((resolve, reject) => {
        tx.oncomplete = resolve
        tx.onabort = () => reject(tx.error)
      })
      const [first] = await settle(tx.objectStore(store).getAllKeys())
      tx.objectStore(store).put(value, key ?? first)
      await done
    }
    await write('meta', 'format', what === 'newer-format' ? 99 : 2)
    if (what === 'damaged-group') await write('epoch_records', undefined, new Uint8Array([255, 255]))
    if (what === 'damaged-record') await write('signature_key_pair', undefined, new Uint8Array([255, 255]))
    database.close()
    return undefined
  }, how)
  await page.close()
}

async function refuseWrites(page, on) {
  await page.evaluate((refuse) => {
    const original = (window.__transaction ??= IDBDatabase.prototype.transaction)
    IDBDatabase.prototype.transaction = refuse
      ? function transaction(stores, mode, options) {
          const tx = original.call(this, stores, mode, options)
          if (mode === 'readwrite') tx.abort()
          return tx
        }
      : original
  }, on)
}

async function chatter(anna, ben) {
  await say(anna, 'Hello Ben! Do you still want to go hiking on Saturday?')
  await received(ben, 'hiking')
  await say(ben, 'Yes!')
  await say(ben, 'The forecast says sun until the evening. I could be at your place at eight.')
  await received(anna, 'forecast')
  await say(anna, 'Perfect ☀️ I bring coffee.')
  await received(ben, 'coffee')
}

async function say(page, text, state = 'sent') {
  await page.getByTestId('composer-input').fill(text)
  await page.keyboard.press('Enter')
  await page.locator(`[data-testid=message][data-own=true][data-state=${state}]`).filter({ hasText: text.split('\n')[0] }).waitFor()
}

async function received(page, text) {
  await page.locator('[data-testid=message][data-own=false]').filter({ hasText: text }).waitFor()
}

async function newGroup(page, name, people) {
  await page.setViewportSize(sizes[1])
  await page.getByTestId('new-group-button').click()
  await page.getByTestId('group-name-input').fill(name)
  for (const user of people) {
    await page.getByTestId('group-people-input').fill(user)
    await page.keyboard.press('Enter')
  }
  await page.getByTestId('create-group-button').click()
  for (const user of people) await page.getByTestId('event-line').filter({ hasText: user }).waitFor()
}

async function select(page, name) {
  await page.setViewportSize(sizes[1])
  await page.getByTestId('conversation-item').filter({ hasText: name }).click()
}

async function person(name) {
  const page = await profile()
  await page.goto(service.url)
  await register(page, name)
  return page
}

async function register(page, name, protection = 'device') {
  await page.getByTestId('name-input').fill(name)
  await protect(page, protection)
  await page.getByTestId('register-button').click()
  await page.locator('[data-testid=connection-status][data-status=online]').waitFor()
}

/** A browser profile of its own. */
async function profile() {
  const context = await browser.newContext({ viewport: sizes[1], reducedMotion: 'reduce', locale: 'en-GB' })
  context.setDefaultTimeout(15_000)
  const page = await context.newPage()
  page.on('pageerror', (error) => console.error(`page error: ${error.message}`))
  return page
}

async function dark(page, name) {
  await page.emulateMedia({ colorScheme: 'dark', reducedMotion: 'reduce' })
  await shoot(page, name)
  await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' })
}

async function shoot(page, name, before) {
  await before?.()
  if (!name.includes(wanted)) return
  for (const size of sizes) {
    await page.setViewportSize(size)
    // Two frames: the views follow the size of the window.
    await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))))
    await page.screenshot({ path: join(folder, `${name}-${size.width}.png`), animations: 'disabled' })
    const width = await page.evaluate(() => document.documentElement.scrollWidth)
    if (width > size.width) {
      tooWide += 1
      console.error(`${name} is ${width} pixels wide in a window of ${size.width}`)
    }
  }
  console.log(name)
}

/** The delivery service on a free port, with a database of its own. */
async function startService() {
  const binary = process.env.DELIVERY_SERVICE_BINARY ?? join(root, 'target', 'service', 'delivery-service')
  const child = spawn(binary, [
    '--listen', '127.0.0.1:0', '--database', join(scratch, 'service.sqlite'), '--static', join(root, 'frontend', 'dist'),
  ], { stdio: ['ignore', 'pipe', 'pipe'] })
  const ended = new Promise((done) => child.once('exit', done))
  const url = await new Promise((found, failed) => {
    child.once('error', failed)
    child.once('exit', (code) => failed(new Error(`the delivery service ended with ${code}`)))
    for (const stream of [child.stdout, child.stderr]) {
      createInterface(stream).on('line', (line) => {
        const [address] = /http:\/\/127\.0\.0\.1:\d+/.exec(line) ?? []
        if (address !== undefined) found(`${address}/`)
      })
    }
  })
  return { process: child, ended, url }
}
