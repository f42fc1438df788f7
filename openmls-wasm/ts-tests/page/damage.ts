/** Records that cannot be read: what they cost, what is said of them, and how a user gets out of it. In the clear and sealed. */

import { CoreCryptoClient, databaseState, WasmEngineHost, type CoreCryptoOptions, type VaultUnlock } from 'openmls-wasm';
import { codeOf, connect, equal, freshName, result, tamper, type Scenario } from './support.js';

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const KEY: VaultUnlock = { kind: 'key', key: new Uint8Array(32).fill(7) };
const [GROUP, OTHER] = [utf8('group one'), utf8('group two')];

const MODES: Readonly<Record<string, Partial<CoreCryptoOptions>>> = { 'in the clear': {}, sealed: { vault: { unlock: KEY } } };

interface Pair {
  readonly name: string;
  readonly alice: CoreCryptoClient;
  readonly bob: CoreCryptoClient;
}

/** Alice and Bob in two groups. */
async function pair(options: Partial<CoreCryptoOptions>): Promise<Pair> {
  const name = freshName();
  const [alice, bob] = [await CoreCryptoClient.open({ ...options, name }), await CoreCryptoClient.open({ name: freshName() })];
  await alice.createIdentity(utf8('alice'));
  await bob.createIdentity(utf8('bob'));
  for (const group of [GROUP, OTHER]) {
    const [keyPackage] = await alice.generateKeyPackages(1);
    await bob.createGroup(group);
    const commit = await bob.addMembers(group, keyPackage === undefined ? [] : [keyPackage]);
    await bob.mergePendingCommit(group);
    await alice.joinGroup(commit.welcome ?? new Uint8Array());
    await alice.setGroupName(group, group);
  }
  return { name, alice, bob };
}

async function talk(alice: CoreCryptoClient, bob: CoreCryptoClient, group: Uint8Array, words: string): Promise<void> {
  const read = await bob.processMessage(await alice.encryptMessage(group, utf8(words)));
  equal(read.kind === 'message' && text(read.plaintext), words, 'what Bob read');
}

/** Changes the last byte of one record. */
async function damage(name: string, store: string, index: number): Promise<void> {
  const database = await connect(name);
  const keys = await result(database.transaction(store).objectStore(store).getAllKeys());
  const key = keys[index] ?? '';
  const value = await result(database.transaction(store).objectStore(store).get(key) as IDBRequest<Uint8Array>);
  database.close();
  value[value.length - 1] = (value.at(-1) ?? 0) ^ 1;
  await tamper(name, store, (objects) => objects.put(value, key));
}

async function stored(name: string, store: string): Promise<unknown[]> {
  const database = await connect(name);
  const values = await result(database.transaction(store).objectStore(store).getAll() as IDBRequest<unknown[]>);
  database.close();
  return values;
}

const scenarios: Record<string, (options: Partial<CoreCryptoOptions>) => Promise<void>> = {
  'a damaged group costs nothing but itself, and is joined anew': async (options) => {
    for (const store of ['epoch_records', 'message_secrets', 'own_leaf_index', 'group_summary', 'mls_group_join_config']) {
      const here = await pair(options);
      await here.alice.close();
      const before = (await stored(here.name, 'epoch_records')).length;
      await damage(here.name, store, 0);
      const alice = await CoreCryptoClient.open({ ...options, name: here.name });
      const damaged = await alice.findDamagedGroups();
      equal(damaged.length, 1, `${store}: groups that are damaged`);
      const group = damaged[0]?.groupId ?? new Uint8Array();
      const other = text(group) === text(GROUP) ? OTHER : GROUP;
      equal((await alice.listGroups()).map(text).sort(), [text(GROUP), text(OTHER)], `${store}: the groups listed`);
      equal(/^damaged-(record|group)$/.test(await codeOf(alice.encryptMessage(group, utf8('no')))), true, `${store}: a message to it`);
      await talk(alice, here.bob, other, 'the other one works');
      equal(await codeOf(alice.quarantineGroup(other)), 'invalid-argument', `${store}: one that is whole`);
      await alice.quarantineGroup(group);
      equal([(await alice.findDamagedGroups()).length, await codeOf(alice.groupInfo(group))], [0, 'group-not-found'], `${store}: afterwards`);
      const kept = await stored(here.name, 'quarantine');
      equal(kept.length > 4, true, `${store}: ${kept.length} records kept`);
      equal((await stored(here.name, 'epoch_records')).length, before - 1, `${store}: records of the other`);
      const join = await alice.joinByExternalCommit(await here.bob.exportGroupInfo(group));
      await here.bob.processMessage(join.bytes ?? new Uint8Array());
      await alice.acceptExternalJoin(join.id);
      equal((await here.bob.groupInfo(group)).members.map((member) => text(member.identity)).sort(), ['alice', 'bob'], `${store}: members`);
      await talk(alice, here.bob, group, 'back in');
      await Promise.all([alice.close(), here.bob.close()]);
    }
  },

  'a damaged key package is put aside if the app says so, and the others go on': async (options) => {
    const here = await pair(options);
    await here.alice.generateKeyPackages(3);
    await Promise.all([here.alice.close(), here.bob.close()]);
    await damage(here.name, 'key_package', 0);
    const plain = await CoreCryptoClient.open({ ...options, name: here.name });
    equal(await codeOf(plain.keyPackages()), 'damaged-record', 'as it is');
    await plain.close();
    const alice = await CoreCryptoClient.open({ ...options, name: here.name, quarantineDamaged: true });
    const aside: string[] = [];
    alice.on('quarantined', ({ category }) => aside.push(category));
    const left = (await alice.keyPackages()).length;
    equal([aside, left >= 2, (await stored(here.name, 'quarantine')).length], [['key_package'], true, 1], 'what is left');
    await alice.generateKeyPackages(1);
    await alice.close();
  },

  'a group of which no record can be read is listed all the same, and put aside': async (options) => {
    const here = await pair(options);
    await Promise.all([here.alice.close(), here.bob.close()]);
    const database = await connect(here.name);
    const [first] = await result(database.transaction('epoch_records').objectStore('epoch_records').getAllKeys());
    const range = IDBKeyRange.bound(first, `${String(first)}0`, false, true);
    const stores = [...database.objectStoreNames].filter((store) => !['meta', 'incoming', 'quarantine'].includes(store));
    database.close();
    for (const store of stores) {
      await tamper(here.name, store, (objects) => {
        const cursor = objects.openCursor(range);
        cursor.onsuccess = () => {
          const value = cursor.result?.value as Uint8Array | undefined;
          if (value !== undefined) {
            cursor.result?.update(value.map((byte, index) => (index === 0 ? byte : byte ^ 1)));
            cursor.result?.continue();
          }
        };
      });
    }
    const alice = await CoreCryptoClient.open({ ...options, name: here.name });
    equal((await alice.listGroups()).length, 2, 'groups listed');
    const [group, ...more] = await alice.findDamagedGroups();
    equal([group?.code, more], ['damaged-record', []], 'damaged groups');
    await alice.quarantineGroup(group?.groupId ?? new Uint8Array());
    equal((await alice.listGroups()).length, 1, 'groups afterwards');
    await alice.close();
  },

  'a group put aside lets go of its own commit, and of no secret that an old Welcome would bring back': async (options) => {
    const name = freshName();
    const [alice, bob] = [await CoreCryptoClient.open({ ...options, name }), await CoreCryptoClient.open({ name: freshName() })];
    await alice.createIdentity(utf8('alice'));
    await bob.createIdentity(utf8('bob'));
    const [keyPackage] = await alice.generateKeyPackagesWith({ lastResort: true });
    await bob.createGroup(GROUP);
    const added = await bob.addMembers(GROUP, keyPackage === undefined ? [] : [keyPackage]);
    await bob.mergePendingCommit(GROUP);
    await alice.joinGroup(added.welcome ?? new Uint8Array());
    await talk(alice, bob, GROUP, 'with the first keys');
    await alice.selfUpdate(GROUP);
    await alice.close();
    await damage(name, 'epoch_records', 0);
    const again = await CoreCryptoClient.open({ ...options, name });
    await again.quarantineGroup(GROUP);
    equal(await again.outbox(), [], 'the outbox');
    equal(await codeOf(again.joinGroup(added.welcome ?? new Uint8Array())), 'stale-welcome', 'the Welcome once more');
    const join = await again.joinByExternalCommit(await bob.exportGroupInfo(GROUP));
    const link = await again.uploadLink(join.id);
    equal([link?.previous, link?.link.length], [undefined, 32], 'the first link of a new chain');
    await bob.processMessage(join.bytes ?? new Uint8Array());
    await again.acceptExternalJoin(join.id);
    equal(await again.checkWitness(GROUP, link?.link), true, 'what the delivery service then says');
    await talk(again, bob, GROUP, 'with other keys');
    await Promise.all([again.close(), bob.close()]);
  },

  'a damaged node of the root costs the groups that it names, and no others': async (options) => {
    const name = freshName();
    const client = await CoreCryptoClient.open({ ...options, name, memoryLimit: 0, durability: 'relaxed' });
    await client.createIdentity(utf8('alice'));
    const groups = Array.from({ length: 40 }, (_, index) => utf8(`group ${index}`));
    for (const group of groups) {
      await client.createGroup(group);
    }
    await client.close();
    const nodes = await stored(name, 'digest_node');
    equal(nodes.length > 8, true, `${nodes.length} nodes`);
    await damage(name, 'digest_node', nodes.length - 1);
    const again = await CoreCryptoClient.open({ ...options, name, memoryLimit: 0, durability: 'relaxed' });
    const damaged = await again.findDamagedGroups();
    equal([damaged.length > 0, damaged.length < 20], [true, true], `${damaged.length} of 40 groups damaged`);
    const names = new Set(damaged.map(({ groupId }) => text(groupId)));
    for (const group of groups.filter((one) => !names.has(text(one)))) {
      await again.encryptMessage(group, utf8('goes on'));
    }
    // Each pushes another one out of the root into a leaf. An id that belongs to the damaged leaf may have been there.
    const codes = [];
    for (let more = 0; more < 20; more += 1) {
      codes.push(await codeOf(again.createGroup(utf8(`another ${more}`))));
    }
    equal(codes.filter((code) => code !== 'resolved' && code !== 'damaged-group'), [], 'what becomes of more groups');
    equal(codes.filter((code) => code === 'resolved').length > 10, true, `${codes.length} more groups`);
    for (const { groupId } of damaged) {
      await again.quarantineGroup(groupId);
    }
    equal((await again.findDamagedGroups()).length, 0, 'afterwards');
    await again.close();
  },

  'a damaged record of the client itself is put aside if the app says so': async (options) => {
    const here = await pair(options);
    const first = await here.alice.sendMessage(GROUP, utf8('one'));
    const second = await here.alice.sendMessage(GROUP, utf8('two'));
    await Promise.all([here.alice.close(), here.bob.close()]);
    await damage(here.name, 'outbox', 0);
    equal(await codeOf(CoreCryptoClient.open({ ...options, name: here.name })), 'damaged-record', 'as it is');
    equal((await stored(here.name, 'outbox')).length, 2, 'entries after that');
    const alice = new CoreCryptoClient({ ...options, name: here.name, quarantineDamaged: true });
    const aside: string[] = [];
    alice.on('quarantined', ({ category }) => aside.push(category));
    await alice.open();
    const left = (await alice.outbox()).map(({ id }) => id);
    equal([aside, left.length, [first.id, second.id].includes(left[0] ?? '')], [['outbox'], 1, true], 'what is left');
    equal((await stored(here.name, 'quarantine')).length, 1, 'what is kept');
    await alice.close();
  },
};

export const damageScenarios: Record<string, Scenario> = Object.fromEntries(
  Object.entries(scenarios).flatMap(([name, scenario]) =>
    Object.entries(MODES).map(([mode, options]) => [`${name}, ${mode}`, () => scenario(options)]),
  ),
);

damageScenarios['what there is of a client is told before it is opened, and nothing changes by it'] = async () => {
  const name = freshName();
  const state = async (known?: boolean): Promise<string> => (await databaseState(name, known)).state;
  equal([await state(), await state(false), await state(true)], ['unknown', 'fresh', 'evicted-suspected'], 'without a database');
  equal((await indexedDB.databases()).some((database) => database.name === name), false, 'still none');
  await (await CoreCryptoClient.open({ name })).close();
  equal([await state(), await state(true)], ['restored', 'restored'], 'with one');
  await tamper(name, 'meta', (meta) => meta.put(true, 'restoring'));
  const { state: unfinished, damage: what } = await databaseState(name);
  equal([unfinished, what?.code], ['damaged', 'restore-unfinished'], 'half restored');
  await tamper(name, 'meta', (meta) => meta.delete('restoring'));
  const { formatVersion } = await new WasmEngineHost().start();
  await tamper(name, 'meta', (meta) => meta.put(formatVersion + 1, 'format'));
  equal(await state(), 'newer-format', 'of the next format');
  await tamper(name, 'meta', (meta) => meta.put(formatVersion, 'format'));
  equal(await state(), 'restored', 'of the format that the wasm writes');
  await tamper(name, 'meta', (meta) => meta.put(99, 'format'));
  equal(await state(), 'newer-format', 'of a newer format');
  await tamper(name, 'meta', (meta) => meta.delete('format'));
  equal(await state(), 'damaged', 'without a format');
  const sealed = freshName();
  await (await CoreCryptoClient.open({ name: sealed, vault: { unlock: KEY } })).close();
  equal((await databaseState(sealed)).state, 'locked', 'a sealed one');
  await tamper(sealed, 'meta', (meta) => meta.put({ version: 1 }, 'vault'));
  equal((await databaseState(sealed)).state, 'damaged', 'with half a header');
  await tamper(sealed, 'meta', (meta) => meta.put({ version: 9 }, 'vault'));
  equal((await databaseState(sealed)).state, 'newer-format', 'with a header of a newer version');
};

damageScenarios['that there is little room is told once, and again only after there was enough'] = async () => {
  const real = navigator.storage.estimate.bind(navigator.storage);
  let free = 1_000_000;
  // Chromium tells no site how much room there truly is; other browsers do.
  Object.defineProperty(navigator.storage, 'estimate', { value: async () => ({ usage: 9_000_000, quota: 9_000_000 + free }), configurable: true });
  try {
    const client = await CoreCryptoClient.open({ name: freshName(), durability: 'relaxed' });
    const told: number[] = [];
    client.on('storage-low', ({ usage, quota }) => told.push(quota - usage));
    await client.createIdentity(utf8('alice'));
    await client.createGroup(GROUP);
    const writes = async (count: number): Promise<void> => {
      for (let write = 0; write < count; write += 1) {
        await client.encryptMessage(GROUP, utf8('x'));
      }
    };
    await writes(130);
    equal(told, [], 'while there is enough');
    free = 900_000;
    await writes(130);
    equal(told, [900_000], 'when there is little');
    free = 5_000_000;
    await writes(130);
    free = 800_000;
    await writes(130);
    equal(told, [900_000, 800_000], 'when there is little again');
    await client.close();
  } finally {
    Object.defineProperty(navigator.storage, 'estimate', { value: real, configurable: true });
  }
};
