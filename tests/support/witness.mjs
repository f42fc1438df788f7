// A member of the group that no browser runs and nobody kills: MlsClient in Node, over a bare HTTP client of its own. It
// shares the wasm with the clients under test, but neither their storage, nor their loop, nor their sync engine.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { WasmEngineHost } from 'openmls-wasm'
import { packageDir } from '../../scripts/lib/paths.mjs'

const base64 = (bytes) => Buffer.from(bytes).toString('base64url')
const bytesOf = (text) => new Uint8Array(Buffer.from(text, 'base64url'))

export class Witness {
  #url
  #token
  #client
  #user
  groupId
  /** Entries of the log in order: `{position, id, sender, bytes, item}`. */
  log = []

  static async join(url, user) {
    const witness = new Witness()
    witness.#url = url
    witness.#user = user
    const engine = await new WasmEngineHost(readFileSync(join(packageDir, 'pkg', 'openmls_wasm_bg.wasm'))).start()
    witness.#client = engine.client
    await witness.#register()
    return witness
  }

  get client() {
    return this.#client
  }

  async #register() {
    const identity = this.#client.createIdentity(Buffer.from(`${this.#user}/node`))
    const { challenge } = await this.request('POST', '/challenges', {})
    const signature = this.#client.signWithLabel('openmls-wasm sign-in', bytesOf(challenge))
    const { token } = await this.request('POST', '/clients', {
      user: this.#user, client: 'node', publicKey: base64(identity.signaturePublicKey), challenge, signature: base64(signature),
    })
    this.#token = token
    await this.request('PUT', '/key-packages', { keyPackages: this.#client.generateKeyPackages(1).map(base64) })
  }

  /** Joins by the Welcome that is waiting; the commit that it came with has been accepted already. */
  async joinGroup() {
    const { welcomes } = await this.request('GET', '/welcomes?after=0')
    const [welcome] = welcomes
    const item = this.#client.receiveWelcome({
      bytes: bytesOf(welcome.welcome), id: welcome.id, position: welcome.position, groupPosition: welcome.groupPosition,
    })
    assert.equal(item?.kind, 'joined')
    this.groupId = item.groupId
    this.start = welcome.groupPosition
  }

  /** Reads the log to its end and decrypts every entry of it. @returns {Promise<number>} the position of its end */
  async readLog() {
    for (;;) {
      const after = this.#client.deliveryCursor(this.groupId) ?? 0
      const { entries, more } = await this.request('GET', `/groups/${base64(this.groupId)}/log?after=${after}`)
      for (const { position, id, sender, message } of entries) {
        const item = this.#client.receiveMessage({ bytes: bytesOf(message), id, position })
        this.log.push({ position, id, sender, bytes: message, item, text: textOf(item) })
      }
      if (!more) return this.#client.deliveryCursor(this.groupId) ?? 0
    }
  }

  info() {
    const { epoch, epochAuthenticator, members } = this.#client.groupInfo(this.groupId)
    return { epoch: String(epoch), authenticator: Buffer.from(epochAuthenticator).toString('hex'), members: members.length }
  }

  /**
   * Decrypts one ciphertext, whatever became of it. Two that share a ratchet generation cannot both be decrypted.
   * @returns {string | undefined} why it cannot be; undefined too if it is of an epoch before this one joined
   */
  decrypt(ciphertext) {
    const bytes = bytesOf(ciphertext)
    if (epochOf(bytes) < this.#client.groupInfo(this.groupId).epoch) return undefined
    try {
      const item = this.#client.processMessage(bytes)
      return item.kind === 'failed' ? item.code : undefined
    } catch (error) {
      return `${error.code}: ${error.message}`
    }
  }

  async request(method, path, body) {
    const response = await fetch(`${this.#url}/v1${path}`, {
      method,
      headers: {
        ...(body && { 'content-type': 'application/json' }),
        ...(this.#token && { authorization: `Bearer ${this.#token}` }),
      },
      ...(body && { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    assert.ok(response.ok, `${method} ${path}: ${response.status} ${text}`)
    return text === '' ? undefined : JSON.parse(text)
  }
}

function textOf(item) {
  if (item?.kind !== 'message') return undefined
  return JSON.parse(Buffer.from(item.plaintext).toString()).text
}

/** The epoch in the header of a framed PrivateMessage (RFC 9420 §6): version, wire format, group id, epoch. */
function epochOf(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  // Group ids of these tests are shorter than 64 bytes: their length is one byte (RFC 9420 §2.1.2).
  assert.ok(view.getUint8(4) < 64)
  return view.getBigUint64(5 + view.getUint8(4))
}
