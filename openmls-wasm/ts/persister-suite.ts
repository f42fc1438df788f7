/**
 * A test-suite that certifies a {@link Persister}: run it over any implementation, with any test framework.
 *
 * ```ts
 * for (const { name, run } of persisterSuite) {
 *   test(name, () => run((database) => new MyPersister(database)));
 * }
 * ```
 */

import { CoreCryptoError } from './errors.js';
import type { StorageRecord } from './mls-types.js';
import type { IncomingEntry, Persister, PersisterSchema, QueueEntry, StoredIncoming } from './persister.js';
import type { VaultHeader } from './vault/header.js';

/**
 * Makes a persister over the database of that name, not connected yet. Called twice with one name it must give two
 * connections to the same data, as two tabs or two runs of an app have. Names are new for each test; deleting what is
 * left behind is up to the caller.
 */
export type PersisterFactory = (database: string) => Persister;

/** One test. `run` rejects, with a message that says what was expected, if the persister is wrong. */
export interface PersisterTest {
  /** What it shows. */
  readonly name: string;
  /** Runs it over the persister that the factory makes. */
  readonly run: (factory: PersisterFactory) => Promise<void>;
}

const SCHEMA: PersisterSchema = {
  categories: [
    { name: 'identity', scope: 'client' },
    { name: 'tree', scope: 'group' },
    { name: 'secrets', scope: 'group' },
  ],
  format: 3,
};

/** The tests; independent of each other. */
export const persisterSuite: readonly PersisterTest[] = [
  test('a new database is empty', async (factory, database) => {
    const persister = await writer(factory, database);
    await expectRecords(persister, {});
    equal(await persister.listIncoming(), [], 'the queue of a new database');
  }),

  test('what was written is there for the next connection', async (factory, database) => {
    const first = await writer(factory, database);
    await write(first, { 'identity/a': [1], 'tree/0a': [2, 3], 'secrets/0a/01': [] });
    first.close();
    const second = await writer(factory, database);
    await expectRecords(second, { 'identity/a': [1], 'tree/0a': [2, 3], 'secrets/0a/01': [] });
  }),

  test('a put replaces, a delete removes, a delete of nothing is harmless', async (factory, database) => {
    const persister = await writer(factory, database);
    await write(persister, { 'tree/0a': [1], 'tree/0b': [1] });
    await write(persister, { 'tree/0a': [2], 'tree/0b': null, 'tree/0c': null });
    await expectRecords(persister, { 'tree/0a': [2] });
  }),

  test('the parts of a value go with its head or alone, and no others', async (factory, database) => {
    const persister = await writer(factory, database);
    const kept = { 'tree/0a0b': [4], 'tree/0a0b/01': [5], 'tree/0c': [6], 'tree/09/00': [7], 'secrets/0a': [8], 'secrets/0a/01': [9] };
    await write(persister, { 'tree/0a': [1], 'tree/0a/00': [2], 'tree/0a/01': [3], 'tree/0a0b/00': [4], 'tree/0d/00': [5], ...kept });
    await write(persister, {
      'tree/0a': null,
      'tree/0a/00': null,
      'tree/0a/01': null,
      'tree/0a0b/00': null,
      'tree/0b': [1],
      'tree/0d/00': null,
    });
    await expectRecords(persister, { ...kept, 'tree/0b': [1] });
  }),

  test('one batch may touch many categories and records', async (factory, database) => {
    const persister = await writer(factory, database);
    const records: Record<string, number[]> = {};
    for (let index = 0; index < 300; index += 1) {
      records[`${index % 2 === 0 ? 'tree' : 'secrets'}/${index.toString(16).padStart(4, '0')}`] = [index % 256];
    }
    await write(persister, records);
    await expectRecords(persister, records);
  }),

  test('a range is deleted, and nothing beside it', async (factory, database) => {
    const persister = await writer(factory, database);
    const kept = { 'tree/0a/0000': [1], 'tree/0a/0004': [2], 'tree/0a0000': [3], 'tree/0b/0001': [4], 'identity/0a/0002': [5] };
    await write(persister, { ...kept, 'tree/0a': [6], 'tree/0a/0001': [6], 'tree/0a/0002': [6], 'tree/0a/0003': [6] });
    const gone = ['0a/0001', '0a/0002', '0a/0003'].map((key) => ({ category: 'tree', key, value: null }));
    const before = { category: 'tree', key: '0a', value: Uint8Array.of(7) };
    const after = { category: 'tree', key: '0a/0005', value: Uint8Array.of(8) };
    await persister.write({ events: [before, ...gone, after], deletedRanges: [[1, 3]], incomingDone: [] });
    await expectRecords(persister, { ...kept, 'tree/0a': [7], 'tree/0a/0005': [8] });
  }),

  test('a large value comes back whole', async (factory, database) => {
    const persister = await writer(factory, database);
    const value = Uint8Array.from({ length: 2_000_000 }, (_, index) => (index * 31) % 251);
    await persister.write({ events: [{ category: 'tree', key: '0a', value }], incomingDone: [] });
    const [stored] = await persister.read([{ category: 'tree', key: '0a' }]);
    check(stored !== undefined && stored.length === value.length, 'the large value has its length');
    check(stored?.every((byte, index) => byte === value[index]) === true, 'the large value has its bytes');
  }),

  test('a view of a larger buffer is stored as what it shows', async (factory, database) => {
    const persister = await writer(factory, database);
    const value = Uint8Array.from([9, 1, 2, 9]).subarray(1, 3);
    await persister.write({ events: [{ category: 'tree', key: '0a', value }], incomingDone: [] });
    await expectRecords(persister, { 'tree/0a': [1, 2] });
  }),

  test('load is by scope', async (factory, database) => {
    const persister = await writer(factory, database);
    await write(persister, { 'identity/a': [1], 'tree/0a': [2] });
    equal(shown(await persister.load('client')), { 'identity/a': [1] }, 'the client scope');
    equal(shown(await persister.load('group')), { 'tree/0a': [2] }, 'the group scope');
    equal(shown(await persister.load()), { 'identity/a': [1], 'tree/0a': [2] }, 'both scopes');
  }),

  test('load of a group is by its key range', async (factory, database) => {
    const persister = await writer(factory, database);
    await write(persister, {
      'tree/0a': [1],
      'tree/0a0b': [2],
      'secrets/0a/00': [3],
      'secrets/0a/ff/01': [4],
      'secrets/0a0b/00': [5],
      'secrets/09/00': [6],
      'identity/0a': [7],
    });
    equal(
      shown(await persister.loadGroup('0a')),
      { 'tree/0a': [1], 'secrets/0a/00': [3], 'secrets/0a/ff/01': [4] },
      'the records of group 0a',
    );
  }),

  test('load of groups that lie side by side, in some categories', async (factory, database) => {
    const persister = await writer(factory, database);
    await write(persister, { 'tree/0a': [1], 'secrets/0a/00': [2], 'tree/0a0b': [3], 'tree/0b': [4], 'secrets/0c/01': [5], 'tree/0d': [6] });
    const ids = ['0a', '0a0b', '0b', '0c', '0d'];
    const places = await persister.placesOf('tree', ids);
    const inOrder = ids.map((id, index) => ({ id, place: places[index] ?? '' })).sort((one, other) => (one.place < other.place ? -1 : 1));
    const [first = '', second = '', third = ''] = inOrder.map(({ id }) => id);
    const groupsOf = (records: readonly StorageRecord[]): string[] => [...new Set(records.map(({ key }) => key.split('/')[0] ?? ''))].sort();
    equal(groupsOf(await persister.loadGroups(first, third, ['tree', 'secrets'])), [first, second, third].sort(), 'the groups');
    equal(shown(await persister.loadGroups('0a', '0a', ['secrets'])), { 'secrets/0a/00': [2] }, 'one group, one category');
  }),

  test('load of a category and of a part of it', async (factory, database) => {
    const persister = await writer(factory, database);
    await write(persister, { 'tree/0c': [3], 'tree/0a': [1], 'tree/0b': [2], 'secrets/0b': [4] });
    const keys = (records: readonly StorageRecord[]): string[] => records.map(({ category, key }) => `${category}/${key}`);
    equal(shown(await persister.loadCategory('tree')), { 'tree/0a': [1], 'tree/0b': [2], 'tree/0c': [3] }, 'the category');
    equal(keys(await persister.loadPart('tree', undefined, 2)), ['tree/0a', 'tree/0b'], 'the first part');
    equal(keys(await persister.loadPart('tree', '0b', 2)), ['tree/0c'], 'the part behind a key');
    equal(keys(await persister.loadPart('tree', '0a0', 9)), ['tree/0b', 'tree/0c'], 'behind a key that is not there');
    equal(keys(await persister.loadPart('tree', '0c', 2)), [], 'behind the last');
  }),

  test('read gives values in the order of the keys, undefined for none', async (factory, database) => {
    const persister = await writer(factory, database);
    await write(persister, { 'tree/0a': [1], 'secrets/0b': [2] });
    const values = await persister.read([
      { category: 'secrets', key: '0b' },
      { category: 'tree', key: 'none' },
      { category: 'tree', key: '0a' },
    ]);
    equal(values.map((value) => value && [...value]), [[2], undefined, [1]], 'the values read');
  }),

  test('keys keep their order', async (factory, database) => {
    const persister = await writer(factory, database);
    await write(persister, { 'tree/0a/0002': [2], 'tree/0a/0010': [16], 'tree/0a/0001': [1] });
    const keys = (await persister.load('group')).map((record) => record.key);
    equal(keys, ['0a/0001', '0a/0002', '0a/0010'], 'the keys');
  }),

  test('a later writer ends an earlier one, whose write changes nothing', async (factory, database) => {
    const early = await writer(factory, database);
    await write(early, { 'tree/0a': [1] });
    const late = await writer(factory, database);
    await rejects(write(early, { 'tree/0a': [2], 'tree/0b': [2] }), 'writer-lost');
    await rejects(early.updateIncoming(1, entry('m')), 'writer-lost');
    await rejects(early.load(), 'writer-lost');
    await rejects(early.loadGroup('0a'), 'writer-lost');
    await rejects(early.loadGroups('0a', '0b', ['tree']), 'writer-lost');
    await rejects(early.loadCategory('tree'), 'writer-lost');
    await rejects(early.loadPart('tree', undefined, 1), 'writer-lost');
    await rejects(early.read([{ category: 'tree', key: '0a' }]), 'writer-lost');
    await expectRecords(late, { 'tree/0a': [1] });
    await write(late, { 'tree/0a': [3] });
    await expectRecords(late, { 'tree/0a': [3] });
  }),

  test('claiming tells whether there was a writer before', async (factory, database) => {
    const early = factory(database);
    await early.connect(SCHEMA);
    await early.addIncoming(entry('a'));
    early.close();
    const origins: string[] = [];
    for (let run = 0; run < 2; run += 1) {
      const persister = factory(database);
      await persister.connect(SCHEMA);
      origins.push(await persister.claimWriter(() => undefined));
      persister.close();
    }
    equal(origins, ['created', 'restored'], 'what claiming tells');
  }),

  test('claiming shows the records of the client, and is taken back if they are not accepted', async (factory, database) => {
    const first = await writer(factory, database);
    await write(first, { 'identity/a': [1], 'tree/0a': [2] });
    const second = factory(database);
    await second.connect(SCHEMA);
    const refusal = new Error('not accepted');
    let seen: unknown;
    const failure = await second
      .claimWriter((records) => {
        seen = shown(records);
        throw refusal;
      })
      .then(() => undefined, (error: unknown) => error);
    check(failure === refusal, 'claiming rejects with what was thrown');
    equal(seen, { 'identity/a': [1] }, 'the records shown');
    await write(first, { 'tree/0a': [3] });
    second.close();
  }),

  test('who has not claimed cannot write', async (factory, database) => {
    const persister = factory(database);
    await persister.connect(SCHEMA);
    await rejects(write(persister, { 'tree/0a': [1] }));
  }),

  test('a batch that cannot be written whole is not written at all', async (factory, database) => {
    const persister = await writer(factory, database);
    await write(persister, { 'tree/0a': [1] });
    const broken = { category: 'tree', key: '0b', value: (() => 0) as unknown as Uint8Array };
    await rejects(
      persister.write({
        events: [{ category: 'tree', key: '0a', value: Uint8Array.of(2) }, broken],
        incomingDone: [],
      }),
    );
    await expectRecords(persister, { 'tree/0a': [1] });
    await write(persister, { 'tree/0a': [3] });
    await expectRecords(persister, { 'tree/0a': [3] });
  }),

  test('the queue keeps its order, and needs no writer', async (factory, database) => {
    const persister = factory(database);
    await persister.connect(SCHEMA);
    await Promise.all(['a', 'b', 'c'].map((id) => persister.addIncoming(entry(id))));
    persister.close();
    const later = await writer(factory, database);
    equal((await later.listIncoming()).map(idOf), ['a', 'b', 'c'], 'the queue');
  }),

  test('an entry of the queue ends with the batch that processes it', async (factory, database) => {
    const persister = await writer(factory, database);
    await persister.addIncoming(entry('a'));
    await persister.addIncoming(entry('b'));
    const [first] = await persister.listIncoming();
    check(first !== undefined, 'the queue has a first entry');
    await persister.write({
      events: [{ category: 'tree', key: '0a', value: Uint8Array.of(1) }],
      incomingDone: [first?.key ?? 0],
    });
    await expectRecords(persister, { 'tree/0a': [1] });
    equal((await persister.listIncoming()).map(idOf), ['b'], 'what is left in the queue');
  }),

  test('an entry of the queue can be replaced in its place', async (factory, database) => {
    const persister = await writer(factory, database);
    const key = await persister.addIncoming(entry('a'));
    await persister.addIncoming(entry('b'));
    await persister.updateIncoming(key, { ...entry('a'), attempts: 2 });
    const queue = await persister.listIncoming();
    equal(queue.map((stored) => [idOf(stored), stored.entry.attempts]), [['a', 2], ['b', 0]], 'the queue');
  }),

  test('a sealed entry of the queue comes back as it is', async (factory, database) => {
    const persister = await writer(factory, database);
    await persister.addIncoming({ kind: 'sealed', attempts: 1, sealed: Uint8Array.of(1, 2, 3) });
    const [stored] = await persister.listIncoming();
    check(stored?.entry.kind === 'sealed', 'the entry is sealed');
    equal(stored?.entry.kind === 'sealed' && [...stored.entry.sealed], [1, 2, 3], 'what is sealed');
  }),

  test('the queue takes an entry for the vault that there is, and for no other', async (factory, database) => {
    const persister = factory(database);
    await persister.connect(SCHEMA);
    const sealed = { kind: 'sealed', attempts: 0, sealed: Uint8Array.of(1) } as const;
    await rejects(persister.addIncoming(sealed, Uint8Array.of(1)), 'vault-locked');
    await persister.addIncoming(entry('a'));
    await persister.createVault({ ...header(1), id: Uint8Array.of(1) });
    await rejects(persister.addIncoming(entry('b')), 'vault-locked');
    await rejects(persister.addIncoming(sealed, Uint8Array.of(2)), 'vault-locked');
    await persister.addIncoming(sealed, Uint8Array.of(1));
    equal((await persister.listIncoming()).map((stored) => stored.entry.kind), ['message', 'sealed'], 'the queue');
  }),

  test('a database becomes one of a vault once, and only while it is new', async (factory, database) => {
    const persister = factory(database);
    await persister.connect(SCHEMA);
    equal(await persister.loadVault(), undefined, 'no header');
    equal(await persister.createVault(header(1)), true, 'the first one');
    equal(await persister.createVault(header(2)), false, 'the second one');
    equal((await persister.loadVault()) as unknown, header(1), 'the header');
    await persister.claimWriter(() => undefined);
    await persister.updateVault(null);
    equal(await persister.createVault(header(3)), false, 'once there has been a writer');
    equal(await persister.loadVault(), undefined, 'no header any more');
  }),

  test('the header of a vault is changed by the writer only', async (factory, database) => {
    const late = await writer(factory, database);
    const persister = await writer(factory, database);
    await persister.updateVault(header(1));
    await rejects(late.updateVault(header(2)), 'writer-lost');
    equal((await persister.loadVault()) as unknown, header(1), 'the header');
  }),

  test('records are replaced under other keys, all or none, by the writer only', async (factory, database) => {
    const late = await writer(factory, database);
    const persister = await writer(factory, database);
    // The head of a value in parts goes without its part: a replacement is no end of anything.
    await write(persister, { 'tree/0a': [1], 'tree/0a/0000000000000001': [2], 'tree/0b': [3] });
    await persister.replace('tree', [
      { from: '0a', to: 'f0', value: Uint8Array.of(4) },
      { from: '0b', to: '0b', value: Uint8Array.of(5) },
    ]);
    await expectRecords(persister, { 'tree/0a/0000000000000001': [2], 'tree/0b': [5], 'tree/f0': [4] });
    await rejects(late.replace('tree', [{ from: '0b', to: '0c', value: Uint8Array.of(6) }]), 'writer-lost');
    await expectRecords(persister, { 'tree/0a/0000000000000001': [2], 'tree/0b': [5], 'tree/f0': [4] });
  }),

  test('places order a category as parts of it are loaded', async (factory, database) => {
    const persister = await writer(factory, database);
    await write(persister, { 'secrets/0b': [1], 'secrets/0a': [2], 'secrets/0c': [3] });
    const keys = (await persister.loadPart('secrets', undefined, 9)).map(({ key }) => key);
    const places = await persister.placesOf('secrets', keys);
    equal(places, [...places].sort(), 'places in the order in which records were loaded');
  }),

  test('a database of a newer format is refused and left as it was', async (factory, database) => {
    const persister = await writer(factory, database);
    await write(persister, { 'tree/0a': [1] });
    persister.close();
    const older = factory(database);
    await rejects(older.connect({ ...SCHEMA, format: SCHEMA.format - 1 }), 'newer-format');
    older.close();
    await expectRecords(await writer(factory, database), { 'tree/0a': [1] });
  }),

  test('mustExist refuses a database that is not there, and creates none', async (factory, database) => {
    for (let attempt = 0; attempt < 2; attempt += 1) {
      const persister = factory(database);
      await rejects(persister.connect({ ...SCHEMA, mustExist: true }), 'database-missing');
      persister.close();
    }
    (await writer(factory, database)).close();
    const persister = factory(database);
    await persister.connect({ ...SCHEMA, mustExist: true });
  }),

  test('a closed persister rejects', async (factory, database) => {
    const persister = await writer(factory, database);
    persister.close();
    await rejects(write(persister, { 'tree/0a': [1] }));
    await rejects(persister.load('group'));
    await rejects(persister.addIncoming(entry('a')));
    await expectRecords(await writer(factory, database), {});
  }),
];

/** Gives a test a database of its own, and closes every persister it made. */
function test(
  name: string,
  body: (factory: PersisterFactory, database: string) => Promise<void>,
): PersisterTest {
  return {
    name,
    run: async (factory) => {
      const made: Persister[] = [];
      try {
        await body((database) => {
          const persister = factory(database);
          made.push(persister);
          return persister;
        }, `persister-suite ${crypto.randomUUID()}`);
      } finally {
        for (const persister of made) {
          persister.close();
        }
      }
    },
  };
}

async function writer(factory: PersisterFactory, database: string): Promise<Persister> {
  const persister = factory(database);
  await persister.connect(SCHEMA);
  await persister.claimWriter(() => undefined);
  return persister;
}

/** `{ 'category/key': bytes or null }` as one batch. */
function write(persister: Persister, records: Readonly<Record<string, readonly number[] | null>>): Promise<void> {
  const events = Object.entries(records).map(([name, value]) => {
    const slash = name.indexOf('/');
    return {
      category: name.slice(0, slash),
      key: name.slice(slash + 1),
      value: value === null ? null : Uint8Array.from(value),
    };
  });
  return persister.write({ events, incomingDone: [] });
}

function entry(id: string): IncomingEntry {
  return { kind: 'message', attempts: 0, message: { bytes: Uint8Array.of(1, 2), id, position: 7 } };
}

function idOf({ entry }: StoredIncoming<QueueEntry>): string | undefined {
  return entry.kind === 'sealed' ? undefined : entry.message.id;
}

/** The header of a vault that nobody can open, told from others by its version. */
function header(version: number): VaultHeader {
  const nothing = new Uint8Array();
  const intake = { publicKey: nothing, wrapped: nothing };
  return { version, id: nothing, state: 'sealed', unlocks: [], dataKeys: [], intake, mac: nothing };
}

function shown(records: readonly StorageRecord[]): Record<string, number[]> {
  return Object.fromEntries(records.map(({ category, key, value }) => [`${category}/${key}`, [...value]]));
}

async function expectRecords(persister: Persister, expected: Readonly<Record<string, number[]>>): Promise<void> {
  const records = [...(await persister.load('client')), ...(await persister.load('group'))];
  equal(sorted(shown(records)), sorted(expected), 'the records');
}

function sorted(records: Readonly<Record<string, number[]>>): [string, number[]][] {
  return Object.entries(records).sort(([a], [b]) => (a < b ? -1 : 1));
}

async function rejects(promise: Promise<unknown>, code?: string): Promise<void> {
  const outcome = await promise.then(
    () => 'it succeeded',
    (error: unknown) => (error instanceof CoreCryptoError ? error.code : String(error)),
  );
  check(outcome !== 'it succeeded' && (code === undefined || outcome === code), `expected ${code ?? 'an error'}: ${outcome}`);
}

function equal(actual: unknown, expected: unknown, what: string): void {
  const [found, wanted] = [JSON.stringify(actual), JSON.stringify(expected)];
  check(found === wanted, `${what}: expected ${wanted}, found ${found}`);
}

function check(condition: boolean, message: string): void {
  if (!condition) {
    throw new Error(message);
  }
}
