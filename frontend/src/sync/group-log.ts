import { toHex } from '../delivery/bytes.ts';
import type { LogEntry } from '../delivery/types.ts';
import { codeOf, newId, type SyncContext } from './context.ts';

/**
 * Reads one group's log, strictly in order of position. Entries come live or by page; a gap in the live ones
 * means reading pages from the cursor, which the crypto client keeps together with the keys (promise G10).
 */
export class GroupLog {
  private behind = true;
  private live: LogEntry[] = [];
  /** This client was removed: what comes after is not for this membership. */
  private ended = false;
  /** Why what comes next in the log cannot be processed, as of the last reading: something between is missing. */
  private broken: 'position-gap' | 'future-epoch' | undefined;
  /** The delivery service has seen a newer state of this client in the group, as of the last reading. */
  private rolledBack = false;
  /** The epoch of the group info that is published, as far as known. */
  infoEpoch: number | undefined;
  /**
   * Nothing is read but the commit by which this client joins: what is before it was for a former state, which has no keys
   * any more, so that a gap in it does not matter, nor what the delivery service has seen of that state.
   */
  passesOver = false;
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
    if (!this.halted) this.live.push(entry);
  }

  /** Nothing more is to be read: for good, or until somebody asks to read again. */
  private get halted(): boolean {
    return this.ended || this.isBroken;
  }

  /** Whether the last reading ended at an entry that can never be processed in order. */
  get isBroken(): boolean {
    return this.broken !== undefined;
  }

  /** Whether this client's database was put back to an older state: nothing of it may be sent. */
  get isRolledBack(): boolean {
    return this.rolledBack;
  }

  /** Processes all there is for this client: up to the end of the log, its removal, or where the log is broken. */
  async catchUp(): Promise<void> {
    let cursor = await this.cursor();
    while (!this.ended && (this.behind || this.live.length > 0)) {
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
    this.live = this.halted ? [] : this.live.filter((other) => other.position > entry.position);
    return this.isBroken ? cursor : Math.max(cursor, entry.position);
  }

  private async readPages(cursor: number): Promise<number> {
    // Set before the first request: what happens during it may not be in the answer.
    this.behind = false;
    this.broken = undefined;
    try {
      for (;;) {
        const page = await this.context.delivery.log(this.groupId, cursor);
        // Before anything is sent, and in the lane of the group: no upload is on its way meanwhile.
        this.rolledBack = !this.passesOver && !(await this.context.client.checkWitness(this.groupId, page.link));
        this.infoEpoch = page.infoEpoch;
        for (const entry of page.entries) {
          if (entry.position <= cursor) continue;
          // The first position of a log is 1. What lies between was withheld, or not meant for this client.
          if (entry.position > cursor + 1 && !this.passesOver) this.broken = 'position-gap';
          else await this.process(entry);
          if (this.halted) break;
          cursor = entry.position;
        }
        if (this.halted || !page.more || page.entries.length === 0) break;
      }
    } catch (error) {
      this.behind = true;
      throw error;
    }
    if (this.halted) this.live = [];
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
    const item = await client
      .receiveMessage({
        bytes: entry.message,
        // Not another sender's id: a member could choose one that stands for another line of this history. And not
        // the position alone: a former membership may have left a line of that position behind.
        id: own ? entry.id : `${this.conversation}-${entry.position}-${newId()}`,
        position: entry.position,
      })
      .catch((error: unknown) => this.outOfOrder(error));
    if (item === 'out-of-order') return;
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
    // Joined anew: the service begins a new chain.
    if (item.kind === 'joined') {
      this.behind = true;
      this.passesOver = false;
    }
    // Whoever has committed publishes the group info.
    if (item.kind === 'commit' && !own) this.infoEpoch = undefined;
    if (item.kind === 'commit' && item.selfRemoved) this.ended = true;
    if (item.kind === 'commit' && item.superseded !== undefined) states.settled(item.superseded);
    handOver.kick();
    if (item.kind === 'failed') events.emit('problem', { where: 'receive', error: { code: item.code } });
  }

  /** Every entry before it has been processed: what it needs besides will not come. */
  private outOfOrder(error: unknown): 'out-of-order' {
    const code = codeOf(error);
    if (code !== 'position-gap' && code !== 'future-epoch') throw error;
    this.broken = code;
    this.context.events.emit('problem', { where: 'receive', error });
    return 'out-of-order';
  }
}

/** Whether the crypto client knows the group out of a backup only, without keys. */
export function isInert(error: unknown): boolean {
  return codeOf(error) === 'group-inert';
}

/** Whether the crypto client has no such group (any more). */
export function isUnknownGroup(error: unknown): boolean {
  return codeOf(error) === 'group-not-found'; // Not the delivery service's `unknown-group`: that one may come back.
}
