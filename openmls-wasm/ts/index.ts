/** The public surface of `openmls-wasm`. */

export * from './common.js';
export { restoreDatabase, type RestoreReport, type RestoreTask } from './snapshot/restore.js';
export { rotateDataKey, sealDatabase, unsealDatabase, vaultInfo, type VaultTask } from './vault/manage.js';
export { CoreCryptoClient } from './core-crypto-client.js';
export { WasmEngineHost } from './wasm-engine-host.js';
