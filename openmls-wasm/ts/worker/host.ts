/** The worker's side: one client, whose methods the page calls. */

import type { ReceivingMethods } from '../client/receiving.js';
import type { CoreCryptoEvents } from '../events.js';
import type { CoreCryptoOptions } from '../options.js';
import { fromPlain, toPlain, type Status, type ToPage, type ToWorker, type WorkerOptions } from './protocol.js';

// The part of a dedicated worker's global scope that is used here.
export interface WorkerScope {
  postMessage(message: ToPage, transfer?: Transferable[]): void;
  addEventListener(type: 'message', listener: (event: { readonly data: ToWorker }) => void): void;
}

// Serves a client to the page that started this worker.
export function serveClient(scope: WorkerScope, create: (options: CoreCryptoOptions) => ReceivingMethods): void {
  scope.postMessage({ type: 'ready' });
  const host = new ClientHost(scope, create);
  scope.addEventListener('message', ({ data }) => host.receive(data));
}

// A question that the page has not answered yet.
interface Question {
  readonly resolve: (accepted: boolean) => void;
  readonly reject: (error: Error) => void;
}

class ClientHost {
  readonly #scope: WorkerScope;
  readonly #create: (options: CoreCryptoOptions) => ReceivingMethods;
  readonly #questions = new Map<number, Question>();
  #client: ReceivingMethods | undefined;
  #asked = 0;
  #endRemovals: (() => void) | undefined;

  constructor(scope: WorkerScope, create: (options: CoreCryptoOptions) => ReceivingMethods) {
    this.#scope = scope;
    this.#create = create;
  }

  // In the order in which they were posted: so calls take effect in the order they were made on the page.
  receive(message: ToWorker): void {
    switch (message.type) {
      case 'create':
        this.#client = this.#create(this.#options(message.options));
        return;
      case 'call':
        void this.#call(message.id, message.method, message.args);
        return;
      case 'listen':
        this.#listen(message.name);
        return;
      case 'announce-removals':
        this.#announceRemovals(message.wanted);
        return;
      case 'answer':
        this.#settle(message.id)?.resolve(message.accepted);
        return;
      case 'no-answer':
        this.#settle(message.id)?.reject(fromPlain(message.error));
    }
  }

  #options({ validates, ...options }: WorkerOptions): CoreCryptoOptions {
    return validates ? { ...options, validateCredential: (...question) => this.#answerTo((id) => ({ type: 'ask', id, question })) } : options;
  }

  async #call(id: number, method: string, args: readonly unknown[]): Promise<void> {
    const client = this.#client as unknown as Record<string, unknown> | undefined;
    try {
      const called = client?.[method];
      if (typeof called !== 'function') {
        throw new TypeError(`CoreCryptoClient has no method ${method}`);
      }
      const value: unknown = await (called as (...args: unknown[]) => unknown).apply(client, [...args]);
      // A stream is handed over, all else is copied.
      const transfer = value instanceof ReadableStream ? [value] : [];
      this.#scope.postMessage({ type: 'result', id, value, status: this.#status() }, transfer);
    } catch (error) {
      this.#scope.postMessage({ type: 'refusal', id, error: toPlain(error), status: this.#status() });
    }
  }

  #listen(name: keyof CoreCryptoEvents): void {
    this.#client?.on(name, (event) => this.#scope.postMessage({ type: 'event', name, event, status: this.#status() }));
  }

  #announceRemovals(wanted: boolean): void {
    this.#endRemovals?.();
    this.#endRemovals = wanted ? this.#client?.beforeRemovals(() => this.#answerTo((id) => ({ type: 'removal', id }))) : undefined;
  }

  #answerTo(question: (id: number) => ToPage): Promise<boolean> {
    const id = (this.#asked += 1);
    return new Promise((resolve, reject) => {
      this.#questions.set(id, { resolve, reject });
      this.#scope.postMessage(question(id));
    });
  }

  #settle(id: number): Question | undefined {
    const question = this.#questions.get(id);
    this.#questions.delete(id);
    return question;
  }

  #status(): Status {
    return { state: this.#client?.state ?? 'opening', origin: this.#client?.origin };
  }
}
