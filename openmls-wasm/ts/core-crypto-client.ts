/**
 * `CoreCryptoClient`: MLS (RFC 9420) for a web app, over a store that never silently loses, forks or rolls back a group.
 *
 * What a promise of this class means: it settles with its result after everything the call changed, and everything
 * changed before it, is durable (promise G1). It rejects after what it did has been taken back; the one exception is the
 * code `outcome-unknown`, and it says so. Calls take effect in the order they are made; there is no need to await one
 * before the next. (With `validateCredential`, those that may have to ask take effect once the app has answered, in order
 * within their group.)
 *
 * Not to be changed until the promise settles: the byte arrays passed in.
 */

import { ReceivingMethods } from './client/receiving.js';
import type { CoreCryptoOptions } from './options.js';
import { WasmEngineHost } from './wasm-engine-host.js';

/**
 * A client: one identity on one device, with its key packages and groups, in one database.
 *
 * Every method may reject with a {@link CoreCryptoError}: `storage-failed`, `outcome-unknown`, `engine-panicked`,
 * `writer-lost`, `closed`, `invalid-argument`, and the codes that are named at the method.
 */
export class CoreCryptoClient extends ReceivingMethods {
  /**
   * A client that is not open yet. `receiveMessage` and `receiveWelcome` may be called from now on, and go through the
   * durable queue; other calls wait for {@link open}.
   */
  constructor(options: CoreCryptoOptions) {
    super(options, (source) => new WasmEngineHost(source));
  }

  /**
   * Opens a client. Then look into {@link inbox} and {@link outbox}: what the last run left is there. (To hear of what is
   * processed while opening, make the client with `new`, listen, and call {@link open}.)
   * @throws CoreCryptoError `already-open`, `newer-format`, `damaged-record`, `database-missing`,
   * `indexeddb-unavailable`, `locks-unavailable`, `wasm-unavailable`, `storage-failed`; the database is then as it was
   */
  static async open(options: CoreCryptoOptions): Promise<CoreCryptoClient> {
    const client = new CoreCryptoClient(options);
    await client.open();
    return client;
  }
}
