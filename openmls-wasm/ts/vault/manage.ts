/**
 * What is done to a database that no client has open: looking at its vault, sealing it, turning it back, rotating its data key.
 *
 * Each of them holds the writer's lock. Killed at any point, it is gone on with by the next unlock, or by calling it again.
 */

import type { Engine, EngineHost, WasmSource } from '../engine.js';
import { CoreCryptoError } from '../errors.js';
import { peek } from '../indexeddb-layout.js';
import { IndexedDbPersister } from '../indexeddb-persister.js';
import type { Persister } from '../persister.js';
import { WasmEngineHost } from '../wasm-engine-host.js';
import { requestWebLock, type RequestWriter } from '../writer-lock.js';
import { convertRecords } from './conversion.js';
import { checkHeader, type VaultHeader, type VaultProgress } from './header.js';
import { publicInfo, type VaultInfo } from './info.js';
import { changeHeader, createVault, openVault } from './keys.js';
import { storageFailed } from './sealed-persister.js';
import { stretchWith } from './stretch.js';
import { checkUnlock, type Stretch, type VaultUnlock } from './unlock.js';

/** Which database, and what unlocks it. */
export interface VaultTask {
  /** Name of the database. */
  readonly name: string;
  /** Unlocks the vault; for `sealDatabase`: what it is made with. */
  readonly unlock: VaultUnlock;
  /** Told how far it is, after each transaction. */
  readonly onProgress?: ((progress: VaultProgress) => void) | undefined;
  /** The wasm, as for `CoreCryptoClient.open`. */
  readonly wasm?: WasmSource | PromiseLike<WasmSource> | undefined;
  /** Whether the browser is asked to flush each transaction to the disk. Default `strict`. */
  readonly durability?: 'strict' | 'relaxed' | undefined;
  /** How the writer's role is obtained. Default: an exclusive Web Lock per `name`. */
  readonly requestWriter?: RequestWriter | undefined;
  /** What makes engines. Default: the package's wasm. */
  readonly engine?: EngineHost | undefined;
}

/**
 * What the vault of a database says without being unlocked; undefined: its records are in the clear.
 * @throws CoreCryptoError `database-missing`, `newer-format`, `damaged-record`, `indexeddb-unavailable`
 */
export async function vaultInfo(name: string): Promise<VaultInfo | undefined> {
  const { vault } = (await peek(name)).meta;
  return vault === undefined ? undefined : publicInfo(checkHeader(name, vault));
}

/**
 * Seals a database that is in the clear. What was in the clear is deleted; a browser erases it on the disk when it compacts.
 * @throws CoreCryptoError `already-open`, `invalid-argument` if it is sealed already; `storage-failed`, `database-missing`
 */
export function sealDatabase(task: VaultTask): Promise<void> {
  return work(task, async ({ persister, stored, stretch, convert }) => {
    if (stored !== undefined && stored.state !== 'sealing') {
      throw new CoreCryptoError('invalid-argument', `database "${task.name}" is sealed already`);
    }
    const header = stored ?? (await createVault(task.unlock, stretch, 'sealing'));
    if (stored === undefined) {
      await persister.claimWriter(() => undefined);
      await persister.updateVault(header);
    }
    await convert(header);
  });
}

/**
 * Turns a sealed database into one in the clear.
 * @throws CoreCryptoError `already-open`, `not-sealed`, `unlock-failed`, `storage-failed`, `database-missing`
 */
export function unsealDatabase(task: VaultTask): Promise<void> {
  return work(task, async ({ persister, stored, stretch, convert }) => {
    const header = await sealed(task, stored, convert);
    await persister.claimWriter(() => undefined);
    const unsealing = await changeHeader(task.name, header, task.unlock, stretch, { state: 'unsealing' });
    await persister.updateVault(unsealing);
    await convert(unsealing);
  });
}

/**
 * Seals all records with a new data key, and forgets the old one.
 * @throws CoreCryptoError `already-open`, `not-sealed`, `unlock-failed`, `storage-failed`, `database-missing`
 */
export function rotateDataKey(task: VaultTask): Promise<void> {
  return work(task, async ({ persister, stored, stretch, convert }) => {
    const header = await sealed(task, stored, convert);
    await persister.claimWriter(() => undefined);
    const rotating = await changeHeader(task.name, header, task.unlock, stretch, { state: 'rotating', addDataKey: true });
    await persister.updateVault(rotating);
    await convert(rotating);
  });
}

interface Workplace {
  readonly persister: Persister;
  readonly stored: VaultHeader | undefined;
  readonly stretch: Stretch;
  readonly convert: (header: VaultHeader) => Promise<VaultHeader | null>;
}

/** The header of a database of which all records are sealed: what was begun before is finished first. */
async function sealed({ name }: VaultTask, stored: VaultHeader | undefined, convert: Workplace['convert']): Promise<VaultHeader> {
  const header = stored === undefined ? null : await convert(stored);
  if (header === null) {
    throw new CoreCryptoError('not-sealed', `database "${name}" is not sealed`);
  }
  return header;
}

async function work(task: VaultTask, use: (workplace: Workplace) => Promise<void>): Promise<void> {
  const { name, durability, onProgress = () => undefined } = task;
  const unlock = checkUnlock('unlock', task.unlock);
  const host = task.engine ?? new WasmEngineHost(task.wasm);
  const stretch = stretchWith(host);
  const persister = new IndexedDbPersister({ name, durability });
  const lock = await (task.requestWriter ?? requestWebLock)(name);
  try {
    const { categories, formatVersion, discard }: Engine = await host.start();
    discard();
    await persister.connect({ categories, format: formatVersion, mustExist: true });
    const stored = await persister.loadVault();
    await use({
      persister,
      stored: stored === undefined ? undefined : checkHeader(name, stored),
      stretch,
      convert: async (header) =>
        convertRecords({ name, persister, categories, vault: await openVault(name, header, unlock, stretch), unlock, stretch, onProgress }),
    });
  } catch (error) {
    throw storageFailed(name, error);
  } finally {
    persister.close();
    lock.release();
    await lock.lost;
  }
}
