/** What the scenarios share: a client over the fake engine, faults in IndexedDB, and a look into the database. */

import {
  CoreCryptoClient,
  CoreCryptoError,
  IndexedDbPersister,
  type CoreCryptoEvents,
  type CoreCryptoOptions,
  type Persister,
  type WriteBatch,
} from 'openmls-wasm';
import { FakeHost } from './fake-engine.js';

export type Scenario = () => Promise<void>;

export const GROUP = Uint8Array.of(1, 2, 3, 4);

/** A client over the fake engine with the group `GROUP`, and a record of its events. */
export interface Fixture {
  readonly client: CoreCryptoClient;
  readonly host: FakeHost;
  readonly name: string;
  readonly events: (keyof CoreCryptoEvents)[];
}

export function freshName(): string {
  return `test ${crypto.randomUUID()}`;
}

export async function open(options: Partial<CoreCryptoOptions> = {}): Promise<Fixture> {
  const fixture = make(options);
  await fixture.client.open();
  await fixture.client.createGroup(GROUP);
  fixture.events.length = 0;
  return fixture;
}

export function make(options: Partial<CoreCryptoOptions> = {}): Fixture {
  const host = new FakeHost();
  const name = options.name ?? freshName();
  const client = new CoreCryptoClient({ engine: host, ...options, name });
  const events: (keyof CoreCryptoEvents)[] = [];
  const names: (keyof CoreCryptoEvents)[] = [
    'saved',
    'storage-error',
    'storage-recovered',
    'rolled-back',
    'engine-restarted',
    'writer-lost',
    'inbox',
    'incoming-failed',
  ];
  for (const event of names) {
    client.on(event, () => events.push(event));
  }
  return { client, host, name, events };
}

/** Encrypts; the number it got. */
export async function encrypt(client: CoreCryptoClient): Promise<number> {
  const [high = 0, low = 0] = await client.encryptMessage(GROUP, Uint8Array.of(0));
  return high * 256 + low;
}

/** A promise and what settles it. */
export function gate(): { readonly opened: Promise<void>; readonly open: () => void } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

/** The real persister with a hand on its writes. */
export class SteeredPersister extends IndexedDbPersister {
  writes = 0;
  /** Called instead of a write; `commit` is the real one. */
  onWrite: ((batch: WriteBatch, commit: () => Promise<void>) => Promise<void>) | undefined;

  override write(batch: WriteBatch): Promise<void> {
    this.writes += 1;
    const commit = (): Promise<void> => super.write(batch);
    return this.onWrite === undefined ? commit() : this.onWrite(batch, commit);
  }
}

export function steered(): { name: string; persister: SteeredPersister & Persister } {
  const name = freshName();
  return { name, persister: new SteeredPersister({ name }) };
}

const realTransaction = IDBDatabase.prototype.transaction;

/** Runs `body` with a hand on every read-write transaction that touches the store `counter`. */
export async function withTransactions<T>(
  touch: (transaction: IDBTransaction, database: IDBDatabase) => void,
  body: () => Promise<T>,
): Promise<T> {
  IDBDatabase.prototype.transaction = function (stores, mode, options): IDBTransaction {
    const transaction = realTransaction.call(this, stores, mode, options);
    if (mode === 'readwrite' && transaction.objectStoreNames.contains('counter')) {
      touch(transaction, this);
    }
    return transaction;
  };
  try {
    return await body();
  } finally {
    IDBDatabase.prototype.transaction = realTransaction;
  }
}

/** Aborts a transaction after its requests have been queued. */
export function abortSoon(transaction: IDBTransaction): void {
  queueMicrotask(() => transaction.abort());
}

/** A connection of the test's own. */
export function connect(name: string): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(name);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error('cannot open'));
  });
}

/** All that a database holds: `store/key` → bytes as hex, or JSON. Opens no transaction of ours. */
export async function dump(name: string): Promise<Record<string, string>> {
  const database = await connect(name);
  const content: Record<string, string> = {};
  for (const store of database.objectStoreNames) {
    const objects = realTransaction.call(database, store, 'readonly').objectStore(store);
    const [keys, values] = await Promise.all([result(objects.getAllKeys()), result(objects.getAll() as IDBRequest<unknown[]>)]);
    keys.forEach((key, index) => {
      const value = values[index];
      content[`${store}/${String(key)}`] = value instanceof Uint8Array ? [...value].join() : JSON.stringify(value);
    });
  }
  database.close();
  return content;
}

/** Changes a database behind the client's back. */
export async function tamper(name: string, store: string, change: (store: IDBObjectStore) => void): Promise<void> {
  const database = await connect(name);
  const transaction = realTransaction.call(database, store, 'readwrite');
  change(transaction.objectStore(store));
  await new Promise<void>((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error ?? new Error('aborted'));
  });
  database.close();
}

export function result<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error('failed'));
  });
}

/** The code a promise rejects with; 'resolved' if it does not. */
export async function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'resolved',
    (error: unknown) => (error instanceof CoreCryptoError ? error.code : `not a CoreCryptoError: ${String(error)}`),
  );
}

/** Whether a promise has settled, after everything that is ready now has run. */
export async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  promise.then(
    () => (settled = true),
    () => (settled = true),
  );
  // A message of a channel is a task: microtasks and the tasks queued before it have run when it arrives.
  const { port1, port2 } = new MessageChannel();
  await new Promise<void>((resolve) => {
    port1.onmessage = () => resolve();
    port2.postMessage(undefined);
  });
  port1.close();
  return settled;
}

/** The next event of that name. */
export function next<Name extends keyof CoreCryptoEvents>(
  client: CoreCryptoClient,
  name: Name,
): Promise<CoreCryptoEvents[Name]> {
  return new Promise((resolve) => {
    const off = client.on(name, (event) => {
      off();
      resolve(event);
    });
  });
}

export function equal(actual: unknown, expected: unknown, what: string): void {
  const [found, wanted] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (found !== wanted) {
    throw new Error(`${what}: expected ${wanted}, found ${found}`);
  }
}
