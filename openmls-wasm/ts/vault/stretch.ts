/** Argon2id, by the wasm. */

import type { EngineHost } from '../engine.js';
import { CoreCryptoError } from '../errors.js';
import type { Stretch } from './unlock.js';

/** Runs Argon2id in an instance of its own, which goes with the memory that it took. */
export function stretchWith(host: EngineHost): Stretch {
  return async (passphrase, salt, { memoryKiB, iterations }) => {
    const engine = await host.start();
    try {
      return engine.argon2id(passphrase, salt, memoryKiB, iterations);
    } catch (error) {
      throw new CoreCryptoError(
        'engine-panicked',
        `Argon2id with ${memoryKiB / 1024} MiB could not be run; nothing has changed, close other tabs and try again`,
        { cause: error },
      );
    } finally {
      engine.discard();
    }
  };
}
