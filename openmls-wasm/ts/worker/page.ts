/**
 * The page's side: an object with the methods of a `CoreCryptoClient` that lives in a worker.
 *
 * Everything is done there, the cryptography as well as the writing: what blocks is the worker, never the page. It is the same
 * client with the same promises; a call is one message there and one back.
 */

import type { CoreCryptoClient } from '../core-crypto-client.js';
import { CoreCryptoError, messageOf } from '../errors.js';
import { Emitter, type CoreCryptoEvents } from '../events.js';
import type { CredentialValidator } from '../mls-types.js';
import type { CoreCryptoOptions } from '../options.js';
import { checkUnlock } from '../vault/unlock.js';
import { fromPlain, toPlain, type Status, type ToPage, type ToWorker, type WorkerOptions } from './protocol.js';

/** Options of a client in a worker: those of `CoreCryptoClient.open`, but for what cannot be handed to another thread. */
export type WorkerClientOptions = Omit<CoreCryptoOptions, 'wasm' | 'persister' | 'requestWriter' | 'engine'> & {
  /** The wasm: a URL, bytes or a compiled module. Default: the file of the package. */
  readonly wasm?: URL | string | BufferSource | WebAssembly.Module | undefined;
  /**
   * A worker of your own that runs `openmls-wasm/worker`, for bundlers that do not find the package's, and for a page that
   * demands Trusted Types for workers' addresses. It is the client's alone, and ends with it.
   */
  readonly worker?: Worker | undefined;
};

interface Pending {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Opens a client in a worker. It has all methods of `CoreCryptoClient`; see there.
 *
 * On a page that demands Trusted Types make the worker yourself, with an address that a policy of the page allows, and hand
 * it over as `worker`.
 * @throws CoreCryptoError those of `CoreCryptoClient.open`, and `worker-failed`
 */
export async function openInWorker(options: WorkerClientOptions): Promise<CoreCryptoClient> {
  const client = createInWorker(options);
  try {
    await client.open();
  } catch (error) {
    // Ends the worker.
    await client.close();
    throw error;
  }
  return client;
}

/**
 * A client in a worker that is not open yet, as `new CoreCryptoClient` makes one on the page: listen to its events, then call
 * `open`. If that rejects, `close` ends the worker.
 * @throws CoreCryptoError `worker-failed`; `invalid-argument` for options that cannot be handed to another thread
 */
export function createInWorker(options: WorkerClientOptions): CoreCryptoClient {
  const client = new WorkerClient(options);
  // Whatever is not here is a method of the client in the worker.
  return new Proxy(client, {
    get: (_, name) => client.member(name),
  }) as unknown as CoreCryptoClient;
}

class WorkerClient {
  readonly #worker: Worker;
  readonly #name: string;
  readonly #validate: CredentialValidator | undefined;
  readonly #events = new Emitter<CoreCryptoEvents>();
  readonly #listened = new Set<string>();
  readonly #beforeRemovals = new Set<() => Promise<unknown>>();
  readonly #pending = new Map<number, Pending>();
  readonly #members = new Map<string, unknown>();
  #status: Status = { state: 'opening', origin: undefined };
  #calls = 0;
  /** Whether the worker runs: until then it has done nothing. */
  #ready = false;
  #ended: CoreCryptoError | undefined;

  constructor({ worker, validateCredential, wasm, ...options }: WorkerClientOptions) {
    this.#name = options.name;
    if (options.vault !== undefined) {
      checkUnlock('vault.unlock', options.vault.unlock);
    }
    this.#validate = validateCredential;
    this.#worker = worker ?? startWorker();
    this.#worker.addEventListener('message', ({ data }: MessageEvent<ToPage>) => this.#receive(data));
    this.#worker.addEventListener('error', (event) => this.#fail(event.message));
    this.#worker.addEventListener('messageerror', () => this.#fail('a message could not be read'));
    const forWorker: WorkerOptions = {
      ...options,
      // Relative to the page, as everywhere else, and not to the worker's own address.
      wasm: wasm instanceof URL || typeof wasm === 'string' ? new URL(wasm, baseAddress()).href : wasm,
      validates: validateCredential !== undefined,
    };
    try {
      this.#post({ type: 'create', options: forWorker });
    } catch (error) {
      this.#worker.terminate();
      throw new CoreCryptoError('invalid-argument', `an option cannot be handed to a worker: ${messageOf(error)}`, { cause: error });
    }
  }

  member(name: string | symbol): unknown {
    // A promise of this object must not take it for another promise.
    if (typeof name === 'symbol' || name === 'then') {
      return undefined;
    }
    if (name === 'state' || name === 'origin') {
      return this.#status[name];
    }
    let member = this.#members.get(name);
    if (member === undefined) {
      member = this.#method(name);
      this.#members.set(name, member);
    }
    return member;
  }

  #method(name: string): unknown {
    switch (name) {
      case 'on':
        return (event: keyof CoreCryptoEvents, listener: (value: never) => void) => this.#on(event, listener);
      case 'beforeRemovals':
        return (hook: () => Promise<unknown>) => this.#beforeRemoval(hook);
      case 'close':
        return () => this.#close();
      default:
        return (...args: readonly unknown[]) => this.#call(name, args);
    }
  }

  #on(name: keyof CoreCryptoEvents, listener: (event: never) => void): () => void {
    if (!this.#listened.has(name)) {
      this.#listened.add(name);
      this.#post({ type: 'listen', name });
    }
    return this.#events.on(name, listener as (event: CoreCryptoEvents[typeof name]) => void);
  }

  #beforeRemoval(hook: () => Promise<unknown>): () => void {
    this.#beforeRemovals.add(hook);
    this.#post({ type: 'announce-removals', wanted: true });
    return () => {
      this.#beforeRemovals.delete(hook);
      // Without a question calls keep their order.
      this.#post({ type: 'announce-removals', wanted: this.#beforeRemovals.size > 0 });
    };
  }

  #call(method: string, args: readonly unknown[]): Promise<unknown> {
    if (this.#ended !== undefined) {
      return Promise.reject(this.#ended);
    }
    const id = (this.#calls += 1);
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      try {
        this.#post({ type: 'call', id, method, args });
      } catch {
        this.#pending.delete(id);
        reject(new CoreCryptoError('invalid-argument', `an argument of ${method} cannot be handed to a worker`));
      }
    });
  }

  async #close(): Promise<void> {
    if (this.#ended === undefined) {
      await this.#call('close', []).catch(() => undefined);
      this.#end(new CoreCryptoError('closed', `the client of database "${this.#name}" is closed; open a new one`), 'closed');
    }
  }

  #receive(message: ToPage): void {
    if (message.type === 'ready') {
      this.#ready = true;
      return;
    }
    if (message.type === 'ask') {
      void this.#answer(message.id, message.question);
      return;
    }
    if (message.type === 'removal') {
      void this.#agreeAfterHooks(message.id);
      return;
    }
    this.#status = message.status;
    switch (message.type) {
      case 'event':
        this.#events.emit(message.name, message.event as CoreCryptoEvents[typeof message.name]);
        return;
      case 'result':
        this.#take(message.id)?.resolve(message.value);
        return;
      case 'refusal':
        this.#take(message.id)?.reject(fromPlain(message.error));
    }
  }

  async #answer(id: number, question: Parameters<CredentialValidator>): Promise<void> {
    try {
      this.#post({ type: 'answer', id, accepted: (await this.#validate?.(...question)) === true });
    } catch (error) {
      this.#post({ type: 'no-answer', id, error: toPlain(error) });
    }
  }

  async #agreeAfterHooks(id: number): Promise<void> {
    await Promise.allSettled([...this.#beforeRemovals].map(async (hook) => hook()));
    this.#post({ type: 'answer', id, accepted: true });
  }

  #take(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    return pending;
  }

  /** @param what undefined: the browser does not say what has happened */
  #fail(what: string | undefined): void {
    const of = `the worker of database "${this.#name}"`;
    this.#end(
      this.#ready
        ? new CoreCryptoError('outcome-unknown', `${of} has failed${inBrackets(what)}; what calls under way did may be stored, open anew to see`)
        : new CoreCryptoError('worker-failed', `${of} could not be started${inBrackets(what)}; nothing was done`),
      'failed',
    );
  }

  #end(reason: CoreCryptoError, state: Status['state']): void {
    this.#ended ??= reason;
    this.#status = { ...this.#status, state };
    this.#worker.terminate();
    for (const { reject } of this.#pending.values()) {
      reject(reason);
    }
    this.#pending.clear();
  }

  #post(message: ToWorker): void {
    this.#worker.postMessage(message);
  }
}

function startWorker(): Worker {
  try {
    return new Worker(new URL('./entry.js', import.meta.url), { type: 'module' });
  } catch (error) {
    throw new CoreCryptoError('worker-failed', `no worker could be started: ${messageOf(error)}; nothing was done`, { cause: error });
  }
}

function baseAddress(): string {
  return globalThis.document?.baseURI ?? globalThis.location?.href ?? import.meta.url;
}

function inBrackets(what: string | undefined): string {
  return what === undefined || what === '' ? '' : ` (${what})`;
}
