/**
 * `openmls-wasm/pq`: all of `openmls-wasm` over a build of the wasm that also has the post-quantum ciphersuites of
 * draft-ietf-mls-pq-ciphersuites (X-Wing, which is ML-KEM-768 with X25519; ML-KEM; ML-DSA). Their numbers are provisional,
 * as the draft is. Import everything from here, not from `openmls-wasm` too: the classes of the same names are others.
 */

import { createGlue } from '../pkg-pq/openmls_wasm.js';
import { ReceivingMethods } from './client/receiving.js';
import { BuildEngineHost, WasmBuild, type WasmSource } from './engine.js';
import type { CoreCryptoOptions } from './options.js';

export * from './common.js';
export { restoreDatabase, type RestoreReport, type RestoreTask } from './snapshot/restore.js';
export { rotateDataKey, sealDatabase, unsealDatabase, vaultInfo, type VaultTask } from './vault/manage.js';

const BUILD = /* @__PURE__ */ new WasmBuild(
  createGlue,
  () => new URL('../pkg-pq/openmls_wasm_bg.wasm', import.meta.url),
);

/** Starts instances of the package's wasm with post-quantum ciphersuites. */
export class WasmEngineHost extends BuildEngineHost {
  /** @param source default: the file next to the package's code, found by bundlers through `import.meta.url`. */
  constructor(source?: WasmSource | PromiseLike<WasmSource>) {
    super(BUILD, source);
  }
}

/** The client of `openmls-wasm`, with post-quantum ciphersuites. */
export class CoreCryptoClient extends ReceivingMethods {
  /** A client that is not open yet, as in `openmls-wasm`. */
  constructor(options: CoreCryptoOptions) {
    super(options, (source) => new WasmEngineHost(source));
  }

  /** Opens a client, as in `openmls-wasm`. */
  static async open(options: CoreCryptoOptions): Promise<CoreCryptoClient> {
    const client = new CoreCryptoClient(options);
    await client.open();
    return client;
  }
}
