import type { InboxItem } from 'openmls-wasm';
import { allStores, openHistoryDatabase, type HistoryDatabase, type HistoryTransaction } from './database.ts';
import { newConversation, takeOver } from './take-over.ts';
import type { ChatLine, Conversation, Intention } from './types.ts';

export interface NewConversation {
  name?: string;
  members?: string[];
  intentions?: readonly Intention[];
  unmade?: true;
}

const connectionLost = Symbol('connection lost');

interface Connection {
  database: HistoryDatabase;
  /** Settles when the browser has closed it. */
  lost: Promise<typeof connectionLost>;
}

/** A transaction that is aborted is told by its requests; its own promise would be an uncaught rejection. */
function reading<Tx extends { done: Promise<void> }>(tx: Tx): Tx {
  tx.done.catch(() => undefined);
  return tx;
}

/**
 * The app's own database. Everything the crypto client hands over is taken in here, in one transaction per
 * hand-over, and only then acknowledged to the client (promise G10).
 */
export class History {
  private connection: Promise<Connection> | undefined;
  private opened = false;

  private constructor(
    private readonly name: string,
    private readonly own: { user: string; client: string },
    private readonly now: () => number,
  ) {}

  static async open(name: string, own: { user: string; client: string }, now: () => number = Date.now): Promise<History> {
    const history = new History(name, own, now);
    await history.connect();
    return history;
  }

  close(): void {
    this.connection?.then(({ database }) => database.close()).catch(() => undefined);
  }

  /** The connection, opened again if the browser has closed it: that happens, and says nothing about the data. */
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

  /**
   * Runs `work` on the connection, and again on a new one if that was closed meanwhile: what was under way may never
   * be heard of again. All of it may be done twice.
   */
  private async use<T>(work: (database: HistoryDatabase) => Promise<T>): Promise<T> {
    for (;;) {
      const { database, lost } = await this.connect();
      const working = work(database);
      const result = await Promise.race([working, lost]);
      if (result !== connectionLost) return result;
    }
  }

  /** Runs `change` in one transaction and settles when it is committed; an error aborts all of it. */
  private write<T>(change: (tx: HistoryTransaction) => Promise<T>): Promise<T> {
    return this.use(async (database) => {
      const tx = database.transaction(allStores, 'readwrite', { durability: 'strict' });
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
    });
  }

  /** Takes the items over; acknowledge them when this has settled. Returns the conversations that changed. */
  async takeOver(items: readonly InboxItem[], visible: string | undefined): Promise<void> {
    const context = { own: this.own, now: this.now(), visible };
    await this.write(async (tx) => {
      for (const item of items) await takeOver(tx, item, context);
    });
  }

  conversation(id: string): Promise<Conversation | undefined> {
    return this.use((database) => reading(database.transaction('conversations')).store.get(id));
  }

  /** The most recently changed first. */
  async conversations(): Promise<Conversation[]> {
    return (await this.use((database) => reading(database.transaction('conversations')).store.getAll())).sort((a, b) => b.changedAt - a.changedAt);
  }

  /** The last `limit` lines in order of arrival, and whether there are earlier ones. */
  lines(conversation: string, limit: number): Promise<{ lines: ChatLine[]; more: boolean }> {
    return this.use(async (database) => {
      const lines: ChatLine[] = [];
      const range = IDBKeyRange.bound([conversation, 0], [conversation, Infinity]);
      const tx = reading(database.transaction('lines'));
      let cursor = await tx.store.index('by-order').openCursor(range, 'prev');
      while (cursor !== null && lines.length < limit) {
        lines.push(cursor.value);
        cursor = await cursor.continue();
      }
      return { lines: lines.reverse(), more: cursor !== null };
    });
  }

  /** Makes the record of a group created here, in one piece with the intentions that invite its first members. */
  async createConversation(id: string, { intentions = [], ...details }: NewConversation): Promise<void> {
    await this.write(async (tx) => {
      const known = await tx.objectStore('conversations').get(id);
      if (known === undefined) {
        const now = this.now();
        const conversation = newConversation(id, now, false);
        await tx.objectStore('conversations').put({ ...conversation, ...details, lastOrder: 1 });
        const created: ChatLine = { id: `created-${id}`, conversation: id, order: 1, after: 0, at: now, kind: 'event', event: { type: 'created' } };
        await tx.objectStore('lines').put(created);
      }
      for (const intention of intentions) await tx.objectStore('intentions').put(intention);
    });
  }

  /** Takes back a conversation whose group could not be made. */
  async forgetUnmade(id: string): Promise<void> {
    await this.write(async (tx) => {
      if ((await tx.objectStore('conversations').get(id))?.unmade !== true) return;
      await tx.objectStore('conversations').delete(id);
      await tx.objectStore('lines').delete(`created-${id}`);
      const intentions = await tx.objectStore('intentions').getAll();
      for (const intention of intentions) if (intention.conversation === id) await tx.objectStore('intentions').delete(intention.id);
    });
  }

  async updateConversation(id: string, change: (conversation: Conversation) => void): Promise<boolean> {
    return this.write(async (tx) => {
      const conversation = await tx.objectStore('conversations').get(id);
      if (conversation === undefined) return false;
      const before = JSON.stringify(conversation);
      change(conversation);
      if (JSON.stringify(conversation) === before) return false;
      await tx.objectStore('conversations').put(conversation);
      return true;
    });
  }

  /** Puts an own message at its place in the group's log. */
  async placeLine(id: string, position: number): Promise<void> {
    await this.write(async (tx) => {
      const line = await tx.objectStore('lines').get(id);
      if (line === undefined || line.position === position) return;
      await tx.objectStore('lines').put({ ...line, position });
    });
  }

  /** Marks own messages that the group will never get, because this client left it first. */
  async markUnsent(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return;
    await this.write(async (tx) => {
      for (const id of ids) {
        const line = await tx.objectStore('lines').get(id);
        if (line?.kind === 'text') await tx.objectStore('lines').put({ ...line, unsent: true });
      }
    });
  }

  intentions(): Promise<Intention[]> {
    return this.use((database) => reading(database.transaction('intentions')).store.getAll());
  }

  async putIntention(intention: Intention): Promise<void> {
    await this.write((tx) => tx.objectStore('intentions').put(intention));
  }

  async dropIntention(id: string): Promise<void> {
    await this.write((tx) => tx.objectStore('intentions').delete(id));
  }
}
