/**
 * What a page and the worker of its client say to each other.
 *
 * Both are of the same version of this package: the messages are no interface for others. All values can be cloned by
 * `postMessage`; bytes are copied.
 */

import { CoreCryptoError, messageOf, type CoreCryptoErrorCode } from '../errors.js';
import type { CoreCryptoEvents } from '../events.js';
import type { CredentialValidator } from '../mls-types.js';
import type { CoreCryptoOptions } from '../options.js';
import type { DatabaseOrigin } from '../persister.js';
import type { ClientState } from '../client-state.js';

// The options of a client that can be handed to a worker; `validates`: the page is asked about credentials.
export type WorkerOptions = Omit<
  CoreCryptoOptions,
  'wasm' | 'validateCredential' | 'persister' | 'requestWriter' | 'engine'
> & {
  readonly wasm?: string | BufferSource | WebAssembly.Module | undefined;
  readonly validates: boolean;
};

// From the page.
export type ToWorker =
  | { readonly type: 'create'; readonly options: WorkerOptions }
  | { readonly type: 'call'; readonly id: number; readonly method: string; readonly args: readonly unknown[] }
  | { readonly type: 'listen'; readonly name: keyof CoreCryptoEvents }
  // Whether from now on the page is asked before members are removed.
  | { readonly type: 'announce-removals'; readonly wanted: boolean }
  | { readonly type: 'answer'; readonly id: number; readonly accepted: boolean }
  | { readonly type: 'no-answer'; readonly id: number; readonly error: PlainError };

// From the worker.
export type ToPage =
  // The first: from now on what is posted to the worker may be done, and stored.
  | { readonly type: 'ready' }
  | { readonly type: 'result'; readonly id: number; readonly value: unknown; readonly status: Status }
  | { readonly type: 'refusal'; readonly id: number; readonly error: PlainError; readonly status: Status }
  | { readonly type: 'event'; readonly name: keyof CoreCryptoEvents; readonly event: unknown; readonly status: Status }
  | { readonly type: 'ask'; readonly id: number; readonly question: Parameters<CredentialValidator> }
  // Members are removed as soon as this is answered, whatever the answer.
  | { readonly type: 'removal'; readonly id: number };

// What a client says of itself without being asked.
export interface Status {
  readonly state: ClientState;
  readonly origin: DatabaseOrigin | undefined;
}

// An error as it can be cloned.
export interface PlainError {
  // Undefined: not one of this package.
  readonly code: CoreCryptoErrorCode | undefined;
  readonly message: string;
  readonly category: string | undefined;
  readonly key: string | undefined;
  readonly cause: string | undefined;
}

// An error as it goes from one side to the other.
export function toPlain(error: unknown): PlainError {
  const own = error instanceof CoreCryptoError ? error : undefined;
  return {
    code: own?.code,
    message: messageOf(error),
    category: own?.category,
    key: own?.key,
    cause: own?.cause === undefined ? undefined : messageOf(own.cause),
  };
}

// The error that came from the other side.
export function fromPlain({ code, message, category, key, cause }: PlainError): Error {
  if (code === undefined) {
    return new Error(message);
  }
  return new CoreCryptoError(code, message, { category, key, ...(cause !== undefined && { cause: new Error(cause) }) });
}
