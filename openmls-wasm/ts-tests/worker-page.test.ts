/** The page's side of a client in a worker, with a worker that is played here: one that cannot start, falls over, or refuses. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

const page: typeof import('../dist/worker/page.js') = await import(new URL('../../dist/worker/page.js', import.meta.url).href);

class PlayedWorker extends EventTarget {
  readonly posted: { readonly type: string; readonly id?: number; readonly options?: Record<string, unknown> }[] = [];
  terminated = false;

  constructor(readonly answer: (message: { type: string; id?: number }) => object | undefined = () => undefined) {
    super();
  }

  postMessage(message: { type: string; id?: number }): void {
    this.posted.push(structuredClone(message));
    const answer = this.answer(message);
    if (answer !== undefined) {
      queueMicrotask(() => this.say(answer));
    }
  }

  say(data: object): void {
    this.dispatchEvent(Object.assign(new Event('message'), { data }));
  }

  terminate(): void {
    this.terminated = true;
  }
}

const optionsFor = (worker: PlayedWorker): { name: string; worker: Worker } => ({ name: 'x', worker: worker as unknown as Worker });
const caught = (promise: Promise<unknown>): Promise<{ code?: string; message?: string }> => promise.then(() => ({}), (error) => error);

test('a worker that cannot be loaded: the browser fires an Event without a message', async () => {
  const worker = new PlayedWorker();
  const opened = caught(page.openInWorker(optionsFor(worker)));
  worker.dispatchEvent(new Event('error'));
  const { code, message } = await opened;
  assert.equal(code, 'worker-failed');
  assert.doesNotMatch(message ?? '', /undefined/);
});

test('a client that cannot be opened leaves no worker behind', async () => {
  const status = { state: 'failed', origin: undefined };
  const error = { code: 'already-open', message: 'open elsewhere' };
  const worker = new PlayedWorker(({ type, id }) => (type === 'call' ? { type: 'refusal', id, error, status } : undefined));
  assert.equal((await caught(page.openInWorker(optionsFor(worker)))).code, 'already-open');
  assert.equal(worker.terminated, true);
});

test('options that cannot be handed to a worker are refused, and leave none behind', () => {
  const worker = new PlayedWorker();
  const options = { ...optionsFor(worker), groupSettings: { paddingSize: () => 0 } as never };
  assert.throws(() => page.createInWorker(options), { code: 'invalid-argument' });
  assert.equal(worker.terminated, true);
});

test('a worker that falls over after it was ready may have stored something', async () => {
  const worker = new PlayedWorker();
  const client = page.createInWorker(optionsFor(worker));
  worker.say({ type: 'ready' });
  // It may be in the durable queue by now, without an answer.
  const handedIn = caught(client.receiveMessage({ bytes: new Uint8Array() }));
  worker.dispatchEvent(Object.assign(new Event('error'), { message: 'Uncaught RangeError: out of memory' }));
  assert.equal((await handedIn).code, 'outcome-unknown');
});

test('a relative address of the wasm is one of the page, not of the worker', () => {
  const worker = new PlayedWorker();
  Object.assign(globalThis, { document: { baseURI: 'https://app.example/chat/' } });
  try {
    page.createInWorker({ ...optionsFor(worker), wasm: 'wasm/openmls.wasm' });
  } finally {
    delete (globalThis as { document?: unknown }).document;
  }
  assert.equal(worker.posted[0]?.options?.['wasm'], 'https://app.example/chat/wasm/openmls.wasm');
});
