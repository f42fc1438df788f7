/** The public surface of `openmls-wasm`. */

export * from './common.js';
export { CoreCryptoClient } from './core-crypto-client.js';
export { WasmEngineHost } from './wasm-engine-host.js';
