import type { InboxItem } from 'openmls-wasm';
import type { BackedUp } from './backup.ts';
import { HistoryConnection } from './connection.ts';
import type { StoreName } from './database.ts';
import { PlainStore } from './plain-store.ts';
import { SealedStore } from './sealed-store.ts';
import type { HistoryVault } from './sealer.ts';
import { HistoryError, openSealer, sealNote } from './sealing.ts';
import type { HistoryStore, StorePage } from './store.ts';
import { newConversation, takeOver } from './take-over.ts';
import type { ChatLine, Conversation, Intention } from './types.ts';

/** Few enough to keep memory bounded. */
const recordsAtOnce = 200;

export interface NewConversation {
  name?: string;
  members?: string[];
  intentions?: readonly Intention[];
  unmade?: true;
}

export interface HistoryOptions {
  /** What seals the history; undefined: the crypto client has no vault, and the history is in the clear too. */
  vault?: HistoryVault | undefined;
  /** Told how many records are sealed, when a history in the clear is. */
  onSealing?: (records: number) => void;
  now?: () => number;
}

/**
 * The app's own database. Everything the crypto client hands over is taken in here, in one transaction per
 * hand-over, and only then acknowledged to the client (promise G10).
 */
export class History {
  private constructor(
    private readonly connection: HistoryConnection,
    private readonly store: HistoryStore,
    private readonly own: { user: string; client: string },
    private readonly now: () => number,
  ) {}

  /** Throws `HistoryError`: nothing is ever replaced or deleted. */
  static async open(
    name: string,
    own: { user: string; client: string },
    { vault, onSealing = () => undefined, now = Date.now }: HistoryOptions = {},
  ): Promise<History> {
    const connection = new HistoryConnection(name);
    await connection.open();
    try {
      if (vault === undefined && (await sealNote(connection)) !== undefined) throw new HistoryError('sealed-history');
      const store = vault === undefined ? new PlainStore(connection) : new SealedStore(connection, await openSealer(connection, vault, onSealing));
      return new History(connection, store, own, now);
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  close(): void {
    this.connection.close();
  }

  /** Takes the items over; acknowledge them when this has settled. Returns the conversations that changed. */
  async takeOver(items: readonly InboxItem[], visible: string | undefined): Promise<void> {
    const context = { own: this.own, now: this.now(), visible };
    await this.store.change(async (records) => {
      for (const item of items) await takeOver(records, item, context);
    });
  }

  conversation(id: string): Promise<Conversation | undefined> {
    return this.store.get('conversations', id);
  }

  /** The most recently changed first. */
  async conversations(): Promise<Conversation[]> {
    return (await this.store.all('conversations')).sort((a, b) => b.changedAt - a.changedAt);
  }

  /** What stands for a conversation in the address bar, of which the browser keeps a history of its own. */
  nameOutside(conversation: string): string {
    return this.store.nameOutside(conversation);
  }

  /** The last `limit` lines in order of arrival, and whether there are earlier ones. */
  lines(conversation: string, limit: number): Promise<{ lines: ChatLine[]; more: boolean }> {
    return this.store.lines(conversation, limit);
  }

  async hasLine(id: string): Promise<boolean> {
    return (await this.store.get('lines', id)) !== undefined;
  }

  /** Makes the record of a group created here, in one piece with the intentions that invite its first members. */
  async createConversation(id: string, { intentions = [], ...details }: NewConversation): Promise<void> {
    await this.store.change(async (records) => {
      const known = await records.get('conversations', id);
      if (known === undefined) {
        const now = this.now();
        await records.put('conversations', { ...newConversation(id, now, false), ...details, lastOrder: 1 });
        await records.put('lines', { id: `created-${id}`, conversation: id, order: 1, after: 0, at: now, kind: 'event', event: { type: 'created' } });
      }
      for (const intention of intentions) await records.put('intentions', intention);
    });
  }

  /** Takes back a conversation whose group could not be made. */
  async forgetUnmade(id: string): Promise<void> {
    await this.store.change(async (records) => {
      if ((await records.get('conversations', id))?.unmade !== true) return;
      await records.delete('conversations', id);
      await records.delete('lines', `created-${id}`);
      for (const intention of await records.all('intentions')) {
        if (intention.conversation === id) await records.delete('intentions', intention.id);
      }
    });
  }

  async updateConversation(id: string, change: (conversation: Conversation) => void): Promise<boolean> {
    return this.store.change(async (records) => {
      const conversation = await records.get('conversations', id);
      if (conversation === undefined) return false;
      const before = JSON.stringify(conversation);
      change(conversation);
      if (JSON.stringify(conversation) === before) return false;
      await records.put('conversations', conversation);
      return true;
    });
  }

  /** Puts an own message at its place in the group's log: so it was sent. */
  async placeLine(id: string, position: number): Promise<void> {
    await this.store.change(async (records) => {
      const line = await records.get('lines', id);
      if (line === undefined || line.position === position) return;
      const placed: ChatLine = { ...line, position };
      if (placed.kind === 'text' && placed.unsent === 'unknown') delete placed.unsent;
      await records.put('lines', placed);
    });
  }

  /** All records of a store, some at a time, so that a long history takes no more memory than a short one. */
  async *parts<Store extends StoreName>(store: Store): AsyncGenerator<StorePage<Store>, void> {
    for (let after: string | undefined; ; ) {
      const part = await this.store.page(store, after, recordsAtOnce);
      yield part;
      after = part.next;
      if (after === undefined) return;
    }
  }

  /** Writes what was in a backup, in one transaction. For a history that nobody else uses yet. */
  async bringBack(records: readonly BackedUp[]): Promise<void> {
    await this.store.change(async (stored) => {
      for (const { store, record } of records) await stored.put(store, record);
    });
  }

  /** Marks own messages that the group will never get, because this client left it first. */
  async markUnsent(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return;
    await this.store.change(async (records) => {
      for (const id of ids) {
        const line = await records.get('lines', id);
        if (line?.kind === 'text') await records.put('lines', { ...line, unsent: true });
      }
    });
  }

  intentions(): Promise<Intention[]> {
    return this.store.all('intentions');
  }

  async putIntention(intention: Intention): Promise<void> {
    await this.store.change((records) => records.put('intentions', intention));
  }

  async dropIntention(id: string): Promise<void> {
    await this.store.change((records) => records.delete('intentions', id));
  }
}
