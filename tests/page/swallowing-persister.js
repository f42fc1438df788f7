// What promise G1 forbids: after `honest` writes it says that a write is done and does nothing. The control of the crash
// test opens a client on it, and must find what that loses.
import { IndexedDbPersister } from 'openmls-wasm'

export class SwallowingPersister extends IndexedDbPersister {
  #honest

  constructor(options, honest) {
    super(options)
    this.#honest = honest
  }

  async write(batch) {
    this.#honest -= 1
    if (this.#honest >= 0) await super.write(batch)
  }
}
