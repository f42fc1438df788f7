/** What to do about records that cannot be read: find them, and get them out of the way. */

import * as check from '../arguments.js';
import { CoreCryptoError } from '../errors.js';
import { hexOf } from '../hex.js';
import type { StorageRecord } from '../mls-types.js';
import { GroupMethods } from './groups.js';

/** A group that cannot be used. */
export interface DamagedGroup {
  /** Its id. */
  readonly groupId: Uint8Array;
  /** `damaged-record`: a record cannot be read; `damaged-group`: its records do not belong together. */
  readonly code: 'damaged-record' | 'damaged-group';
  /** Of the record: the kind, and the key; in a vault, the key under which it is stored. */
  readonly category: string | undefined;
  /** See `category`. */
  readonly key: string | undefined;
}

/** Part of `CoreCryptoClient`. */
export abstract class DamageMethods extends GroupMethods {
  /**
   * Loads every group once, and says which cannot be read. Costs as much as reading the whole database.
   * @param onProgress told after each group how many have been looked at
   */
  async findDamagedGroups(onProgress: (groups: number) => void = () => undefined): Promise<DamagedGroup[]> {
    const damaged: DamagedGroup[] = [];
    for (const [index, groupId] of (await this.listGroups()).entries()) {
      const damage = await this.#damageOf(groupId);
      if (damage !== undefined) {
        damaged.push(damage);
      }
      onProgress(index + 1);
    }
    return damaged;
  }

  /**
   * Moves all records of a damaged group into the store `quarantine`: nothing is deleted. Afterwards the group is not here any
   * more, and can be joined anew: by external commit (`joinByExternalCommit`), which also takes the place of the old leaf, or
   * by a Welcome. Its own commits and proposals that wait in the outbox are gone.
   * @throws `invalid-argument` for a group that is not damaged
   */
  async quarantineGroup(groupId: Uint8Array): Promise<void> {
    const id = check.bytes('groupId', groupId);
    if ((await this.#damageOf(id)) === undefined) {
      throw new CoreCryptoError('invalid-argument', `group ${hexOf(id)} is not damaged`);
    }
    const readable = await this.#readable(id);
    await this.readStored((database) => database.quarantineGroup(hexOf(id)));
    // Killed before this, it is damaged still, by having no records. Done again, it is not known any more which epoch it was in:
    // then only an external commit leads back.
    await this.change((client) => client.noteQuarantined(id, readable));
  }

  async #damageOf(groupId: Uint8Array): Promise<DamagedGroup | undefined> {
    try {
      await this.groupInfo(groupId);
    } catch (error) {
      if (error instanceof CoreCryptoError && (error.code === 'damaged-record' || error.code === 'damaged-group')) {
        return { groupId, code: error.code, category: error.category, key: error.key };
      }
      // Deleted meanwhile, or only known from a snapshot.
      if (!(error instanceof CoreCryptoError && (error.code === 'group-not-found' || error.code === 'group-inert'))) {
        throw error;
      }
    }
    return undefined;
  }

  /** What still says which epoch the group was in. */
  async #readable(groupId: Uint8Array): Promise<StorageRecord[]> {
    const key = hexOf(groupId);
    const records: StorageRecord[] = [];
    for (const category of ['group_summary', 'epoch_records', 'group_context', 'former_group']) {
      try {
        const [value] = await this.readStored((database) => database.read([{ category, key }]));
        if (value !== undefined) {
          records.push({ category, key, value });
        }
      } catch (error) {
        if (!(error instanceof CoreCryptoError && error.code === 'damaged-record')) {
          throw error;
        }
      }
    }
    return records;
  }
}
