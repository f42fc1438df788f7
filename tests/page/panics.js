// Makes the wasm panic, in the build for tests (feature `test-hooks`).
import { WasmEngineHost } from 'openmls-wasm'

/** The host of the package, which remembers the engine that it made last and can be told to panic in it. */
export class PanickingHost {
  #host = new WasmEngineHost()

  async start() {
    const engine = await this.#host.start()
    this.engine = engine
    return engine
  }

  /** The next call of `method` panics after it has done its work in memory: the worst moment. */
  panicIn(method) {
    const { client } = this.engine
    const work = client[method].bind(client)
    client[method] = (...args) => {
      work(...args)
      return client.panicForTest()
    }
  }
}
