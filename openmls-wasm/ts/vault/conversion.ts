/**
 * Turning a database in the clear into a sealed one and back, and from one data key to the next.
 *
 * The header says what is being done before the first record is touched, and is changed last. In between each transaction
 * replaces some records; which are done is seen on the records themselves. So a conversion that was killed at any point goes
 * on when the database is opened next, and never begins anew. Meanwhile nobody works with the database.
 *
 * What was in the clear is deleted, but a browser's database erases bytes on the disk only when it compacts: what has once
 * been stored in the clear may be found there for some time.
 */

import type { Category, StorageRecord } from '../mls-types.js';
import type { Persister, Replacement } from '../persister.js';
import type { VaultHeader, VaultProgress } from './header.js';
import { sealIncoming } from './intake.js';
import { changeHeader, type Vault } from './keys.js';
import { isSealed, keyNumberOf } from './sealing.js';
import type { Stretch, VaultUnlock } from './unlock.js';

/** What a conversion needs. */
export interface Conversion {
  /** Name of the database. */
  readonly name: string;
  /** Its writer is this client. */
  readonly persister: Persister;
  /** All object stores. */
  readonly categories: readonly Category[];
  /** Its header says what is done. */
  readonly vault: Vault;
  /** For the header that it ends with. */
  readonly unlock: VaultUnlock;
  /** Runs Argon2id. */
  readonly stretch: Stretch;
  /** Told how far it is, after each transaction. */
  readonly onProgress: (progress: VaultProgress) => void;
}

// In one transaction: few enough to keep memory bounded, many enough that transactions do not count.
const RECORDS_AT_ONCE = 256;

/**
 * Does, or goes on with, what the header says. Becomes the writer for it.
 * @returns the header at the end; null if there is none any more
 */
export async function convertRecords(conversion: Conversion): Promise<VaultHeader | null> {
  const { persister, categories, vault, onProgress } = conversion;
  const { state } = vault.header;
  if (state === 'sealed') {
    return vault.header;
  }
  await persister.claimWriter(() => undefined);
  let records = 0;
  let damaged = 0;
  for (const [done, category] of categories.entries()) {
    let after: string | undefined;
    for (;;) {
      const some = await persister.loadPart(category.name, after, RECORDS_AT_ONCE);
      after = some.at(-1)?.key;
      if (after === undefined) {
        break;
      }
      const replaced = await Promise.all(some.map((record) => replacement(conversion, category, record)));
      const replacements = replaced.filter((one) => typeof one === 'object');
      const unopened = some.filter((_, index) => replaced[index] === 'damaged');
      damaged += unopened.length;
      if (state === 'unsealing') {
        // Among records in the clear they would be taken for one of those.
        for (const { key } of unopened) {
          await persister.quarantineRecord(category.name, key);
        }
      }
      if (replacements.length > 0) {
        await persister.replace(category.name, replacements);
      }
      records += some.length;
      onProgress({ state, records, damaged, storesDone: done, stores: categories.length });
    }
  }
  damaged += await convertIncoming(conversion);
  damaged += await convertQuarantine(conversion);
  const header = await finished(conversion, damaged);
  onProgress({ state, records, damaged, storesDone: categories.length, stores: categories.length });
  return header;
}

/**
 * The header at the end. The key of what did not open is kept: it may have failed for a reason that passes, and a damaged
 * record may be worth something to somebody who mends it.
 */
async function finished({ name, persister, vault, unlock, stretch }: Conversion, damaged: number): Promise<VaultHeader | null> {
  if (vault.header.state === 'unsealing') {
    await persister.updateVault(null, damaged > 0 ? vault.header : undefined);
    return null;
  }
  const header = await changeHeader(name, vault.header, unlock, stretch, { state: 'sealed', dropOldDataKeys: damaged === 0 });
  await persister.updateVault(header);
  return header;
}

/**
 * What takes the place of a record; undefined if it is as it is to be. One that does not open stays where it is: it costs its
 * group when that is loaded, and must not cost the vault.
 */
async function replacement(
  { vault }: Conversion,
  category: Category,
  record: StorageRecord,
): Promise<Replacement | 'damaged' | undefined> {
  const { header, sealer, sealers } = vault;
  if (header.state === 'rotating' && !isSealed(record.value)) {
    // Nobody who had the key has written it: sealing it would make it genuine.
    return 'damaged';
  }
  const number = keyNumberOf(record.value);
  const isDone = header.state === 'unsealing' ? !isSealed(record.value) : number === sealer.keyNumber;
  if (isDone) {
    return undefined;
  }
  let clear = record;
  if (isSealed(record.value)) {
    const opener = number === undefined ? undefined : sealers.get(number);
    const opened = await opener?.open(category.name, record.key, record.value).catch(() => undefined);
    if (opened === undefined) {
      return 'damaged';
    }
    clear = opened;
  }
  if (header.state === 'unsealing') {
    return { from: record.key, to: clear.key, value: clear.value };
  }
  const to = await sealer.blind(clear.key);
  return { from: record.key, to, value: await sealer.seal(category.name, to, clear.key, clear.value) };
}

/** @returns how many entries do not open; they stay as they are */
async function convertIncoming({ persister, vault: { header, intake } }: Conversion): Promise<number> {
  let damaged = 0;
  for (const { key, entry } of await persister.listIncoming()) {
    if (header.state === 'unsealing' && entry.kind === 'sealed') {
      const opened = await intake.open(entry).catch(() => undefined);
      if (opened === undefined) {
        damaged += 1;
      } else {
        await persister.updateIncoming(key, opened);
      }
    } else if (header.state === 'sealing' && entry.kind !== 'sealed') {
      await persister.updateIncoming(key, await sealIncoming(header, entry));
    }
  }
  return damaged;
}

/** What was put aside is as secret as what was not. @returns how many records do not open */
async function convertQuarantine(conversion: Conversion): Promise<number> {
  const { persister, categories } = conversion;
  let damaged = 0;
  for (const { id, record } of await persister.listQuarantine()) {
    const category = categories.find(({ name }) => name === record.category);
    const replaced = category === undefined ? 'damaged' : await replacement(conversion, category, record);
    if (replaced === 'damaged') {
      damaged += 1;
    } else if (replaced !== undefined) {
      await persister.updateQuarantine(id, { ...record, key: replaced.to, value: replaced.value });
    }
  }
  return damaged;
}
