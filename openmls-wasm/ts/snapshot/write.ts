/**
 * Making a snapshot: the records of a database, read piece by piece and sealed as they are read.
 *
 * What is consistent. Of a backup: each group, for its records are read in one transaction; and each record of the client. What
 * changes while it is made may be in it or not; nothing in it is worth anything together with something else. Of a full export:
 * everything, for nothing changes from its beginning on.
 */

import { CoreCryptoError, type CoreCryptoErrorCode } from '../errors.js';
import type { Category, MlsClientApi, SnapshotKey, StorageRecord } from '../mls-types.js';
import type { ClientDatabase, StoredIncoming } from '../persister.js';
import { random } from '../vault/unlock.js';
import { sealChunks } from './chunks.js';
import { encodeAppData, encodeEnd, encodeRecords } from './frames.js';
import { encodeHeader } from './header.js';
import { fileKeys } from './keys.js';
import { encodeQueued } from './queued.js';

// What a snapshot is made of.
export interface SnapshotSource {
  readonly categories: readonly Category[];
  // Reads in the database.
  readonly stored: <T>(read: (database: ClientDatabase) => Promise<T>) => Promise<T>;
  // Runs an operation that changes nothing that is stored.
  readonly read: <T>(operation: (client: MlsClientApi) => T) => Promise<T>;
  // Runs an operation, and settles when all changes so far are durable.
  readonly change: <T>(operation: (client: MlsClientApi) => T) => Promise<T>;
}

// What is wanted.
export interface SnapshotOrder {
  readonly kind: 'backup' | 'full';
  readonly key: SnapshotKey;
  // Ids in hex; undefined: all.
  readonly groups: ReadonlySet<string> | undefined;
  readonly appData: Blob | undefined;
}

/** Records that are read at once. */
const PAGE = 128;
/** Groups that are read at once: one by one, the requests would cost more than what they bring. */
const GROUPS = 32;
/** What is in one frame, unless it belongs together. */
const FRAME = 1024 * 1024;
/** They are of no use without each other: in the first frame. */
const IDENTITY: readonly string[] = ['identity', 'signature_key_pair', 'generated_signature_key'];
/** What a group that is damaged is refused with. */
const UNREADABLE: ReadonlySet<CoreCryptoErrorCode> = new Set<CoreCryptoErrorCode>([
  'damaged-record',
  'damaged-group',
  'unsupported-format',
  'malformed-key',
]);
/** Not in a full export: the database that it is imported into has not moved. */
const MOVED = 'moved_away';

// The bytes of a snapshot, made as they are asked for. Cancelling it ends what it holds up.
export function snapshotStream(source: SnapshotSource, order: SnapshotOrder): ReadableStream<Uint8Array> {
  const chunks = order.kind === 'full' ? fullExport(source, order) : backup(source, order);
  return new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        const { done, value } = await chunks.next();
        if (done === true) {
          controller.close();
        } else {
          controller.enqueue(value);
        }
      },
      cancel: async () => {
        await chunks.return();
      },
    },
    // Nothing is read, and nothing held up, before somebody asks for it.
    { highWaterMark: 0 },
  );
}

async function* backup(source: SnapshotSource, order: SnapshotOrder): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
  // What was called before is in it.
  await source.change(() => undefined);
  yield* sealed(backupRecords(source, order.groups), order, async () => undefined);
}

/** From its beginning on the client changes nothing; and once it is whole, never again. */
async function* fullExport(source: SnapshotSource, order: SnapshotOrder): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
  // Tells this export from one that another engine began before a panic.
  const [token = 0] = crypto.getRandomValues(new Uint32Array(1));
  await source.change((client) => client.beginMove(token));
  let moved = false;
  try {
    yield* sealed(allRecords(source), order, async () => {
      await completeMove(source, token);
      moved = true;
    });
  } finally {
    if (!moved) {
      // A client that has ended meanwhile is not held up any more.
      await source.change((client) => client.cancelMove(token)).catch(() => undefined);
    }
  }
}

async function completeMove({ change }: SnapshotSource, token: number): Promise<void> {
  try {
    await change((client) => client.completeMove(token));
  } catch (error) {
    // The engine that has held still is not the one that is asked.
    throw error instanceof CoreCryptoError && error.code === 'invalid-argument'
      ? new CoreCryptoError('engine-panicked', 'the export was interrupted; nothing was moved, begin it anew', { cause: error })
      : error;
  }
}

async function* sealed(
  content: AsyncIterable<Content>,
  { kind, key: { salt, argon2, key: root }, appData }: SnapshotOrder,
  beforeLast: () => Promise<void>,
): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
  const fileSalt = random(32);
  const { key, check } = await fileKeys(root, fileSalt);
  const header = encodeHeader({ kind, createdAt: Date.now(), argon2, salt: salt.slice(), fileSalt, check });
  yield header;
  yield* sealChunks(frames(content, appData), key, header, beforeLast);
}

/** Records that belong together, or the id of a group that cannot be read. */
type Content = { readonly records: readonly StorageRecord[] } | { readonly unreadable: string };

async function* frames(content: AsyncIterable<Content>, appData: Blob | undefined): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
  let records = 0;
  const unreadable: string[] = [];
  for await (const part of content) {
    if ('unreadable' in part) {
      unreadable.push(part.unreadable);
    } else if (part.records.length > 0) {
      records += part.records.length;
      yield encodeRecords(part.records);
    }
  }
  for (let at = 0; at < (appData?.size ?? 0); at += FRAME) {
    yield encodeAppData(new Uint8Array(await (appData as Blob).slice(at, at + FRAME).arrayBuffer()));
  }
  yield encodeEnd({ records, unreadable });
}

async function* allRecords({ categories, stored }: SnapshotSource): AsyncGenerator<Content, void> {
  for (const { name } of categories) {
    if (name !== MOVED) {
      for await (const page of pages(stored, name)) {
        yield* inFrames(page);
      }
    }
  }
  // Last, for another tab may still add to it. What is sealed in it is of a vault that is not there any more.
  const queue = (await stored((database) => database.listIncoming())).filter((one): one is StoredIncoming => one.entry.kind !== 'sealed');
  yield* inFrames(queue.map(encodeQueued));
}

async function* backupRecords(source: SnapshotSource, groups: ReadonlySet<string> | undefined): AsyncGenerator<Content, void> {
  const { categories, stored, read } = source;
  const exported = (records: readonly StorageRecord[]): Promise<StorageRecord[]> => read((client) => client.exportStorageState(records));
  const wanted = categories.filter(({ inSnapshots }) => inSnapshots === true);
  const ofGroups = wanted.filter(({ scope }) => scope === 'group').map(({ name }) => name);
  const identity = await Promise.all(IDENTITY.map((name) => stored((database) => database.loadCategory(name))));
  yield { records: await exported(identity.flat()) };
  for (const { name, scope } of wanted) {
    if (scope !== 'group' && !IDENTITY.includes(name)) {
      for await (const page of pages(stored, name)) {
        yield* inFrames(await exported(page));
      }
    }
  }
  const seen = new Set<string>();
  // Of a group that is not listed any more, its last epoch is.
  for (const list of ['group_summary', 'former_group']) {
    for await (const page of pages(stored, list, GROUPS)) {
      const ids = page.map(({ key }) => key).filter((id) => !seen.has(id) && (groups === undefined || groups.has(id)));
      ids.forEach((id) => seen.add(id));
      // Between those of a whole page there are no others.
      const ranges = ids.length === page.length && ids.length > 0 ? [ids] : ids.map((id) => [id]);
      for (const range of ranges) {
        yield* exportGroups({ load: (from, to) => stored((database) => database.loadGroups(from, to, ofGroups)), exported }, range);
      }
    }
  }
}

interface GroupExport {
  readonly load: (first: string, last: string) => Promise<StorageRecord[]>;
  readonly exported: (records: readonly StorageRecord[]) => Promise<StorageRecord[]>;
}

/** What a backup has of groups that lie side by side, each by itself. */
async function* exportGroups(how: GroupExport, ids: readonly string[]): AsyncGenerator<Content, void> {
  try {
    const [first, last] = [ids[0] ?? '', ids.at(-1) ?? ''];
    const known = new Set(ids);
    // One that has come in between is not listed in this page.
    const found = (await how.load(first, last)).filter(({ key }) => known.has(groupOf(key)));
    const groups = new Map<string, StorageRecord[]>(ids.map((id) => [id, []]));
    for (const record of await how.exported(found)) {
      groups.get(groupOf(record.key))?.push(record);
    }
    for (const records of groups.values()) {
      yield { records };
    }
  } catch (error) {
    if (!(error instanceof CoreCryptoError) || !UNREADABLE.has(error.code)) {
      throw error;
    }
    // One group that is damaged must not keep all others from being saved.
    if (ids.length === 1) {
      yield { unreadable: ids[0] ?? '' };
      return;
    }
    for (const id of ids) {
      yield* exportGroups(how, [id]);
    }
  }
}

function groupOf(key: string): string {
  return key.split('/', 1)[0] ?? '';
}

async function* pages(stored: SnapshotSource['stored'], category: string, size = PAGE): AsyncGenerator<StorageRecord[], void> {
  for (let after: string | undefined; ; ) {
    const from = after;
    const page = await stored((database) => database.loadPart(category, from, size));
    yield page;
    after = page.at(-1)?.key;
    if (page.length < size) {
      return;
    }
  }
}

function* inFrames(records: readonly StorageRecord[]): Generator<Content, void> {
  let some: StorageRecord[] = [];
  let size = 0;
  for (const record of records) {
    some.push(record);
    size += record.value.length;
    if (size >= FRAME) {
      yield { records: some };
      [some, size] = [[], 0];
    }
  }
  yield { records: some };
}
