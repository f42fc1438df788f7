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
  const { name, persister, categories, vault, unlock, stretch, onProgress } = conversion;
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
      damaged += replaced.filter((one) => one === 'damaged').length;
      if (replacements.length > 0) {
        await persister.replace(category.name, replacements);
      }
      records += some.length;
      onProgress({ state, records, damaged, storesDone: done, stores: categories.length });
    }
  }
  await convertIncoming(conversion);
  await convertQuarantine(conversion);
  const header =
    state === 'unsealing' ? null : await changeHeader(name, vault.header, unlock, stretch, { state: 'sealed', dropOldDataKeys: true });
  await persister.updateVault(header);
  onProgress({ state, records, damaged, storesDone: categories.length, stores: categories.length });
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
  const to = await sealer.blind(category, clear.key);
  return { from: record.key, to, value: await sealer.seal(category.name, to, clear.key, clear.value) };
}

async function convertIncoming({ persister, vault: { header, intake } }: Conversion): Promise<void> {
  for (const { key, entry } of await persister.listIncoming()) {
    if (header.state === 'unsealing' && entry.kind === 'sealed') {
      const opened = await intake.open(entry).catch(() => undefined);
      if (opened !== undefined) {
        await persister.updateIncoming(key, opened);
      }
    } else if (header.state === 'sealing' && entry.kind !== 'sealed') {
      await persister.updateIncoming(key, await sealIncoming(header, entry));
    }
  }
}

/** What was put aside is as secret as what was not. */
async function convertQuarantine(conversion: Conversion): Promise<void> {
  const { persister, categories } = conversion;
  for (const { id, record } of await persister.listQuarantine()) {
    const category = categories.find(({ name }) => name === record.category);
    const replaced = category === undefined ? undefined : await replacement(conversion, category, record);
    if (typeof replaced === 'object') {
      await persister.updateQuarantine(id, { ...record, key: replaced.to, value: replaced.value });
    }
  }
}
