// The page of the tests: a person with the npm package, the chat's sync engine and its history, but no views.
// Everything that matters is reported to the test, which lives outside of the browser and survives its death.
import { CoreCryptoClient, CoreCryptoError } from 'openmls-wasm'
import { fromBase64Url, fromHex, identityBytes, parseIdentity, toBase64Url, toHex } from '../../frontend/src/delivery/bytes.ts'
import { DeliveryClient } from '../../frontend/src/delivery/client.ts'
import { History } from '../../frontend/src/history/history.ts'
import { decodePayload } from '../../frontend/src/history/payload.ts'
import { SyncEngine } from '../../frontend/src/sync/engine.ts'
import { databases } from './databases.js'
import { faults } from './faults.js'
import { PanickingHost } from './panics.js'
import { reportingClient, reportingFetch, reportingHistory, report, uploads } from './reports.js'
import { SwallowingPersister } from './swallowing-persister.js'

const databaseOf = (user) => `openmls-wasm ${user}`
const all = Number.MAX_SAFE_INTEGER

/** After every write two other groups are used in turn: with no room in memory each pushes the conversation out of it. */
async function crowd(client) {
  if (await client.identity() === undefined) return
  const others = ['crowd 1', 'crowd 2'].map((name) => identityBytes({ user: name, client: 'group' }))
  for (const group of others) {
    await client.createGroup(group).catch((error) => { if (error.code !== 'group-exists') throw error })
  }
  let turn = 0
  // Whoever closes meanwhile, or has a write that fails, is not asked.
  client.on('saved', () => void client.groupInfo(others[(turn += 1) % 2]).catch(() => undefined))
}

class Person {
  static async open({ user, retry, swallowAfter, panics, mustExist, crowded, vault }) {
    const name = databaseOf(user)
    const engine = panics && (window.host = new PanickingHost())
    const client = new CoreCryptoClient({
      name,
      ...(mustExist && { mustExist }),
      ...(crowded && { memoryLimit: 0 }),
      ...(retry && { retry }),
      ...(vault && { vault }),
      ...(engine && { engine }),
      ...(swallowAfter !== undefined && { persister: new SwallowingPersister({ name }, swallowAfter) }),
    })
    await client.open()
    if (crowded) await crowd(client)
    return new Person(user, client)
  }

  constructor(user, client) {
    this.user = user
    this.raw = client
    this.client = reportingClient(client)
    this.clientEvents = []
    for (const event of ['storage-error', 'storage-recovered', 'rolled-back', 'engine-restarted', 'writer-lost', 'incoming-failed']) {
      client.on(event, () => { this.clientEvents.push(event); this.changed() })
    }
    this.problems = []
    this.joiningAnew = []
    this.waiting = []
    this.changed = () => { for (const wake of this.waiting.splice(0)) wake() }
  }

  /** Makes the identity if there is none, and reaches for the delivery service. */
  async start() {
    const identity = (await this.client.identity()) ?? (await this.client.createIdentity(identityBytes({ user: this.user, client: 'browser' })))
    const own = parseIdentity(identity.identity)
    this.delivery = new DeliveryClient(location.origin, {
      ...own,
      publicKey: identity.signaturePublicKey,
      registered: false,
      sign: (challenge) => this.client.signWithLabel('openmls-wasm sign-in', challenge),
    }, reportingFetch)
    this.history = reportingHistory(await History.open(`chat ${this.user}`, own))
    this.engine = new SyncEngine({ client: this.client, delivery: this.delivery, history: this.history, own })
    for (const event of ['conversations', 'lines', 'members', 'status', 'history-error']) {
      this.engine.events.on(event, () => this.changed())
    }
    this.engine.events.on('joining-anew', (conversation) => { this.joiningAnew.push(conversation); this.changed() })
    this.engine.events.on('problem', ({ where, error }) => this.problems.push(`${where}: ${error?.code ?? error?.message ?? error}`))
    await this.engine.start()
  }

  /** Settles when `check` is fulfilled: asked again whenever something has changed. */
  async until(check) {
    for (;;) {
      const change = new Promise((resolve) => this.waiting.push(resolve))
      const found = await check()
      if (found) return found
      await change
    }
  }

  online() {
    return this.until(() => this.engine.status === 'online')
  }

  /** Others can invite this one. */
  async invitable() {
    await this.online()
    await this.engine.keyPackages.run()
  }

  /** Makes a group with all of these; its id when they have been added. */
  async createGroup(users) {
    const conversation = await this.engine.createConversation('tests', users)
    await this.members(conversation, users.length + 1)
    await this.until(async () => (await this.engine.intentions(conversation)).length === 0)
    return conversation
  }

  members(conversation, count) {
    return this.until(async () => (await this.history.conversation(conversation))?.members.length === count)
  }

  /** The first group this one is in, once it is. */
  async group() {
    const { id } = await this.until(async () => (await this.history.conversations())[0])
    return id
  }

  async position(conversation) {
    return (await this.client.deliveryCursor(fromHex(conversation))) ?? 0
  }

  /** Sends without a pause: the next as soon as the promise of the one before has settled. */
  async sendInALoop(conversation, words, count) {
    this.stopped = false
    for (let number = 0; number < count && !this.stopped; number += 1) {
      const settled = this.client.nextSend()
      void this.engine.sendText(conversation, `${words} ${number}`)
      await settled
    }
  }

  stop() {
    this.stopped = true
  }

  send(conversation, text) {
    return this.engine.sendText(conversation, text)
  }

  /** Nothing left to upload, nothing left to hand over, the log read up to `position`. */
  async rest(conversation, position = 0) {
    await this.until(async () =>
      (await this.client.outbox()).length === 0 &&
      (await this.client.inbox()).length === 0 &&
      (await this.position(conversation)) >= position)
  }

  /** The history: texts by position, and whatever else should not be there. */
  async lines(conversation) {
    const { lines } = await this.history.lines(conversation, all)
    return lines
      .sort((a, b) => (a.position ?? Infinity) - (b.position ?? Infinity) || a.order - b.order)
      .map(({ id, position, kind, text, own, event }) => ({ id, position, kind, text, own, event: event?.type }))
  }

  async texts(conversation) {
    return (await this.lines(conversation)).filter(({ kind }) => kind === 'text').map(({ text }) => text)
  }

  async info(conversation) {
    const { epoch, epochAuthenticator, members } = await this.client.groupInfo(fromHex(conversation))
    return { epoch: String(epoch), authenticator: toHex(epochAuthenticator), members: members.length }
  }

  /** For a test that comes to no end: where everything is. */
  async whereabouts() {
    const { id } = (await this.history.conversations())[0]
    return {
      status: this.engine.status,
      outbox: (await this.raw.outbox()).map(({ kind, epoch }) => `${kind} of epoch ${epoch}`).slice(0, 3),
      inbox: (await this.raw.inbox()).map(word).slice(0, 3),
      position: await this.position(id),
      lines: (await this.lines(id)).length,
      problems: this.problems.slice(-5),
      events: this.clientEvents.slice(-5),
    }
  }

  async close() {
    this.engine?.stop()
    this.history?.close()
    await this.raw.close()
  }
}

/** A short word for an inbox item. */
function word(item) {
  if (item === undefined) return 'nothing'
  if (item.kind !== 'message' && item.kind !== 'sent') return item.kind
  const payload = decodePayload(item.plaintext)
  return payload?.text ?? payload?.name ?? 'unknown'
}

Object.assign(window, { CoreCryptoClient, CoreCryptoError, Person, databases, faults, report, uploads, databaseOf, toBase64Url, fromBase64Url, toHex, fromHex, word, PanickingHost })
