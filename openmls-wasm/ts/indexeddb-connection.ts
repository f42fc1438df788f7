/**
 * A connection to a database that survives being dropped by the browser.
 *
 * Browsers close connections: when storage is cleared, its process crashes, or a device wakes up. The next transaction
 * then opens the database again. It must still be there: an empty one in its place would hide a loss (promise G6).
 */

import { abortError, lostError, openDatabase, type IfMissing } from './indexeddb-layout.js';
import { PersisterError, type PersisterSchema } from './persister.js';

/** Queues requests; must not await anything before the last one is queued. */
export type QueueRequests = (transaction: IDBTransaction) => void;

/** See the module's documentation. */
export class IndexedDbConnection {
  readonly #name: string;
  readonly #durability: 'strict' | 'relaxed';
  #schema: PersisterSchema | undefined;
  #database: IDBDatabase | undefined;
  #opening: Promise<void> | undefined;
  #closed = false;
  /** Transactions that are neither complete nor aborted. */
  readonly #running = new Set<{ readonly database: IDBDatabase; readonly lost: () => void }>();
  /** Called when a connection that the browser dropped has been opened again. */
  onReconnect: (() => void) | undefined;

  constructor(name: string, durability: 'strict' | 'relaxed') {
    this.#name = name;
    this.#durability = durability;
  }

  /** Opens the database, and creates it unless the schema says that it must exist. */
  async connect(schema: PersisterSchema): Promise<void> {
    this.#schema = schema;
    await this.#open(schema.mustExist === true ? 'fail' : 'create');
  }

  /**
   * Queues requests in one transaction; settles when that is complete, rejects when it is aborted.
   *
   * If there is a connection the transaction begins in the caller's tick. One that is closing throws when asked for a
   * transaction; the database is then opened again, once.
   */
  transact(stores: readonly string[], mode: 'readonly' | 'readwrite', queue: QueueRequests): Promise<void> {
    let transaction: IDBTransaction | undefined;
    try {
      transaction = this.#begin(stores, mode);
    } catch (error) {
      return Promise.reject(error);
    }
    return transaction === undefined
      ? this.#open('fail').then(() => this.#transactOnce(stores, mode, queue))
      : this.#settle(transaction, queue);
  }

  /** Closes for good; transactions that are running still come to their end. */
  close(): void {
    this.#closed = true;
    this.#database?.close();
    this.#database = undefined;
  }

  /** The error of a call that needs what is not there. */
  notConnected(how: string): PersisterError {
    return new PersisterError('not-connected', 'not-committed', `database "${this.#name}" ${how}`);
  }

  /** Undefined if there is no connection, or if it turns out to be closed. */
  #begin(stores: readonly string[], mode: IDBTransactionMode): IDBTransaction | undefined {
    const database = this.#database;
    if (database === undefined) {
      return undefined;
    }
    try {
      return database.transaction(stores, mode, { durability: this.#durability });
    } catch (error) {
      if (error instanceof DOMException && error.name === 'InvalidStateError') {
        this.#drop(database);
        return undefined;
      }
      throw abortError(this.#name, error instanceof DOMException ? error : null);
    }
  }

  async #transactOnce(stores: readonly string[], mode: IDBTransactionMode, queue: QueueRequests): Promise<void> {
    const transaction = this.#begin(stores, mode);
    if (transaction === undefined) {
      throw new PersisterError(
        'connection-lost',
        'not-committed',
        `database "${this.#name}": the browser closes each connection at once`,
      );
    }
    await this.#settle(transaction, queue);
  }

  #settle(transaction: IDBTransaction, queue: QueueRequests): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      const running = { database: transaction.db, lost: () => reject(lostError(this.#name)) };
      this.#running.add(running);
      transaction.oncomplete = () => {
        this.#running.delete(running);
        resolve();
      };
      let reason: DOMException | null = null;
      transaction.onabort = () => {
        this.#running.delete(running);
        reject(abortError(this.#name, reason ?? transaction.error));
      };
      try {
        queue(transaction);
      } catch (error) {
        // A request that could not even be queued, e.g. a value that cannot be cloned: nothing of it is to be written.
        reason = error instanceof DOMException ? error : null;
        transaction.abort();
      }
    });
  }

  /** Opens the database (again) unless it is open. Calls made meanwhile share the attempt. */
  #open(ifMissing: IfMissing): Promise<void> {
    const schema = this.#schema;
    if (this.#closed || schema === undefined) {
      return Promise.reject(this.notConnected(this.#closed ? 'is closed' : 'is not connected'));
    }
    if (this.#database !== undefined) {
      return Promise.resolve();
    }
    this.#opening ??= openDatabase(this.#name, schema, ifMissing)
      .then((database) => this.#adopt(database))
      .finally(() => {
        this.#opening = undefined;
      });
    return this.#opening;
  }

  #adopt(database: IDBDatabase): void {
    if (this.#closed) {
      database.close();
      throw this.notConnected('is closed');
    }
    this.#database = database;
    // Someone wants to delete the database or to give it a newer layout: let them, and see at the next transaction
    // what has become of it.
    database.onversionchange = () => {
      this.#drop(database);
      database.close();
    };
    database.onclose = () => {
      this.#drop(database);
      this.#endRunning(database);
      this.#open('fail').then(
        () => this.onReconnect?.(),
        // The next transaction tries again, and reports.
        () => undefined,
      );
    };
  }

  /** Transactions should have had their `abort` by the time of `close`; one that has not must not be waited for. */
  #endRunning(database: IDBDatabase): void {
    for (const running of this.#running) {
      if (running.database === database) {
        this.#running.delete(running);
        running.lost();
      }
    }
  }

  #drop(database: IDBDatabase): void {
    if (this.#database === database) {
      this.#database = undefined;
    }
  }
}
