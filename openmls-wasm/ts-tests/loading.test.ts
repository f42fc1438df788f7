/**
 * The loop while groups are brought into memory, and something fails at the same time. The engine and the persister are
 * played here, so that each can be stopped at the moment in question; `paging.rs` and `open.test.mjs` have the real ones.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CoreCryptoEvents } from '../dist/events.js';
import type { WriteBehind } from '../dist/write-behind.js';

/** Not part of what the package exports. */
const part = async <T>(name: string): Promise<T> => (await import(new URL(`../../dist/${name}.js`, import.meta.url).href)) as T;
const writeBehind = await part<typeof import('../dist/write-behind.js')>('write-behind');
const pageLoader = await part<typeof import('../dist/page-loader.js')>('page-loader');
const incomingQueue = await part<typeof import('../dist/incoming-queue.js')>('incoming-queue');
const { Emitter } = await part<typeof import('../dist/events.js')>('events');
const { PersisterError } = await part<typeof import('../dist/persister.js')>('persister');
const { CoreCryptoError } = await part<typeof import('../dist/errors.js')>('errors');

const NEVER = { attempts: 8, firstDelayMs: 3_600_000, maxDelayMs: 3_600_000 };
const ONCE = { attempts: 1, firstDelayMs: 1, maxDelayMs: 1 };

class MlsError extends Error {
  override readonly name = 'MlsError';
  constructor(
    readonly code: string,
    readonly more: object = {},
  ) {
    super(code);
    Object.assign(this, more);
  }
}

/** Holds groups in memory, at most `room` of them, and writes down what is sent. */
class Engine {
  readonly categories = [];
  readonly formatVersion = 1;
  readonly sent: string[] = [];
  readonly #loaded: string[] = [];
  #dirty = false;
  readonly client: unknown;

  constructor(room = Infinity, unreadable: Record<string, MlsError> = {}) {
    this.client = {
      send: (text: string, ...groups: string[]) => {
        for (const group of groups) {
          if (!this.#loaded.includes(group)) {
            throw new MlsError('not-loaded', { group });
          }
        }
        this.#dirty = true;
        this.sent.push(text);
        return text;
      },
      isDirty: () => this.#dirty,
      drainStorageEvents: () => {
        const dirty = this.#dirty;
        this.#dirty = false;
        return dirty ? { sequence: 1, events: [{ category: 'c', key: 'k', value: new Uint8Array(1) }] } : undefined;
      },
      confirmBatch: () => undefined,
      putBackBatch: () => undefined,
      nodesToLoad: () => [],
      hydratePage: ({ group }: { group: string }) => {
        if (unreadable[group] !== undefined) {
          throw unreadable[group];
        }
        this.#loaded.push(group);
      },
      releaseGroups: () => this.#loaded.splice(0, this.#loaded.length - room),
    };
  }

  get loaded(): readonly string[] {
    return this.#loaded;
  }

  discard(): void {
    return undefined;
  }
}

interface Parts {
  readonly engine: Engine;
  readonly persister: object;
  readonly retry?: object;
  readonly restart?: () => Promise<Engine>;
}

function make({ engine, persister, retry = ONCE, restart }: Parts) {
  const events = new Emitter<CoreCryptoEvents>();
  const all = { onReconnect: () => undefined, write: async () => undefined, ...persister } as never;
  const pages = new pageLoader.PageLoader(all, retry as never, 0, events);
  const fail = async (): Promise<never> => Promise.reject(new Error('no restart was expected'));
  const options = { engine, persister: all, pages, retry, events, restart: restart ?? fail, onFatal: () => undefined };
  return { loop: new writeBehind.WriteBehind(options as never), events, persister: all };
}

const send = (loop: WriteBehind, text: string, ...groups: string[]): Promise<string> =>
  loop.run((client) => (client as unknown as { send(...args: string[]): string }).send(text, ...groups));
const codeOf = (error: unknown): unknown => (error as { code?: unknown }).code;
const gate = (): { opened: Promise<void>; open: () => void } => {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open: () => open() };
};
/** All that can happen without anything from outside has happened. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('an operation on several groups ends, however little memory there is, and they leave memory after it', async () => {
  const engine = new Engine(1);
  const { loop } = make({ engine, persister: { loadGroup: async () => [] } });
  assert.equal(await send(loop, 'both', 'one', 'two', 'three'), 'both');
  assert.equal(engine.loaded.length, 1);
});

test('an operation that never finds what was loaded for it is refused, and the next goes on', async () => {
  const engine = new Engine(0);
  const { loop } = make({ engine, persister: { loadGroup: async () => [] } });
  Object.assign(engine.client as object, { hydratePage: () => undefined });
  assert.equal(await send(loop, 'lost', 'one').catch(codeOf), 'internal');
  assert.equal(await send(loop, 'next'), 'next');
});

test('what says whether a group is as it was left is loaded first, as a single record', async () => {
  const engine = new Engine();
  const hydrated: unknown[] = [];
  const client = engine.client as { hydratePage(page: object, records: readonly object[]): void };
  const hydrateGroup = client.hydratePage;
  client.hydratePage = (page, records) => {
    if ('group' in page) {
      const key = ['01', '0102'][hydrated.length];
      if (key !== undefined) {
        throw new MlsError('not-loaded', { category: 'node', key });
      }
      hydrateGroup(page, records);
    } else {
      hydrated.push([page, records]);
    }
  };
  const value = Uint8Array.of(7);
  const read = async ([{ key }]: [{ key: string }]) => [key === '01' ? value : undefined];
  const { loop } = make({ engine, persister: { loadGroup: async () => [], read } });
  assert.equal(await send(loop, 'one', 'group'), 'one');
  assert.deepEqual(hydrated, [
    [{ category: 'node', key: '01' }, [{ category: 'node', key: '01', value }]],
    [{ category: 'node', key: '0102' }, []],
  ]);
});

test('a record that is asked for again and again is no endless loop', async () => {
  const engine = new Engine();
  Object.assign(engine.client as object, {
    hydratePage: (page: object) => {
      if ('group' in page) {
        throw new MlsError('not-loaded', { category: 'node', key: '01' });
      }
    },
  });
  const { loop } = make({ engine, persister: { loadGroup: async () => [], read: async () => [undefined] } });
  assert.equal(await send(loop, 'lost', 'group').catch(codeOf), 'internal');
  assert.equal(await send(loop, 'next'), 'next');
});

test('a call that waits for a group keeps its place when the engine is lost meanwhile', async () => {
  const [written, read, restarted] = [gate(), gate(), gate()];
  const second = new Engine();
  let loads = 0;
  const { loop } = make({
    engine: new Engine(),
    restart: () => restarted.opened.then(() => second),
    persister: {
      loadGroup: async () => ((loads += 1) === 2 ? read.opened.then(() => []) : []),
      read: async () => [undefined],
      write: async () => {
        await written.opened;
        if (loads < 3) {
          throw new PersisterError('connection-lost', 'unknown', 'gone');
        }
      },
    },
  });
  const lost = send(loop, 'lost', 'other').catch(codeOf);
  await settled();
  const calls = [send(loop, 'one', 'group'), send(loop, 'two', 'group')];
  written.open();
  await settled();
  read.open();
  await settled();
  restarted.open();
  assert.deepEqual(await Promise.all(calls), ['one', 'two']);
  assert.equal(await lost, 'storage-failed');
  assert.deepEqual(second.sent, ['one', 'two']);
});

test('a loop that fails for good rejects a call that waits for a group, at once', async () => {
  const { loop } = make({
    engine: new Engine(),
    retry: NEVER,
    persister: { loadGroup: () => Promise.reject(new PersisterError('not-connected', 'not-committed', 'closed')) },
  });
  const calls = [send(loop, 'one', 'group').catch(codeOf), send(loop, 'two').catch(codeOf)];
  await settled();
  loop.fail(new CoreCryptoError('writer-lost', 'lost'));
  assert.deepEqual(await Promise.all(calls), ['writer-lost', 'writer-lost']);
});

test('a group that cannot be read is told, tried again after flush or a new connection, and told when it could', async () => {
  let reconnect = (): void => undefined;
  let failures = 2;
  const persister = {
    onReconnect: (listener: () => void) => {
      reconnect = listener;
    },
    loadGroup: async () => {
      if ((failures -= 1) >= 0) {
        throw new PersisterError('connection-lost', 'not-committed', 'gone');
      }
      return [];
    },
  };
  const { loop, events } = make({ engine: new Engine(), retry: NEVER, persister });
  const told: unknown[] = [];
  events.on('storage-error', ({ reason, attempt }) => told.push([reason, attempt]));
  events.on('storage-recovered', ({ attempts }) => told.push(attempts));
  const sent = send(loop, 'one', 'group');
  await settled();
  reconnect();
  await settled();
  void loop.flush();
  assert.equal(await sent, 'one');
  assert.deepEqual(told, [['connection-lost', 1], ['connection-lost', 2], 3]);
});

for (const error of [new MlsError('damaged-group'), new MlsError('damaged-record', { category: 'tree', key: 'aa' })]) {
  test(`what was handed in for a group with ${error.code} stays, and everything else is processed`, async () => {
    const entry = (key: number, group: string) => ({ key, entry: { kind: 'message', attempts: 2, message: { group } } });
    let queue = [entry(1, 'damaged'), entry(2, 'good')];
    const updated: unknown[] = [];
    const { loop, events, persister } = make({
      engine: new Engine(Infinity, { damaged: error }),
      persister: {
        loadGroup: async () => [],
        listIncoming: async () => queue,
        updateIncoming: async (key: number, { attempts }: { attempts: number }) => updated.push([key, attempts]),
        write: async ({ incomingDone }: { incomingDone: number[] }) => {
          queue = queue.filter(({ key }) => !incomingDone.includes(key));
        },
      },
    });
    const failed: unknown[] = [];
    events.on('incoming-failed', ({ code, kept }) => failed.push([code, kept]));
    let isOpen = false;
    await new incomingQueue.IncomingQueue(persister, events).process(
      ({ message }, key) =>
        loop.run((client) => {
          const { send } = client as unknown as { send(...args: string[]): undefined };
          return send('message', (message as unknown as { group: string }).group);
        }, key),
      () => {
        isOpen = true;
      },
    );
    assert.equal(isOpen, true);
    assert.deepEqual(queue.map(({ key }) => key), [1]);
    assert.deepEqual([updated, failed], [[[1, 2]], [[error.code, true]]]);
  });
}
