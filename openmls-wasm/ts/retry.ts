/** When a failed write is tried again, and what became of a transaction whose end was not seen. */

import { CoreCryptoError, messageOf } from './errors.js';
import type { CoreCryptoEvents, Emitter } from './events.js';
import type { StorageEvent } from './mls-types.js';
import { PersisterError, type ClientDatabase } from './persister.js';

/** How often and how fast a failed write is repeated; the delay doubles each time. */
export interface RetryPolicy {
  /** Attempts in all, the first included; then everything unconfirmed is rolled back. Default 8. */
  readonly attempts: number;
  /** Delay before the second attempt, in milliseconds. Default 50. */
  readonly firstDelayMs: number;
  /** Longest delay, in milliseconds. Default 5000. */
  readonly maxDelayMs: number;
}

export const DEFAULT_RETRY: RetryPolicy = { attempts: 8, firstDelayMs: 50, maxDelayMs: 5000 };

// Counts failed attempts, and waits between them.
export class Backoff {
  readonly #policy: RetryPolicy;
  #failures = 0;
  #wake: (() => void) | undefined;

  constructor(policy: RetryPolicy) {
    this.#policy = policy;
  }

  // Failed attempts since the last success.
  get failures(): number {
    return this.#failures;
  }

  // Counts a failure. Returns the delay until the next attempt in milliseconds; undefined: give up.
  failed(): number | undefined {
    const delayMs = this.failedAgain();
    return this.#failures >= this.#policy.attempts ? undefined : delayMs;
  }

  // Counts a failure of what is never given up. Returns the delay until the next attempt in milliseconds.
  failedAgain(): number {
    this.#failures += 1;
    return Math.min(this.#policy.firstDelayMs * 2 ** (this.#failures - 1), this.#policy.maxDelayMs);
  }

  // Tells of a failure that was counted. Returns the wait until the next attempt; undefined: there is none.
  reportAndWait(
    events: Emitter<CoreCryptoEvents>,
    error: unknown,
    retryInMs: number | undefined,
  ): Promise<void> | undefined {
    // The wait begins before the event, so that a listener can end it with `flush`.
    const waited = retryInMs === undefined ? undefined : this.sleep(retryInMs);
    events.emit('storage-error', {
      reason: error instanceof PersisterError ? error.reason : error instanceof CoreCryptoError ? error.code : 'unknown',
      message: messageOf(error),
      attempt: this.#failures,
      retryInMs,
    });
    return waited;
  }

  // Starts counting anew, and tells if there was something to recover from.
  succeeded(events: Emitter<CoreCryptoEvents>): void {
    const attempts = this.#failures;
    this.reset();
    if (attempts > 0) {
      events.emit('storage-recovered', { attempts: attempts + 1 });
    }
  }

  // Starts counting anew.
  reset(): void {
    this.#failures = 0;
  }

  // Waits `delayMs`, or until woken.
  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#wake?.(), delayMs);
      this.#wake = () => {
        clearTimeout(timer);
        this.#wake = undefined;
        resolve();
      };
    });
  }

  // Ends a wait that is under way.
  wake(): void {
    this.#wake?.();
  }
}

// A write of which it is not known whether it was committed.
export interface UncertainWrite {
  readonly events: readonly StorageEvent[];
  // How many of the waiting calls, from the first, it holds the changes of.
  readonly calls: number;
}

// How many of the waiting calls turn out to be durable.
//
// A transaction is atomic and its events are whole values, so the write was committed if, and only if, the database now
// holds each of them. (If it held them before as well, it makes no difference.) The latest that fits is the one.
//
// That rests on a promise of the engine: after `putBackBatch` the next batch has every key of the one that was put back,
// even where the value has meanwhile returned to the confirmed one. Without it a later write could fit, although what the
// database holds under a key it left out is from an earlier one.
//
// @throws what `read` of the persister throws: then nothing is known yet
export async function countDurable(persister: ClientDatabase, writes: readonly UncertainWrite[]): Promise<number> {
  for (const write of [...writes].reverse()) {
    if (write.events.length > 0 && (await holds(persister, write.events))) {
      return write.calls;
    }
  }
  return 0;
}

async function holds(persister: ClientDatabase, events: readonly StorageEvent[]): Promise<boolean> {
  const stored = await persister.read(events);
  return events.every((event, index) => sameBytes(event.value, stored[index]));
}

function sameBytes(expected: Uint8Array | null, stored: Uint8Array | undefined): boolean {
  if (expected === null || stored === undefined) {
    return expected === null && stored === undefined;
  }
  return expected.length === stored.length && expected.every((byte, index) => byte === stored[index]);
}
