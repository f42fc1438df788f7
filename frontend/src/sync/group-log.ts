import { toHex } from '../delivery/bytes.ts';
import type { LogEntry } from '../delivery/types.ts';
import { codeOf, type SyncContext } from './context.ts';

/**
 * Reads one group's log, strictly in order of position. Entries come live or by page; a gap in the live ones
 * means reading pages from the cursor, which the crypto client keeps together with the keys (promise G10).
 */
export class GroupLog {
  private behind = true;
  private live: LogEntry[] = [];
  private readonly conversation: string;

  constructor(
    private readonly context: SyncContext,
    private readonly groupId: Uint8Array,
  ) {
    this.conversation = toHex(groupId);
  }

  /** The log may hold more than is known: it is read before anything is uploaded. */
  markBehind(): void {
    this.behind = true;
  }

  push(entry: LogEntry): void {
    this.live.push(entry);
  }

  /** Processes all there is, up to the end of the log. */
  async catchUp(): Promise<void> {
    let cursor = await this.cursor();
    while (this.behind || this.live.length > 0) {
      cursor = this.behind ? await this.readPages(cursor) : await this.takeLive(cursor);
    }
  }

  async cursor(): Promise<number> {
    return (await this.context.client.deliveryCursor(this.groupId)) ?? 0;
  }

  private async takeLive(cursor: number): Promise<number> {
    const [entry] = this.live.sort((a, b) => a.position - b.position);
    if (entry === undefined) return cursor;
    if (entry.position > cursor + 1) {
      this.behind = true;
      return cursor;
    }
    if (entry.position === cursor + 1) await this.process(entry);
    this.live = this.live.filter((other) => other.position > entry.position);
    return Math.max(cursor, entry.position);
  }

  private async readPages(cursor: number): Promise<number> {
    // Set before the first request: what happens during it may not be in the answer.
    this.behind = false;
    try {
      for (;;) {
        const page = await this.context.delivery.log(this.groupId, cursor);
        for (const entry of page.entries) {
          if (entry.position <= cursor) continue;
          await this.process(entry);
          cursor = entry.position;
        }
        if (!page.more || page.entries.length === 0) break;
      }
    } catch (error) {
      this.behind = true;
      throw error;
    }
    this.live = this.live.filter((entry) => entry.position > cursor);
    // A live entry beyond the last page that still leaves a gap is past what this client may read.
    if (this.live.length > 0 && this.live.every((entry) => entry.position > cursor + 1)) this.live = [];
    return cursor;
  }

  private async process(entry: LogEntry): Promise<void> {
    const { client, history, states, ownAddress, handOver, events, forViews } = this.context;
    const own = entry.sender === ownAddress;
    // Before the cursor moves: after a crash in between, the entry is read again.
    if (own) await forViews(history.placeLine(entry.id, entry.position));
    const item = await client.receiveMessage({
      bytes: entry.message,
      // Not another sender's id: a member could choose one that stands for another line of this history.
      id: own ? entry.id : `${this.conversation}-${entry.position}`,
      position: entry.position,
    });
    if (own) {
      states.settled(entry.id);
      events.emit('lines', this.conversation);
    }
    if (item === undefined) return;
    if (own && item.kind === 'failed') {
      // An own upload whose answer was lost and that was encrypted anew since: already in the history.
      await client.acknowledgeInbox([item.id]);
      return;
    }
    if (item.kind === 'commit' && item.superseded !== undefined) states.settled(item.superseded);
    handOver.kick();
    if (item.kind === 'failed') events.emit('problem', { where: 'receive', error: { code: item.code } });
  }
}

/** Whether the crypto client has no such group (any more). */
export function isUnknownGroup(error: unknown): boolean {
  return codeOf(error) === 'group-not-found'; // Not the delivery service's `unknown-group`: that one may come back.
}
