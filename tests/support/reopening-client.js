// The package, with a client that is closed and opened again after every call: what a method needs of an earlier one must
// be in the database.
import { CoreCryptoClient as Client } from '../../openmls-wasm/dist/index.js'

export * from '../../openmls-wasm/dist/index.js'
export { ReopeningClient as CoreCryptoClient }

class ReopeningClient {
  #options
  #client
  /** What was given to `on`, and what ends it in the client of now. */
  #listeners = new Map()
  /** What was given to `beforeRemovals`. */
  #hooks = new Map()
  #last = Promise.resolve()
  #locked = false

  static async open(options) {
    const client = new ReopeningClient(options)
    await client.open()
    return client
  }

  constructor(options) {
    this.#options = options
    this.#client = new Client(options)
    return new Proxy(this, {
      get: (self, name) => {
        if (name in self) return typeof self[name] === 'function' ? self[name].bind(self) : self[name]
        return typeof self.#client[name] === 'function' ? (...values) => self.#call(name, values) : self.#client[name]
      },
    })
  }

  open() {
    return this.#client.open()
  }

  on(...listener) {
    this.#listeners.set(listener, this.#client.on(...listener))
    return () => {
      this.#listeners.get(listener)()
      this.#listeners.delete(listener)
    }
  }

  /** As `on`. */
  beforeRemovals(hook) {
    this.#hooks.set(hook, this.#client.beforeRemovals(hook))
    return () => {
      this.#hooks.get(hook)()
      this.#hooks.delete(hook)
    }
  }

  async close() {
    await this.#last
    return this.#client.close()
  }

  /** One after the other: a call made meanwhile would find a client that is closing. */
  #call(name, values) {
    const result = this.#last.then(() => this.#client[name](...values)).then((value) => this.#done(name, values, value))
    this.#last = result.catch(() => undefined).then(() => this.#reopen())
    return this.#last.then(() => result)
  }

  /** What unlocks the vault from now on; and a client that is locked stays so. A stream is read to its end first. */
  async #done(name, [current, next], value) {
    if (name === 'exportSnapshot') return (await new Response(value).blob()).stream()
    if (name === 'lock') this.#locked = true
    if (name === 'unlock') this.#locked = false
    if (name === 'unlock' || name === 'changeVaultUnlock') this.#options = { ...this.#options, vault: { unlock: next ?? current } }
    return value
  }

  async #reopen() {
    if (this.#locked) return
    await this.#client.close()
    this.#client = new Client({ ...this.#options, mustExist: true })
    for (const listener of this.#listeners.keys()) this.#listeners.set(listener, this.#client.on(...listener))
    for (const hook of this.#hooks.keys()) this.#hooks.set(hook, this.#client.beforeRemovals(hook))
    await this.#client.open()
  }
}
