// Must-show 7, with what the browser itself does to a page: its quota is reached, its connections are closed, its data is
// evicted. The faults that only a test can produce, at every point, are in faults.test.mjs.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, afterEach, before, beforeEach, test } from 'node:test'
import { buildPage } from './support/page.mjs'
import { startService } from './support/service.mjs'
import { settle, twoUsers } from './support/user.mjs'

const timeout = 30_000
const retry = { attempts: 1_000_000, firstDelayMs: 20, maxDelayMs: 20 }
let service
let here
let said = []
let cleanup

before(async () => {
  service = await startService(await buildPage())
  // From before the first write: the browser remembers for a while how much room there was.
  here = await twoUsers(service.url, { retry }, (user) => quota(user, 300_000))
})

after(async () => {
  await here?.remove()
  await service?.stop()
})

async function cdp(user, method, parameters) {
  user.session ??= await user.profile.context.newCDPSession(user.page)
  return user.session.send(method, { origin: new URL(user.page.url()).origin, ...parameters })
}

const quota = (user, quotaSize) => cdp(user, 'Storage.overrideQuotaForOrigin', { quotaSize })

async function bothHaveAll() {
  const { users, conversation } = here
  await settle(users, conversation)
  for (const user of users) {
    const short = (texts) => texts.map((text) => `${text.slice(0, 40)} of ${text.length}`).toSorted()
    // Each once; their order is that of the log, except for own ones that the history got later than the log.
    assert.deepEqual(short(await user.run((group) => me.texts(group), conversation)), short(said), user.name)
  }
}

/** That does not get shorter in the database. */
const longText = () => randomBytes(675_000).toString('base64')

const failing = (user) => user.run(() => me.until(() => me.clientEvents.includes('storage-error')))
const recovered = (user) => user.run(() => me.until(() => me.clientEvents.includes('storage-recovered')))

beforeEach((t) => {
  const watch = setTimeout(() => void Promise.all(here.users.map(async (user) =>
    console.error(user.name, await user.run(() => me.whereabouts()).catch((error) => error.message)))), timeout - 5000).unref()
  t.signal?.addEventListener('abort', () => clearTimeout(watch))
  cleanup = () => clearTimeout(watch)
})
afterEach(() => cleanup())

test('the quota is reached while sending', { timeout }, async () => {
  const { anna, conversation } = here
  const text = longText()
  const sending = anna.run(([group, words]) => me.send(group, words), [conversation, text])
  await failing(anna)
  assert.equal(anna.reports.some((report) => report.kind === 'upload' && report.bytes.length > 900_000), false)
  await quota(anna, undefined)
  await recovered(anna)
  await sending
  said.push(text)
})

test('the quota is reached while receiving', { timeout }, async () => {
  const { anna, ben, conversation } = here
  // The browser grants some room beyond the quota: it takes a few until there is none.
  const failed = failing(ben)
  for (let number = 0; number < 4; number += 1) {
    said.push(longText())
    await anna.run(([group, words]) => me.send(group, words), [conversation, said.at(-1)])
  }
  await failed
  assert.ok((await ben.run((group) => me.texts(group), conversation)).length < said.length)
  await quota(ben, undefined)
  await recovered(ben)
  await bothHaveAll()
})

/** Chromium's own page for it: every connection of the site is closed, with the transactions that run. */
async function forceClose(user) {
  const page = await user.profile.context.newPage()
  await page.goto('chrome://indexeddb-internals')
  await page.getByText('Force close', { exact: true }).click()
  await page.getByText('Open connections: 0').waitFor()
  await page.close()
}

test('the browser closes all connections while sending', { timeout }, async () => {
  const { anna, conversation } = here
  const sending = anna.run(([group, words]) => me.sendInALoop(group, words, 60), [conversation, 'through a closed connection:'])
  await anna.run((group) => me.until(async () => (await me.texts(group)).includes('through a closed connection: 10')), conversation)
  await forceClose(anna)
  await sending
  said.push(...Array.from({ length: 60 }, (_, number) => `through a closed connection: ${number}`))
  await bothHaveAll()
})

test('the browser closes all connections while receiving', { timeout }, async () => {
  const { anna, ben, conversation } = here
  const sending = anna.run(([group, words]) => me.sendInALoop(group, words, 60), [conversation, 'to a closed connection:'])
  await ben.run((group) => me.until(async () => (await me.texts(group)).includes('to a closed connection: 10')), conversation)
  await forceClose(ben)
  await sending
  said.push(...Array.from({ length: 60 }, (_, number) => `to a closed connection: ${number}`))
  await bothHaveAll()
})

test('after a reload all of it is there, and they go on', { timeout }, async () => {
  const { users, anna, ben, conversation } = here
  await Promise.all(users.map((user) => user.reload({ retry })))
  await bothHaveAll()
  for (const user of [anna, ben]) {
    said.push(`${user.name} again`)
    await user.run(([group, words]) => me.send(group, words), [conversation, `${user.name} again`])
    await bothHaveAll()
  }
  for (const user of users) assert.deepEqual(user.profile.errors, [])
})

test('data that the browser evicts is a typed outcome, not an empty start', { timeout }, async () => {
  const { ben, conversation } = here
  await ben.run(() => me.engine.stop())
  await cdp(ben, 'Storage.clearDataForOrigin', { storageTypes: 'indexeddb' })
  const codes = await ben.run(async (group) => {
    const send = () => me.raw.sendMessage(fromHex(group), new Uint8Array(1)).then(() => 'sent', (error) => error.code)
    return [await send(), await send(), me.raw.state, (await indexedDB.databases()).map(({ name }) => name).filter((name) => name.startsWith('openmls-wasm'))]
  }, conversation)
  assert.deepEqual(codes, ['database-missing', 'database-missing', 'failed', []])
})
