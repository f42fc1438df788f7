/**
 * What there is of a client in this browser, before it is opened (promise G6).
 *
 * A browser that evicts a site's storage takes all of the origin at once: nothing is left to say so. Whether there was a client
 * here is known outside only, by the delivery service that it has signed in to.
 */

import { CoreCryptoError } from './errors.js';
import { DATABASE_VERSION, peek, restoreUnfinished, tooOld } from './indexeddb-layout.js';
import { FIRST_VERSION } from './migrations/index.js';
import { checkHeader } from './vault/header.js';

/**
 * - `fresh`: there is no database, and there has never been one: say so by `knownElsewhere: false`.
 * - `evicted-suspected`: there is none, and elsewhere a client of it is known: the browser has evicted it, or the user cleared it.
 * - `unknown`: there is none, and nobody says whether there has been.
 * - `restored`: there is one, in the clear.
 * - `locked`: there is one, sealed.
 * - `newer-format`: there is one that a newer version of this package has written.
 * - `damaged`: there is one that is not as it was written; `damage` says what of it. What of single records is damaged shows
 *   when it is opened, and group by group when they are used.
 */
export type DatabaseState = 'fresh' | 'evicted-suspected' | 'unknown' | 'restored' | 'locked' | 'newer-format' | 'damaged';

/** What {@link databaseState} tells. */
export interface DatabaseReport {
  /** See there. */
  readonly state: DatabaseState;
  /** Of a damaged one: what is wrong. */
  readonly damage?: CoreCryptoError;
}

/**
 * Looks at a database without changing anything.
 * @param knownElsewhere whether the delivery service knows this client; undefined if it could not be asked
 * @param format of the records that this version knows
 * @throws CoreCryptoError `indexeddb-unavailable`
 */
export async function databaseState(name: string, knownElsewhere?: boolean, format: number = KNOWN_FORMAT): Promise<DatabaseReport> {
  try {
    const { version, meta } = await peek(name);
    if (version > DATABASE_VERSION || Number(meta.format) > format) {
      return { state: 'newer-format' };
    }
    if (version < FIRST_VERSION) {
      return { state: 'damaged', damage: tooOld(name) };
    }
    if (meta.restoring !== undefined) {
      return { state: 'damaged', damage: restoreUnfinished(name) };
    }
    if (meta.vault === undefined) {
      return { state: 'restored' };
    }
    checkHeader(name, meta.vault);
    return { state: 'locked' };
  } catch (error) {
    if (!(error instanceof CoreCryptoError)) {
      throw error;
    }
    switch (error.code) {
      case 'database-missing':
        return { state: knownElsewhere === undefined ? 'unknown' : knownElsewhere ? 'evicted-suspected' : 'fresh' };
      case 'newer-format':
        return { state: 'newer-format' };
      case 'damaged-record':
        return { state: 'damaged', damage: error };
      default:
        throw error;
    }
  }
}

/** The format that the wasm of this version writes; a test compares them. */
const KNOWN_FORMAT = 3;
