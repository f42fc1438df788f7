/**
 * `openmls-wasm/in-worker`: a client that does everything in a worker, behind the same API. A page stays responsive while a
 * thousand members are added or a large group is joined.
 */

export { createInWorker, openInWorker, type WorkerClientOptions } from './worker/page.js';
export type { CoreCryptoClient } from './core-crypto-client.js';
