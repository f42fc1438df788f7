/** Scenarios of opening: one writer, and outcomes that leave the database as it was. */

import type { Persister, RequestWriter } from 'openmls-wasm';
import { DAMAGED } from './fake-engine.js';
import {
  codeOf, connect,
  dump,
  encrypt,
  equal,
  freshName,
  gate,
  isSettled,
  make,
  open,
  SteeredPersister,
  tamper,
  withTransactions,
  type Scenario,
} from './support.js';

/** The writer's role for everybody: two writers, as after a lock that was lost. */
export const everybody: RequestWriter = () => {
  const released = gate();
  return Promise.resolve({ release: released.open, lost: released.opened });
};

const { transaction } = IDBDatabase.prototype;

/** Creates a database with one group and two messages, and closes it. */
async function prepared(): Promise<string> {
  const { client, name } = await open();
  await encrypt(client);
  await client.close();
  return name;
}

/** Opening must fail with `code`, change nothing, and give the lock back. */
async function refuses(name: string, code: string, format = 1): Promise<void> {
  const before = await dump(name);
  const { client, host } = make({ name });
  host.format = format;
  const waiting = codeOf(encrypt(client));
  equal([await codeOf(client.open()), client.state, await waiting], [code, 'failed', code], 'open, state, a waiting call');
  equal(await codeOf(encrypt(client)), code, 'a later call');
  equal(await dump(name), before, 'the database');
  const { held } = await navigator.locks.query();
  equal((held ?? []).filter((lock) => lock.name?.includes(name)).length, 0, 'locks held');
  equal(host.discarded, host.started, 'engines discarded');
  await client.close();
}

export const opening: Record<string, Scenario> = {
  'calls made while opening run when it is open, in order': async () => {
    const name = await prepared();
    const { client } = make({ name });
    const opened = client.open();
    equal(client.state, 'opening', 'state');
    equal([await Promise.all([encrypt(client), encrypt(client)]), await opened], [[2, 3], undefined], 'numbers');
    await client.close();
  },

  'a second client of the same database is refused with already-open': async () => {
    const { client, name } = await open();
    const second = make({ name });
    equal([await codeOf(second.client.open()), second.client.state], ['already-open', 'failed'], 'second');
    await second.client.close();
    equal(await encrypt(client), 1, 'the first goes on');
    await client.close();
    const third = make({ name });
    await third.client.open();
    equal(await encrypt(third.client), 2, 'the third');
    await third.client.close();
  },

  'a writer that was overtaken writes nothing more and fails': async () => {
    const { client, name, events } = await open({ requestWriter: everybody, retry: { attempts: 9 } });
    const second = make({ name, requestWriter: everybody });
    await second.client.open();
    equal(await encrypt(second.client), 1, 'the second');
    let transactions = 0;
    const codes = await withTransactions(
      () => (transactions += 1),
      () => Promise.all([codeOf(encrypt(client)), codeOf(encrypt(client))]),
    );
    equal([codes, client.state], [['writer-lost', 'writer-lost'], 'failed'], 'the first');
    equal([transactions, events.includes('writer-lost')], [1, true], 'attempts, event');
    equal(await codeOf(client.groupInfo(Uint8Array.of(1))), 'writer-lost', 'a later read');
    equal([await encrypt(second.client), (await dump(name))['counter/01020304']], [2, '0,2'], 'the second goes on');
    await Promise.all([client.close(), second.client.close()]);
  },

  'a lock that is stolen ends the client': async () => {
    const { client, name, events } = await open();
    await navigator.locks.request(`openmls-wasm writer ${name}`, { steal: true }, () => undefined);
    await isSettled(Promise.resolve());
    equal([client.state, await codeOf(encrypt(client))], ['failed', 'writer-lost'], 'state, code');
    equal(events.filter((event) => event === 'writer-lost').length, 1, 'events');
    await client.close();
  },

  'a client that has lost its lock settles the calls of the write in flight': async () => {
    for (const commits of [true, false]) {
      const lock = gate();
      const name = freshName();
      const persister = new SteeredPersister({ name });
      const { client } = await open({
        name,
        persister,
        requestWriter: () => Promise.resolve({ release: () => undefined, lost: lock.opened }),
      });
      const hold = gate();
      const writing = gate();
      persister.onWrite = async (_, commit) => {
        writing.open();
        await (commits ? commit() : undefined);
        await hold.opened;
        if (!commits) {
          throw new Error('no');
        }
      };
      const inFlight = encrypt(client).catch((error: unknown) => (error as { code: string }).code);
      await writing.opened;
      const waiting = codeOf(encrypt(client));
      lock.open();
      equal(await waiting, 'writer-lost', 'the call that waited');
      hold.open();
      equal(await inFlight, commits ? 1 : 'writer-lost', 'the call in flight');
      await client.close();
    }
  },

  'a database of a newer layout is refused': async () => {
    const name = freshName();
    await new Promise<void>((resolve) => {
      const request = indexedDB.open(name, 1000);
      request.onupgradeneeded = () => request.result.createObjectStore('later').put('something', 'key');
      request.onsuccess = () => {
        request.result.close();
        resolve();
      };
    });
    await refuses(name, 'newer-format');
  },

  'a database from before the first release is refused, and stays of its version': async () => {
    const name = freshName();
    await new Promise<void>((resolve) => {
      const request = indexedDB.open(name, 1);
      request.onupgradeneeded = () => request.result.createObjectStore('meta').put(1, 'format');
      request.onsuccess = () => {
        request.result.close();
        resolve();
      };
    });
    await refuses(name, 'unsupported-format');
    equal((await indexedDB.databases()).find((info) => info.name === name)?.version, 1, 'the version');
  },

  'a database of the layout before gets the stores that it has not, and keeps what it has': async () => {
    const name = freshName();
    await new Promise<void>((resolve) => {
      const request = indexedDB.open(name, 2);
      request.onupgradeneeded = () => {
        const database = request.result;
        database.createObjectStore('meta').put(1, 'format');
        database.createObjectStore('incoming', { autoIncrement: true });
        for (const store of ['identity', 'cursor', 'inbox', 'group_summary']) {
          database.createObjectStore(store);
        }
        database.createObjectStore('counter').put(Uint8Array.of(0, 41), '01020304');
      };
      request.onsuccess = () => {
        request.result.close();
        resolve();
      };
    });
    const { client } = make({ name });
    await client.open();
    equal(await encrypt(client), 42, 'a message');
    await client.close();
    equal((await indexedDB.databases()).find((info) => info.name === name)?.version, 5, 'the version');
    equal((await dump(name))['counter/01020304'], '0,42', 'the record');
    const database = await connect(name);
    const gained = ['digest_root', 'digest_node', 'epoch_records', 'inert_group', 'moved_away', 'quarantine', 'upload_chain'];
    equal(gained.filter((store) => !database.objectStoreNames.contains(store)), [], 'stores that are missing');
    database.close();
  },

  'a page of an older version that keeps the database open is told, and not waited for for ever': async () => {
    const name = freshName();
    const old = await new Promise<IDBDatabase>((resolve) => {
      const request = indexedDB.open(name, 2);
      request.onupgradeneeded = () => request.result.createObjectStore('meta').put(1, 'format');
      request.onsuccess = () => resolve(request.result);
    });
    equal(await codeOf(make({ name }).client.open()), 'already-open', 'the code');
    equal(old.version, 2, 'the version');
    old.close();
  },

  'a database of a newer record format is refused': async () => {
    const name = await prepared();
    await tamper(name, 'meta', (meta) => meta.put(2, 'format'));
    await refuses(name, 'newer-format');
  },

  'a record that the engine cannot read is named': async () => {
    const name = await prepared();
    await tamper(name, 'counter', (counter) => counter.put(Uint8Array.of(DAMAGED, 77), '0a0b'));
    await refuses(name, 'damaged-record');
    const { client } = make({ name });
    const error = await client.open().then(() => undefined, (reason: unknown) => reason as Record<string, unknown>);
    equal([error?.['category'], error?.['key']], ['counter', '0a0b'], 'category, key');
    equal(String(error?.['message']).replaceAll(name, '').includes('77'), false, 'the value is in the message');
    await client.close();
  },

  'a record that is not bytes is named': async () => {
    const name = await prepared();
    await tamper(name, 'counter', (counter) => counter.put('text', '0c'));
    await refuses(name, 'damaged-record');
  },

  'a database of something else is refused': async () => {
    const name = freshName();
    await new Promise<void>((resolve) => {
      const request = indexedDB.open(name, 1);
      request.onupgradeneeded = () => request.result.createObjectStore('photos').put('a cat', 'key');
      request.onsuccess = () => {
        request.result.close();
        resolve();
      };
    });
    await refuses(name, 'damaged-record');
  },

  'with mustExist a missing database is not created': async () => {
    const { client, name } = make({ mustExist: true });
    equal(await codeOf(client.open()), 'database-missing', 'the code');
    equal((await indexedDB.databases()).some((info) => info.name === name), false, 'the database exists');
    await client.close();
  },

  'an app is told whether its database was created or found': async () => {
    const first = make();
    void first.client.receiveWelcome({ bytes: Uint8Array.of(1, 2, 3, 4), id: 'w' });
    equal(first.client.origin ?? null, null, 'before opening');
    await first.client.open();
    equal(first.client.origin, 'created', 'of a new database');
    await first.client.close();
    const again = make({ name: first.name });
    await again.client.open();
    equal(again.client.origin, 'restored', 'of one that was there');
    await again.client.close();
    await new Promise<void>((resolve, reject) => {
      const request = indexedDB.deleteDatabase(first.name);
      request.onsuccess = () => resolve();
      request.onerror = () => reject(request.error ?? new Error('cannot delete'));
    });
    const evicted = make({ name: first.name });
    await evicted.client.open();
    equal(evicted.client.origin, 'created', 'of one that was evicted');
    await evicted.client.close();
  },

  'without IndexedDB the outcome is typed': async () => {
    const name = freshName();
    const persister: Persister = new SteeredPersister({ name });
    const real = indexedDB.open.bind(indexedDB);
    IDBFactory.prototype.open = () => {
      throw new DOMException('denied', 'SecurityError');
    };
    const { client } = make({ name, persister });
    const code = await codeOf(client.open());
    IDBFactory.prototype.open = real;
    equal(code, 'indexeddb-unavailable', 'the code');
  },

  'without Web Locks nothing is opened or written, and the outcome is typed': async () => {
    const name = await prepared();
    const before = await dump(name);
    for (const locks of [undefined, { request: () => Promise.reject(new DOMException('denied', 'SecurityError')) }]) {
      Object.defineProperty(navigator, 'locks', { value: locks, configurable: true });
      const code = await codeOf(make({ name }).client.open());
      delete (navigator as { locks?: LockManager }).locks;
      equal(code, 'locks-unavailable', 'the code');
    }
    equal(await dump(name), before, 'the database');
    const { client } = make({ name });
    await client.open();
    equal(await encrypt(client), 2, 'the number after all that');
    await client.close();
  },

  'a connection that closes while it is opened, and a failure of IndexedDB itself, are not called a panic': async () => {
    const name = await prepared();
    IDBDatabase.prototype.transaction = function (...of): IDBTransaction {
      this.close();
      return transaction.apply(this, of);
    };
    const { client } = make({ name });
    const closing = await codeOf(client.open());
    IDBDatabase.prototype.transaction = transaction;
    equal([closing, client.state], ['indexeddb-unavailable', 'failed'], 'code, state');
    for (const [failure, code] of [
      ['InvalidStateError', 'indexeddb-unavailable'],
      ['QuotaExceededError', 'storage-failed'],
    ] as const) {
      const persister = new SteeredPersister({ name });
      persister.claimWriter = () => Promise.reject(new DOMException('no', failure));
      equal(await codeOf(make({ name, persister }).client.open()), code, failure);
      persister.close();
    }
    const again = make({ name });
    await again.client.open();
    equal(await encrypt(again.client), 2, 'the number after all that');
    await again.client.close();
  },

  'closing while opening waits, and then closes': async () => {
    const name = await prepared();
    const { client } = make({ name });
    const opened = client.open();
    const call = encrypt(client);
    const closed = client.close();
    equal(await codeOf(encrypt(client)), 'closed', 'a call after close');
    await Promise.all([opened, closed]);
    equal([await call, client.state], [2, 'closed'], 'the call before close, state');
  },
};
