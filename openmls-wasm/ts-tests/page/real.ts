/** Scenarios over the real engine: two people in one page, each with a client and a database of their own. */

import { CoreCryptoClient, IndexedDbPersister, WasmEngineHost, type CoreCryptoOptions, type EngineHost, type InboxItem, type StorageRecord } from 'openmls-wasm';
import { abortSoon, codeOf, connect, dump, equal, freshName, next, tamper, type Scenario } from './support.js';
import { unpack } from './unpack.js';

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** What a delivery service does for two clients: an ordered log. */
interface Room {
  readonly alice: CoreCryptoClient;
  readonly bob: CoreCryptoClient;
  readonly names: { readonly alice: string; readonly bob: string };
  readonly groupId: Uint8Array;
  position: number;
}

async function person(name: string, options: Partial<CoreCryptoOptions> = {}): Promise<CoreCryptoClient> {
  const client = await CoreCryptoClient.open({ ...options, name });
  if ((await client.identity()) === undefined) {
    await client.createIdentity(utf8(name));
  }
  return client;
}

/** Alice invites Bob; with `welcome` the Welcome is handed to that instead of to Bob. */
async function room(
  options: Partial<CoreCryptoOptions> = {},
  welcome?: (bob: CoreCryptoClient, bytes: Uint8Array) => Promise<CoreCryptoClient>,
): Promise<Room> {
  const names = { alice: freshName(), bob: freshName() };
  const [alice, invited] = [await person(names.alice, options), await person(names.bob, options)];
  const [keyPackage] = await invited.generateKeyPackages(1);
  const groupId = await alice.createGroup();
  const commit = await alice.addMembers(groupId, keyPackage === undefined ? [] : [keyPackage]);
  await alice.receiveMessage({ bytes: commit.bytes ?? new Uint8Array(), id: commit.id, position: 1 });
  const bytes = commit.welcome ?? new Uint8Array();
  let bob = invited;
  if (welcome === undefined) {
    await bob.receiveWelcome({ bytes, id: 'welcome', position: 1, groupPosition: 1 });
  } else {
    bob = await welcome(invited, bytes);
  }
  return { alice, bob, names, groupId, position: 1 };
}

/** Sends by Alice; what Bob gets. */
async function say(here: Room, words: string): Promise<InboxItem | undefined> {
  const entry = await here.alice.sendMessage(here.groupId, utf8(words));
  here.position += 1;
  const bytes = entry.bytes ?? new Uint8Array();
  await here.alice.acknowledgeOutbox(entry.id);
  return here.bob.receiveMessage({ bytes, id: entry.id, position: here.position });
}

function words(item: InboxItem | undefined): string {
  return item?.kind === 'message' ? text(item.plaintext) : `${item?.kind ?? 'nothing'}`;
}

async function close(here: Room): Promise<void> {
  await Promise.all([here.alice.close(), here.bob.close()]);
}

/** Database and memory hold the same records. */
async function agrees(name: string, host: RememberingHost): Promise<void> {
  const stored = Object.entries(await dump(name))
    .filter(([key]) => !/^(meta|incoming)\//.test(key))
    .flatMap(([key, value]) => unpack(key, Uint8Array.from(value.split(','), Number)))
    .map(([key, value]) => [key, [...value].join()]);
  const client = clientOf(host);
  if (client?.records === undefined && client?.panicForTest === undefined) {
    return; // The release build shows nobody its records; the build for tests must.
  }
  const memory = client.records?.().map((r) => [`${r.category}/${r.key}`, [...r.value].join()]) ?? [];
  equal(stored.sort(), memory.sort(), 'records in the database and in memory');
}

/** The client of an engine, as the package calls it: it is not declared. */
interface BareClient {
  records?(): StorageRecord[];
  panicForTest?(): void;
  encryptMessage(): void;
}

function clientOf({ last }: RememberingHost): BareClient | undefined {
  return (last as { readonly client?: BareClient } | undefined)?.client;
}

/** Keeps the engine it made last. */
class RememberingHost implements EngineHost {
  readonly #host = new WasmEngineHost();
  last: Awaited<ReturnType<EngineHost['start']>> | undefined;
  async start(): Promise<Awaited<ReturnType<EngineHost['start']>>> {
    this.last = await this.#host.start();
    return this.last;
  }
}

export const real: Record<string, Scenario> = {
  'two people talk, and go on after a reload': async () => {
    const here = await room();
    equal(words(await say(here, 'hello')), 'hello', 'the first message');
    await close(here);
    const again = { ...here, alice: await person(here.names.alice), bob: await person(here.names.bob) };
    equal(words(await say(again, 'back again')), 'back again', 'the message after the reload');
    equal(
      (await again.bob.inbox()).map((item) => item.kind),
      ['joined', 'message', 'message'],
      'what Bob has not acknowledged',
    );
    await again.bob.acknowledgeInbox((await again.bob.inbox()).map((item) => item.id));
    equal(await again.bob.inbox(), [], 'the inbox after acknowledging');
    await close(again);
  },

  'a wasm file that is none is told, and the right one opens the database afterwards': async () => {
    const here = await room();
    await close(here);
    const before = await dump(here.names.alice);
    const wasm = Uint8Array.of(1, 2, 3);
    equal(await codeOf(CoreCryptoClient.open({ name: here.names.alice, wasm })), 'wasm-unavailable', 'the code');
    equal(await dump(here.names.alice), before, 'the database');
    const alice = await person(here.names.alice);
    equal((await alice.listGroups()).length, 1, 'groups');
    await alice.close();
  },

  'the database holds what memory holds, and every value is a small buffer of its own': async () => {
    const host = new RememberingHost();
    const name = freshName();
    const client = await person(name, { engine: host });
    const groupId = await client.createGroup();
    let largest = 0;
    const put = IDBObjectStore.prototype.put;
    IDBObjectStore.prototype.put = function (value: unknown, key?: IDBValidKey) {
      if (value instanceof Uint8Array) {
        largest = Math.max(largest, value.buffer.byteLength - value.byteLength);
      }
      return put.call(this, value, key);
    };
    await client.sendMessage(groupId, utf8('to myself'));
    await client.selfUpdate(groupId);
    IDBObjectStore.prototype.put = put;
    equal(largest, 0, 'bytes of a buffer that a value does not show');
    await agrees(name, host);
    await client.close();
  },

  'an aborted transaction, while sending and while receiving': async () => {
    const here = await room({ retry: { firstDelayMs: 1 } });
    for (const step of [1, 2, 3]) {
      let aborts = 0;
      const item = await withAnyWrite(
        (transaction) => {
          aborts += 1;
          if (aborts % 2 === 1) {
            abortSoon(transaction);
          }
        },
        () => say(here, `message ${step}`),
      );
      equal(words(item), `message ${step}`, 'the message');
    }
    await close(here);
    const bob = await person(here.names.bob);
    equal((await bob.inbox()).map(words), ['joined', 'message 1', 'message 2', 'message 3'], 'after a reload');
    await bob.close();
  },

  'after giving up, the next send and receive work': async () => {
    const here = await room({ retry: { attempts: 2, firstDelayMs: 1 } });
    const sent = await here.alice.encryptMessage(here.groupId, utf8('first'));
    equal(
      await withAnyWrite(abortSoon, () =>
        Promise.all([
          codeOf(here.alice.sendMessage(here.groupId, utf8('lost'))),
          codeOf(here.bob.receiveMessage({ bytes: sent, id: 'm', position: 2 })),
        ]),
      ),
      ['storage-failed', 'storage-failed'],
      'codes',
    );
    equal((await here.alice.outbox()).length, 0, "Alice's outbox");
    equal(words(await here.bob.receiveMessage({ bytes: sent, id: 'm', position: 2 })), 'first', 'the message again');
    here.position = 2;
    equal(words(await say(here, 'second')), 'second', 'the next message');
    await close(here);
  },

  'a panic of one client does not touch the other; both go on': async () => {
    const here = await room({ engine: undefined });
    const host = new RememberingHost();
    await here.alice.close();
    const alice = await person(here.names.alice, { engine: host });
    const old = clientOf(host);
    if (old !== undefined) {
      // The release build has no panic to order; the build for tests has one.
      const panic = old.panicForTest?.bind(old);
      old.encryptMessage = () => {
        panic?.();
        throw new WebAssembly.RuntimeError('unreachable');
      };
    }
    const restarted = next(alice, 'engine-restarted');
    equal(await codeOf(alice.encryptMessage(here.groupId, utf8('x'))), 'engine-panicked', 'the code');
    await restarted;
    equal(clientOf(host) === old, false, 'the old client is still used');
    equal(words(await say({ ...here, alice }, 'still here')), 'still here', 'the next message');
    await Promise.all([alice.close(), here.bob.close()]);
  },

  'a Welcome and three messages that come while Bob is closed and opening': async () => {
    const sent: Uint8Array[] = [];
    const announced: string[] = [];
    const here = await room({}, async (bob, bytes) => {
      const name = (await bob.identity())?.identity ?? new Uint8Array();
      await bob.close();
      const later = new CoreCryptoClient({ name: text(name) });
      later.on('inbox', ({ items }) => announced.push(...items.map(words)));
      await later.receiveWelcome({ bytes, id: 'welcome', position: 1, groupPosition: 1 });
      return later;
    });
    for (const each of ['one', 'two', 'three']) {
      sent.push((await here.alice.sendMessage(here.groupId, utf8(each))).bytes ?? new Uint8Array());
    }
    const opened = here.bob.open();
    const handed = sent.map((bytes, index) => here.bob.receiveMessage({ bytes, id: `m${index}`, position: index + 2 }));
    await Promise.all([opened, ...handed]);
    equal(announced, ['joined', 'one', 'two', 'three'], 'announced');
    equal((await here.bob.inbox()).map(words), ['joined', 'one', 'two', 'three'], 'kept');
    equal(await here.bob.deliveryCursor(here.groupId), 4, 'the cursor');
    await close(here);
  },

  'a Welcome for the next time, handed in while opening, before the removal from the group': async () => {
    const here = await room();
    const [member] = (await here.alice.groupInfo(here.groupId)).members.filter(({ leafIndex }) => leafIndex === 1);
    const removal = await here.alice.removeMembers(here.groupId, [member?.leafIndex ?? 0]);
    await here.alice.receiveMessage({ bytes: removal.bytes ?? new Uint8Array(), id: removal.id, position: 2 });
    const addition = await here.alice.addMembers(here.groupId, await here.bob.generateKeyPackages(1));
    await here.alice.receiveMessage({ bytes: addition.bytes ?? new Uint8Array(), id: addition.id, position: 3 });
    const welcome = { bytes: addition.welcome ?? new Uint8Array(), id: 'again', position: 2, groupPosition: 3 };
    equal(await codeOf(here.bob.receiveWelcome(welcome)), 'group-exists', 'while Bob is in the group');
    await here.bob.close();
    const bob = new CoreCryptoClient({ name: here.names.bob });
    const handed = [
      bob.receiveWelcome(welcome),
      bob.receiveMessage({ bytes: removal.bytes ?? new Uint8Array(), id: removal.id, position: 2 }),
    ];
    await Promise.all([bob.open(), ...handed]);
    equal((await bob.inbox()).map(words), ['joined', 'commit', 'joined'], "Bob's inbox");
    equal(words(await say({ ...here, bob, position: 3 }, 'welcome back')), 'welcome back', 'the next message');
    await Promise.all([here.alice.close(), bob.close()]);
  },

  'key packages are deleted, all or none': async () => {
    const name = freshName();
    const client = await person(name);
    await client.generateKeyPackages(3);
    const [first, second, third] = (await client.keyPackages()).map(({ reference }) => reference);
    if (first === undefined || second === undefined || third === undefined) {
      throw new Error('there are not three key packages');
    }
    equal(await codeOf(client.deleteKeyPackages([first, Uint8Array.of(1)])), 'unknown-key-package', 'the code');
    equal((await client.keyPackages()).length, 3, 'key packages after the refusal');
    await client.deleteKeyPackages([first, third]);
    await client.close();
    const again = await person(name);
    equal((await again.keyPackages()).map(({ reference }) => [...reference]), [[...second]], 'what is left');
    await again.close();
  },

  'a message that leaves a gap is refused, and changes nothing': async () => {
    const here = await room();
    const [one, two] = [
      await here.alice.sendMessage(here.groupId, utf8('one')),
      await here.alice.sendMessage(here.groupId, utf8('two')),
    ].map(({ bytes, id }, index) => ({ bytes: bytes ?? new Uint8Array(), id, position: index + 2 }));
    if (one === undefined || two === undefined) {
      throw new Error('there are not two messages');
    }
    equal(await codeOf(here.bob.receiveMessage(two)), 'position-gap', 'the second before the first');
    equal(words(await here.bob.receiveMessage(one)), 'one', 'the first');
    equal(words(await here.bob.receiveMessage(two)), 'two', 'the second');
    await close(here);
  },

  'the first message in one of many groups waits for one read, not for one after the other': async () => {
    const name = freshName();
    const client = await person(name, { durability: 'relaxed' });
    const groups = Array.from({ length: 60 }, (_, index) => utf8(`group ${index}`));
    for (const group of groups) {
      await client.createGroup(group);
    }
    await client.close();
    let most = 0;
    for (const group of groups.slice(0, 40).filter((_, index) => index % 4 === 0)) {
      const persister = new IndexedDbPersister({ name, durability: 'relaxed' });
      // Reads that begin while none is under way.
      let [rounds, reading] = [0, 0];
      for (const method of ['load', 'loadGroup', 'loadGroups', 'loadCategory', 'read'] as const) {
        const original = persister[method].bind(persister) as (...args: unknown[]) => Promise<never>;
        persister[method] = async (...args: unknown[]) => {
          rounds += reading === 0 ? 1 : 0;
          reading += 1;
          return original(...args).finally(() => (reading -= 1));
        };
      }
      const again = await CoreCryptoClient.open({ name, persister, durability: 'relaxed' });
      rounds = 0;
      await again.encryptMessage(group, utf8('first'));
      most = Math.max(most, rounds);
      await again.close();
    }
    equal(most, 1, 'reads that waited for each other');
  },

  'a damaged record is named and all is left as it was': async () => {
    const here = await room();
    await close(here);
    const all = Object.keys(await dump(here.names.bob)).filter((key) => !/^(meta|incoming)\//.test(key));
    const atOpening = new Set(['identity', 'signature_key_pair', 'last_sequence', 'inbox', 'outbox', 'welcome_cursor', 'digest_root']);
    for (const key of all) {
      const slash = key.indexOf('/');
      const [store, record] = [key.slice(0, slash), key.slice(slash + 1)];
      const value = await valueOf(here.names.bob, store, record);
      await tamper(here.names.bob, store, (objects) => objects.put(value.subarray(0, value.length - 1).slice(), record));
      const before = await dump(here.names.bob);
      const client = new CoreCryptoClient({ name: here.names.bob });
      const used = atOpening.has(store) ? client.open() : client.open().then(() => useAll(client, here.groupId));
      const error = await used.then(() => undefined, (reason: unknown) => reason as Record<string, unknown>);
      equal([error?.['code'], error?.['category'], error?.['key']], ['damaged-record', store, record], 'the error');
      if (!atOpening.has(store)) {
        // Everything else works: other groups, and listing this one.
        equal((await client.groupSummaries()).groups.length, 1, 'the groups it knows of');
        await client.encryptMessage(await client.createGroup(), utf8('x'));
        await client.close();
      }
      const after = await dump(here.names.bob);
      // The root has the digest of the other group too, which was made here.
      const grows = new Set(['meta/writer', 'digest_root/0000000000000000']);
      const changed = Object.keys(before).filter((name) => !grows.has(name) && after[name] !== before[name]);
      equal(changed, [], 'what changed');
      await tamper(here.names.bob, store, (objects) => objects.put(value, record));
      for (const name of Object.keys(after).filter((name) => !(name in before))) {
        const at = name.indexOf('/');
        await tamper(here.names.bob, name.slice(0, at), (objects) => objects.delete(name.slice(at + 1)));
      }
    }
    const bob = await person(here.names.bob);
    equal((await bob.listGroups()).length, 1, 'groups after mending');
    await bob.close();
  },

  'a thousand messages at once are a few transactions': async () => {
    const here = await room();
    let transactions = 0;
    const sent = await withAnyWrite(
      () => (transactions += 1),
      () => Promise.all(Array.from({ length: 1000 }, (_, n) => here.alice.encryptMessage(here.groupId, utf8(`${n}`)))),
    );
    equal(transactions <= 2, true, 'at most two transactions');
    const received = await Promise.all(
      sent.map((bytes, n) => here.bob.receiveMessage({ bytes, id: `m${n}`, position: n + 2 })),
    );
    equal(received.map(words), Array.from({ length: 1000 }, (_, n) => `${n}`), 'what Bob received');
    await close(here);
  },
};

async function valueOf(name: string, store: string, key: string): Promise<Uint8Array> {
  const database = await connect(name);
  const request = database.transaction(store).objectStore(store).get(key) as IDBRequest<Uint8Array>;
  const value = await new Promise<Uint8Array>((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error('cannot read'));
  });
  database.close();
  return value;
}

const realTransaction = IDBDatabase.prototype.transaction;

async function withAnyWrite<T>(touch: (transaction: IDBTransaction) => void, body: () => Promise<T>): Promise<T> {
  IDBDatabase.prototype.transaction = function (stores, mode, options): IDBTransaction {
    const transaction = realTransaction.call(this, stores, mode, options);
    if (mode === 'readwrite') {
      touch(transaction);
    }
    return transaction;
  };
  try {
    return await body();
  } finally {
    IDBDatabase.prototype.transaction = realTransaction;
  }
}

/** What needs every record of a client that is not there at opening. */
async function useAll(client: CoreCryptoClient, groupId: Uint8Array): Promise<void> {
  await client.keyPackages();
  await client.groupInfo(groupId);
}
