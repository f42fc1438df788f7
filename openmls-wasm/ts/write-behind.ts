/**
 * The write-behind loop: operations run at once in memory, their results wait for the database.
 *
 * - A mutating call runs its synchronous operation when it is made, so calls take effect in call order. Its result, or
 *   its refusal, waits until every change made so far is durable (G1). A call that changed nothing, with nothing
 *   unconfirmed before it, settles at once.
 * - At most one transaction is in flight. Calls made meanwhile share the next one: one call awaited alone costs one
 *   transaction, a thousand in one tick cost one or two (G2 holds as long as an operation's changes stay in one batch).
 * - A failed write puts its batch back and is tried again with back-off; the calls stay pending. After the last attempt
 *   everything unconfirmed, of all calls, is rolled back to the last confirmed batch, and then they reject (G3).
 * - A panic ends the instance and what was unconfirmed in it. A transaction in flight is waited for; if it commits, its
 *   calls get their results, as they would have without the panic.
 *
 * Did a failed write reach the database? After an `abort` event with a reason in the transaction itself, certainly not:
 * memory can be rolled back and is equal to the database. When the connection went away under the transaction it is not
 * known. Repeating the write is right either way, because events are whole values. But if writing is given up, memory
 * must not be rolled back to a state that the database may have left: the next operations would then mix both. So the
 * engine is replaced by one that reads the database, and what is found there decides which calls were durable. Until the
 * database can be read they wait: nobody could tell the truth about them. Only the end of the loop cuts that short, with
 * `outcome-unknown`.
 */

import {
  lossError,
  pageName,
  perform,
  restartError,
  unknownOutcome,
  unreadable,
  type Call,
  type DeferredCall,
  type Loss,
} from './calls.js';
import type { Engine } from './engine.js';
import { CoreCryptoError, isMlsError, messageOf } from './errors.js';
import type { CoreCryptoEvents, Emitter } from './events.js';
import type { MlsClientApi, Page, StorageBatch, StorageEvent } from './mls-types.js';
import type { PageLoader } from './page-loader.js';
import { FATAL_CODES, PersisterError, type ClientDatabase } from './persister.js';
import { Backoff, countDurable, type RetryPolicy, type UncertainWrite } from './retry.js';

/** What the loop is made of. */
export interface WriteBehindOptions {
  /** Hydrated from what `persister` holds. */
  readonly engine: Engine;
  readonly persister: ClientDatabase;
  readonly pages: PageLoader;
  readonly retry: RetryPolicy;
  readonly events: Emitter<CoreCryptoEvents>;
  /** Makes an engine anew, hydrated from what the persister holds now. */
  readonly restart: () => Promise<Engine>;
  /** Called once when the loop has failed for good; `error` is what every call rejects with from then on. */
  readonly onFatal: (error: CoreCryptoError) => void;
}

/** See the module's documentation. */
export class WriteBehind {
  readonly #options: WriteBehindOptions;
  readonly #backoff: Backoff;
  #engine: Engine | undefined;
  #waiting: Call[] = [];
  #inFlight: Call[] = [];
  #deferred: DeferredCall[] = [];
  #uncertain: UncertainWrite[] = [];
  #pumping: Promise<void> | undefined;
  #restarting: Promise<void> | undefined;
  #loading: Promise<void> | undefined;
  /** What was loaded for the call that is being served. */
  #loadedFor: { readonly engine: Engine; readonly pages: Set<string> } | undefined;
  #loss: Loss = { code: 'engine-panicked', cause: undefined };
  #failed: CoreCryptoError | undefined;
  #ending = false;

  constructor(options: WriteBehindOptions) {
    this.#options = options;
    this.#backoff = new Backoff(options.retry);
    this.#engine = options.engine;
    options.persister.onReconnect(() => this.#wake());
  }

  /**
   * Runs a mutating operation now and settles when its changes, and all before it, are durable.
   * @param incomingKey the entry of the durable queue that it processes: deleted in the same transaction
   * @throws CoreCryptoError the operation's own refusal; `storage-failed`, `engine-panicked`, or what the loop failed with
   */
  run<T>(operation: (client: MlsClientApi) => T, incomingKey?: number): Promise<T> {
    return this.#withEngine(
      () => this.run(operation, incomingKey),
      (engine) => {
        try {
          const performed = perform(() => operation(engine.client));
          if (performed.missing !== undefined) {
            return this.#afterLoading(engine, performed.missing, () => this.run(operation, incomingKey));
          }
          const { settle, refused } = performed;
          // A refusal may rest on a change that is not durable yet, so it waits like a result. But what was refused has
          // not been processed: its entry stays in the queue.
          const doneKey = refused ? undefined : incomingKey;
          if (doneKey === undefined && this.#isClean(engine)) {
            return new Promise<T>(settle);
          }
          return new Promise<T>((resolve, reject) => {
            this.#waiting.push({ release: () => settle(resolve, reject), reject, incomingKey: doneKey });
            this.#schedule();
          });
        } catch (error) {
          return this.#panicked(error);
        }
      },
    );
  }

  /** Runs an operation that changes nothing, on what is in memory now; does not wait for the database. */
  read<T>(operation: (client: MlsClientApi) => T): Promise<T> {
    return this.#withEngine(
      () => this.read(operation),
      (engine) => {
        try {
          const performed = perform(() => operation(engine.client));
          return performed.missing === undefined
            ? new Promise<T>(performed.settle)
            : this.#afterLoading(engine, performed.missing, () => this.read(operation));
        } catch (error) {
          return this.#panicked(error);
        }
      },
    );
  }

  /** Settles when every change made so far is durable. Ends a wait between two attempts. */
  flush(): Promise<void> {
    this.#wake();
    return this.run(() => undefined);
  }

  /** From now on an unknown outcome is worth one more look into the database, not waiting for its return. */
  endWaiting(): void {
    this.#ending = true;
    this.#backoff.wake();
    this.#options.pages.endWaiting();
  }

  /** Flushes, then ends the engine. Never rejects: each call has its own outcome by then. */
  async close(): Promise<void> {
    this.endWaiting();
    await this.flush().catch(() => undefined);
    await this.#restarting;
    await this.#loading;
    await this.#pumping;
    this.#failed ??= new CoreCryptoError('closed', 'this client has been closed; open a new one');
    this.#discardEngine();
  }

  /** Ends a wait between two attempts, to write or to read. */
  #wake(): void {
    this.#backoff.wake();
    this.#options.pages.wake();
  }

  #withEngine<T>(again: () => Promise<T>, now: (engine: Engine) => Promise<T>): Promise<T> {
    if (this.#failed !== undefined) {
      return Promise.reject(this.#failed);
    }
    if (this.#engine !== undefined && this.#loading === undefined) {
      return now(this.#engine);
    }
    return new Promise<T>((resolve, reject) => {
      this.#deferred.push({ start: () => void again().then(resolve, reject), reject });
      // The restart that was under way may have failed: then this call tries again.
      if (this.#engine === undefined) {
        this.#restarting ??= this.#restart(this.#loss);
      }
    });
  }

  /**
   * Makes a call again when what it lacks is in memory. Until then it stands before all that were made after it, whatever
   * happens meanwhile, so that calls keep their order.
   */
  #afterLoading<T>(engine: Engine, page: Page, again: () => Promise<T>): Promise<T> {
    // What an operation needs stays until it has been done; if it did not, the operation would be tried for ever.
    const id = pageName(page);
    if (this.#loadedFor?.engine !== engine) {
      this.#loadedFor = { engine, pages: new Set() };
    } else if (this.#loadedFor.pages.has(id)) {
      return Promise.reject(new CoreCryptoError('internal', 'what the call needs was loaded and is not there; it has had no effect'));
    }
    this.#loadedFor.pages.add(id);
    return new Promise<T>((resolve, reject) => {
      const call: DeferredCall = {
        start: () => {
          void again().then(resolve, reject);
          this.#tried();
        },
        reject,
      };
      this.#deferred.unshift(call);
      const loaded = this.#options.pages.load(engine, page, () => this.#engine === engine);
      this.#loading = loaded.then(
        () => this.#loaded(),
        (error: unknown) => this.#loaded(call, error),
      );
    });
  }

  #loaded(unserved?: DeferredCall, error?: unknown): void {
    this.#loading = undefined;
    // It is not there any more if it has been told already that the loop, or a restart, has failed.
    const place = unserved === undefined ? -1 : this.#deferred.indexOf(unserved);
    if (place >= 0) {
      this.#deferred.splice(place, 1);
      this.#loadedFor = undefined;
      void this.#notLoaded(error).catch(unserved?.reject);
    }
    this.#startDeferred();
  }

  /** A call that has waited for what it needs was tried: if it needs no more, that may leave memory again. */
  #tried(): void {
    const engine = this.#engine;
    if (this.#loading === undefined) {
      this.#loadedFor = undefined;
      if (engine !== undefined) {
        this.#guard(() => this.#options.pages.trim(engine));
      }
    }
  }

  /** Starts the calls that have waited, in order, until one of them has to wait itself. */
  #startDeferred(): void {
    while (this.#engine !== undefined && this.#loading === undefined) {
      const call = this.#deferred.shift();
      if (call === undefined) {
        return;
      }
      call.start();
    }
  }

  /** What a call comes to whose page cannot be had: the others go on, unless the database itself is gone. */
  #notLoaded(error: unknown): Promise<never> {
    if (!isRefusal(error) && this.#engine !== undefined) {
      return this.#panicked(error);
    }
    const reason = unreadable(error);
    // A record that cannot be read is the end of its group only.
    if (FATAL_CODES.has(reason.code) && reason.code !== 'damaged-record') {
      this.fail(reason);
    }
    return Promise.reject(reason);
  }

  /** Whether nothing waits for the database, and nothing has to. */
  #isClean(engine: Engine): boolean {
    return this.#waiting.length === 0 && this.#inFlight.length === 0 && !engine.client.isDirty();
  }

  #schedule(): void {
    this.#pumping ??= this.#pump();
  }

  async #pump(): Promise<void> {
    // One microtask, so that all calls of this tick share the transaction.
    await undefined;
    while (this.#engine !== undefined && this.#waiting.length > 0) {
      await this.#writeOnce(this.#engine);
    }
    this.#pumping = undefined;
  }

  async #writeOnce(engine: Engine): Promise<void> {
    const calls = this.#waiting;
    let batch: StorageBatch | undefined;
    try {
      batch = engine.client.drainStorageEvents();
    } catch (error) {
      this.#lose({ code: 'engine-panicked', cause: error });
      return;
    }
    this.#waiting = [];
    this.#inFlight = calls;
    const incomingDone = calls.flatMap((call) => (call.incomingKey === undefined ? [] : [call.incomingKey]));
    const events: readonly StorageEvent[] = batch?.events ?? [];
    if (batch !== undefined || incomingDone.length > 0) {
      try {
        await this.#options.persister.write({ events, deletedRanges: batch?.deletedRanges, incomingDone });
      } catch (error) {
        await this.#writeFailed(engine, batch, { events, calls: calls.length }, error);
        return;
      }
    }
    this.#written(engine, batch, events.length);
  }

  #written(engine: Engine, batch: StorageBatch | undefined, records: number): void {
    this.#uncertain = [];
    if (batch !== undefined && this.#engine === engine) {
      this.#guard(() => {
        engine.client.confirmBatch(batch.sequence);
        // What a call waits for stays until it has been made.
        if (this.#loading === undefined) {
          this.#options.pages.trim(engine);
        }
      });
    }
    const calls = this.#inFlight;
    this.#inFlight = [];
    for (const call of calls) {
      call.release();
    }
    this.#backoff.succeeded(this.#options.events);
    if (batch !== undefined) {
      this.#options.events.emit('saved', { records });
    }
  }

  async #writeFailed(
    engine: Engine,
    batch: StorageBatch | undefined,
    write: UncertainWrite,
    error: unknown,
  ): Promise<void> {
    this.#waiting = this.#inFlight.concat(this.#waiting);
    this.#inFlight = [];
    if (error instanceof PersisterError && error.outcome === 'unknown') {
      this.#uncertain.push(write);
    }
    if (this.#failed !== undefined) {
      this.#rejectWaiting(this.#failed);
      return;
    }
    if (error instanceof CoreCryptoError && FATAL_CODES.has(error.code)) {
      this.fail(error);
      return;
    }
    if (this.#engine !== engine) {
      return; // It panicked meanwhile; the restart waits for us and settles the calls.
    }
    if (batch !== undefined && !this.#guard(() => engine.client.putBackBatch(batch.sequence))) {
      return;
    }
    const waited = this.#backoff.reportAndWait(this.#options.events, error, this.#backoff.failed());
    if (waited === undefined) {
      this.#giveUp(engine, error);
    } else {
      await waited;
    }
  }

  #giveUp(engine: Engine, cause: unknown): void {
    this.#backoff.reset();
    if (this.#uncertain.length > 0) {
      this.#lose({ code: 'storage-failed', cause });
      return;
    }
    if (this.#guard(() => engine.client.rollBackUnconfirmed())) {
      this.#rejectWaiting(lossError({ code: 'storage-failed', cause }));
    }
  }

  /** Rejects the calls that wait; those of a write that may have been committed are not told otherwise. */
  #rejectWaiting(error: CoreCryptoError): void {
    // While a write is in flight it has them: a repeated write has all calls of those before it.
    if (this.#inFlight.length === 0) {
      for (const call of this.#waiting.splice(0, this.#countUncertain(error))) {
        call.reject(unknownOutcome(error));
      }
      this.#uncertain = [];
    }
    const calls = this.#waiting;
    this.#waiting = [];
    if (calls.length === 0) {
      return;
    }
    if (error.code === 'storage-failed') {
      this.#options.events.emit('rolled-back', { rejected: calls.length });
    }
    for (const call of calls) {
      call.reject(error);
    }
  }

  /** How many of the waiting calls, from the first, may be durable. A database that is gone holds nothing. */
  #countUncertain(error: CoreCryptoError): number {
    return error.code === 'database-missing' ? 0 : Math.max(0, ...this.#uncertain.map((write) => write.calls));
  }

  /** Calls the engine between operations. Anything it throws there means that it can no longer be trusted. */
  #guard(action: () => void): boolean {
    try {
      action();
      return true;
    } catch (error) {
      this.#lose({ code: 'engine-panicked', cause: error });
      return false;
    }
  }

  #panicked<T>(error: unknown): Promise<T> {
    return new Promise<T>((_, reject) => {
      this.#waiting.push({ release: () => undefined, reject, incomingKey: undefined });
      this.#lose({ code: 'engine-panicked', cause: error });
    });
  }

  /** Discards the engine with all that is unconfirmed in it, and starts a new one. */
  #lose(loss: Loss): void {
    if (this.#engine !== undefined) {
      this.#discardEngine();
      this.#backoff.wake();
      this.#loss = loss;
      this.#restarting = this.#restart(loss);
    }
  }

  #discardEngine(): void {
    this.#engine?.discard();
    this.#engine = undefined;
  }

  /** Tries until there is an engine; but only once if no outcome depends on it: then the next call tries again. */
  async #restart(loss: Loss): Promise<void> {
    await this.#pumping;
    if (this.#failed === undefined && this.#uncertain.length === 0) {
      this.#rejectWaiting(lossError(loss));
    }
    while (this.#failed === undefined) {
      let restarted: { readonly engine: Engine; readonly durable: number };
      try {
        restarted = await this.#tryRestart();
      } catch (error) {
        const waited = this.#restartFailed(loss, error);
        if (waited === undefined) {
          return;
        }
        await waited;
        continue;
      }
      this.#restarted(loss, restarted.engine, restarted.durable);
      return;
    }
  }

  /** An engine that holds what the database does, and how many of the waiting calls turned out to be durable. */
  async #tryRestart(): Promise<{ readonly engine: Engine; readonly durable: number }> {
    const engine = await this.#options.restart();
    try {
      return { engine, durable: await countDurable(this.#options.persister, this.#uncertain) };
    } catch (error) {
      engine.discard();
      throw error;
    }
  }

  #restarted(loss: Loss, engine: Engine, durable: number): void {
    if (this.#failed !== undefined) {
      engine.discard();
      return;
    }
    this.#backoff.reset();
    this.#settleAfter(loss, durable);
    // Not before: what a listener of `rolled-back` calls must come after the calls that were made meanwhile.
    this.#engine = engine;
    this.#restarting = undefined;
    this.#startDeferred();
    this.#options.events.emit('engine-restarted', { reason: messageOf(loss.cause) });
  }

  /** Gives the calls of a lost engine their outcome: their result if the database turns out to have it. */
  #settleAfter(loss: Loss, durable: number): void {
    this.#uncertain = [];
    for (const call of this.#waiting.splice(0, durable)) {
      call.release();
    }
    this.#rejectWaiting(lossError(loss));
  }

  /** Returns the wait until the next attempt; undefined: there is none. */
  #restartFailed(loss: Loss, error: unknown): Promise<void> | undefined {
    if (this.#failed !== undefined) {
      return undefined;
    }
    const reason = restartError(error);
    if (FATAL_CODES.has(reason.code)) {
      this.fail(reason);
      return undefined;
    }
    if (this.#ending) {
      this.#rejectWaiting(lossError(loss));
    }
    const waited =
      this.#uncertain.length === 0
        ? undefined
        : this.#backoff.reportAndWait(this.#options.events, error, this.#backoff.failedAgain());
    if (waited === undefined) {
      this.#restarting = undefined;
    }
    // These have not run, so there is nothing to find out about them.
    const deferred = this.#deferred;
    this.#deferred = [];
    for (const call of deferred) {
      call.reject(reason);
    }
    return waited;
  }

  /** Ends the loop for good: every call, waiting or to come, rejects with `error`. */
  fail(error: CoreCryptoError): void {
    if (this.#failed !== undefined) {
      return;
    }
    this.#failed = error;
    this.#discardEngine();
    this.#backoff.wake();
    this.#options.pages.endWaiting();
    this.#rejectWaiting(error);
    const deferred = this.#deferred;
    this.#deferred = [];
    for (const call of deferred) {
      call.reject(error);
    }
    this.#options.onFatal(error);
  }
}

/** Whether the engine or the database has refused something, in its own words: anything else thrown there is a panic. */
function isRefusal(error: unknown): boolean {
  return (
    isMlsError(error) || error instanceof CoreCryptoError || error instanceof PersisterError || error instanceof DOMException
  );
}
