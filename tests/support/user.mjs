// A person in a browser of their own, on the page of the tests.
import assert from 'node:assert/strict'
import { Profile } from './browser.mjs'

/** Chromium found its own files corrupt and deleted them: see `Profile.databasesWereDeleted`. */
export class LostByBrowser extends Error {}

export class User {
  profile = new Profile()
  /** Reports of the page, oldest first; see page/reports.js. */
  reports = []

  /**
   * @param {import('./ledger.mjs').Ledger} [ledger] is told what the page reports
   * @param {object} [always] what the client is opened with each time
   */
  constructor(name, ledger, always = {}) {
    this.name = name
    this.ledger = ledger
    this.always = always
  }

  /** Starts the browser, and in it the client and all that carries its messages. */
  async start(url, options = {}) {
    await this.browse(url)
    await this.begin(options)
    return this
  }

  /**
   * Comes back after a kill, on what must be there.
   * @throws {LostByBrowser} if Chromium has deleted it; that the client says so, and begins nothing new, is checked here
   */
  async comeBack(url) {
    await this.browse(url)
    const refused = await this.run(async (options) => {
      try {
        window.me = await Person.open({ ...options, mustExist: true })
      } catch (error) {
        return error.code ?? String(error)
      }
      await me.start()
      return undefined
    }, { ...this.always, user: this.name })
    if (refused === 'database-missing' && this.profile.databasesWereDeleted()) throw new LostByBrowser(this.name)
    assert.equal(refused, undefined)
  }

  /** Starts the browser with the page in it, and no client yet. */
  async browse(url) {
    await this.profile.start()
    await this.visit(url)
    return this
  }

  async visit(url) {
    this.page = await this.profile.page(url, (page) =>
      page.exposeFunction('reportToTest', (report) => {
        this.reports.push(report)
        this.ledger?.add(this.name, report)
      }))
  }

  /** Opens the client. */
  async begin(options = {}) {
    await this.run(async ({ user, options }) => {
      window.me = await Person.open({ user, ...options })
      await me.start()
    }, { user: this.name, options: { ...this.always, ...options } })
  }

  /** Reloads the page without closing the client first, as users do, and opens it again. */
  async reload(options = {}) {
    await this.page.reload()
    await this.begin(options)
    await this.run(() => me.online())
  }

  run(work, argument) {
    return this.page.evaluate(work, argument)
  }

  async kill() {
    await this.profile.kill()
    this.ledger?.killed(this.name)
  }

  remove() {
    return this.profile.remove()
  }
}

/**
 * Two people in one group, at rest.
 * @param {(user: User) => Promise<unknown>} [prepare] is called before the client is opened
 */
export async function twoUsers(url, options = {}, prepare = undefined) {
  const users = [new User('anna'), new User('ben')]
  await Promise.all(users.map(async (user) => {
    await user.browse(url)
    await prepare?.(user)
    await user.begin(options)
    await user.run(() => me.invitable())
  }))
  const [anna, ben] = users
  const conversation = await anna.run(() => me.createGroup(['ben']))
  await ben.run((group) => me.members(group, 2), conversation)
  await settle(users, conversation)
  return { anna, ben, users, conversation, remove: () => Promise.all(users.map((user) => user.remove())) }
}

/** Waits until everything that was sent has arrived everywhere. @returns the position of the end of the log */
export async function settle(users, conversation) {
  let end = 0
  for (const user of users) {
    await user.run((group) => me.rest(group), conversation)
    end = Math.max(end, await user.run((group) => me.position(group), conversation))
  }
  for (const user of users) await user.run(([group, position]) => me.rest(group, position), [conversation, end])
  return end
}
