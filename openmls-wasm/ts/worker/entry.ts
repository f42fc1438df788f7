/** What runs in the worker of a client: `openmls-wasm/worker`. */

import { CoreCryptoClient } from '../core-crypto-client.js';
import { serveClient, type WorkerScope } from './host.js';

serveClient(globalThis as unknown as WorkerScope, (options) => new CoreCryptoClient(options));
