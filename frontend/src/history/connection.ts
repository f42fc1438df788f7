import { allStores, openHistoryDatabase, type HistoryDatabase, type HistoryTransaction } from './database.ts';

const connectionLost = Symbol('connection lost');

interface Connection {
  database: HistoryDatabase;
  /** Settles when the browser has closed it. */
  lost: Promise<typeof connectionLost>;
}

/** A transaction that is aborted is told by its requests; its own promise would be an uncaught rejection. */
export function reading<Tx extends { done: Promise<void> }>(tx: Tx): Tx {
  tx.done.catch(() => undefined);
  return tx;
}

/** Runs `change` in one transaction and settles when it is committed; an error aborts all of it. */
export async function inTransaction<T>(database: HistoryDatabase, change: (tx: HistoryTransaction) => Promise<T>): Promise<T> {
  const tx = database.transaction([...allStores, 'meta'], 'readwrite', { durability: 'strict' });
  const done = tx.done;
  // Told by the rejection of `change`, or by the loss of the connection.
  done.catch(() => undefined);
  try {
    const result = await change(tx);
    await done;
    return result;
  } catch (error) {
    try {
      tx.abort();
    } catch {
      // Already aborted by the failure itself.
    }
    throw error;
  }
}

/** The way to the history's database. Opened again if the browser has closed it: that happens, and says nothing about the data. */
export class HistoryConnection {
  private connection: Promise<Connection> | undefined;
  private opened = false;
  private closed = false;

  constructor(private readonly name: string) {}

  async open(): Promise<void> {
    await this.connect();
  }

  close(): void {
    this.closed = true;
    this.connection?.then(({ database }) => database.close()).catch(() => undefined);
  }

  /**
   * Runs `work` on the connection, and again on a new one if that was closed meanwhile: what was under way may never
   * be heard of again. All of it may be done twice.
   */
  async use<T>(work: (database: HistoryDatabase) => Promise<T>): Promise<T> {
    for (;;) {
      if (this.closed) throw Object.assign(new Error('the history is closed'), { code: 'closed' });
      const { database, lost } = await this.connect();
      const working = work(database);
      const result = await Promise.race([working, lost]);
      if (result !== connectionLost) return result;
    }
  }

  private connect(): Promise<Connection> {
    this.connection ??= this.openConnection();
    return this.connection;
  }

  private openConnection(): Promise<Connection> {
    let lose = (): void => undefined;
    const lost = new Promise<typeof connectionLost>((resolve) => {
      lose = () => resolve(connectionLost);
    });
    const forget = (): void => {
      if (this.connection === connection) this.connection = undefined;
      lose();
    };
    const connection = openHistoryDatabase(this.name, this.opened, forget).then((database) => {
      this.opened = true;
      return { database, lost };
    });
    connection.catch(forget);
    return connection;
  }
}
