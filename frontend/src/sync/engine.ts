import type { CoreCryptoClient } from 'openmls-wasm';
import { fromHex, toHex, type Address } from '../delivery/bytes.ts';
import { Backoff } from '../delivery/backoff.ts';
import type { DeliveryClient } from '../delivery/client.ts';
import { LiveConnection } from '../delivery/live.ts';
import type { LiveEvent } from '../delivery/types.ts';
import { encodePayload } from '../history/payload.ts';
import type { History } from '../history/history.ts';
import type { Intention } from '../history/types.ts';
import { codeOf, newId, sharedContext, worthRetrying, type ConnectionStatus, type SyncContext, type SyncEvents } from './context.ts';
import { Emitter } from './emitter.ts';
import { GroupSync } from './group-sync.ts';
import { KeyPackages } from './key-packages.ts';
import { Lane } from './lane.ts';
import { setAside } from './repair.ts';
import { MessageStates, type UnsavedMessage } from './states.ts';
import { takeWelcomes } from './welcomes.ts';

export interface SyncEngineOptions {
  client: CoreCryptoClient;
  delivery: DeliveryClient;
  history: History;
  own: Address;
  /** It came out of a backup. */
  restored?: boolean | undefined;
}

/**
 * Carries everything between the crypto client, the delivery service and the history. Knows no views: they call
 * its methods, which settle when the wish is durable, and listen to its events.
 */
export class SyncEngine {
  readonly events = new Emitter<SyncEvents>();
  readonly states = new MessageStates((conversation) => this.events.emit('lines', conversation));
  status: ConnectionStatus = 'connecting';

  private readonly context: SyncContext;
  private readonly groups = new Map<string, GroupSync>();
  private readonly live: LiveConnection;
  private readonly welcomes: Lane;
  private readonly keyPackages: Lane;
  private readonly unlisten: (() => void)[] = [];
  private visible: string | undefined;
  private historyFails = false;
  private stopped = false;

  constructor({ client, delivery, history, own, restored }: SyncEngineOptions) {
    const forViews = <T>(write: Promise<T>): Promise<T | undefined> =>
      write.catch((error: unknown) => {
        this.reportHistory(error);
        handOver.kick();
        return undefined;
      });
    // The disk, not the network: somebody who has made room looks at the screen and waits.
    const handOver = new Lane(() => this.takeOverInbox(), worthRetrying, new Backoff(250, 4000));
    this.context = sharedContext({ client, delivery, history, own, restored, events: this.events, states: this.states, handOver, forViews });
    const keyPackages = new KeyPackages(this.context);
    this.keyPackages = new Lane(() => keyPackages.replenish(), worthRetrying);
    this.welcomes = new Lane(() => this.takeWelcomes(), worthRetrying);
    this.live = new LiveConnection(delivery, {
      onReady: () => this.online(),
      onEvent: (event) => this.liveEvent(event),
      onDown: () => this.setStatus('offline'),
      onRefused: (code) => {
        this.setStatus('offline');
        this.events.emit('sign-in-refused', code);
      },
    });
  }

  /** Takes over what a crash left unacknowledged, then connects. Works offline: nothing here needs the network. */
  async start(): Promise<void> {
    await this.context.handOver.run();
    for (const entry of await this.context.client.outbox()) {
      if (entry.kind === 'message') this.states.inOutbox(entry.id, toHex(entry.groupId));
    }
    for (const { id, unmade } of await this.context.history.conversations()) {
      if (unmade !== true) continue;
      await this.makeGroup(id).catch((error: unknown) => this.events.emit('problem', { where: 'create', error }));
    }
    for (const groupId of await this.context.client.listGroups()) {
      // A group that the history knows nothing of, because the history was lost.
      const known = await this.context.history.conversation(toHex(groupId));
      if (known === undefined) await this.context.history.createConversation(toHex(groupId), {});
      this.group(groupId);
    }
    this.events.emit('conversations', undefined);
    this.unlisten.push(
      this.context.client.on('engine-restarted', () => this.kickAll()),
      this.context.client.on('storage-recovered', () => this.kickAll()),
    );
    globalThis.document?.addEventListener('visibilitychange', this.refresh);
    this.live.start();
  }

  /**
   * Ends it: what is under way is given up where it is, and a later engine goes on from what is durable. So the vault may be
   * locked right after this: calls that reject for it are no problem of anybody's.
   */
  stop(): void {
    this.stopped = true;
    globalThis.document?.removeEventListener('visibilitychange', this.refresh);
    for (const unlisten of this.unlisten) unlisten();
    this.live.stop();
    for (const lane of [this.context.handOver, this.welcomes, this.keyPackages]) lane.stop();
    for (const group of this.groups.values()) group.stop();
  }

  /** Tries to reach the delivery service now. */
  reconnect(): void {
    this.live.reconnect();
  }

  /** Starts again after a refused sign-in, when something may have changed (a device was linked). */
  signInAgain(): void {
    this.live.start();
  }

  // What the user does

  /** Which conversation is on screen: it is read as it comes in. */
  async show(conversation: string | undefined): Promise<void> {
    this.visible = conversation;
    if (conversation === undefined || this.stopped) return;
    const { history, forViews } = this.context;
    const read = history.updateConversation(conversation, (record) => {
      record.unread = 0;
    });
    if ((await forViews(read)) === true) this.events.emit('conversations', undefined);
  }

  /** Sends a text. Settles when it is durable here, or has failed; its state tells which. */
  async sendText(conversation: string, text: string): Promise<void> {
    await this.save(newId(), conversation, text, Date.now());
  }

  /** Tries again what failed, under the same id. */
  async retry(id: string, conversation: string): Promise<void> {
    const unsaved = this.states.unsavedMessage(id);
    if (unsaved !== undefined) return this.save(id, conversation, unsaved.text, unsaved.at);
    this.states.retry(id, conversation);
    this.groups.get(conversation)?.tryAgain();
    this.live.reconnect();
  }

  private async save(id: string, conversation: string, text: string, at: number): Promise<void> {
    this.states.save({ id, conversation, text, at });
    // Before the call: the upload may be answered before its caller is back here.
    this.states.inOutbox(id, conversation);
    try {
      await this.context.client.sendMessage(fromHex(conversation), encodePayload({ type: 'text', text, at }), id);
    } catch (error) {
      this.states.settled(id);
      this.states.notSaved(id, codeOf(error) ?? 'unknown');
      return;
    }
    this.groups.get(conversation)?.kickFresh();
    try {
      await this.context.handOver.run();
    } catch (error) {
      if (this.stopped) return; // It is durable: the next engine hands it over.
      throw error;
    }
    this.states.saved(id);
  }

  /** What was not saved when an earlier engine was stopped, and has not become durable after all. */
  async restoreUnsaved(messages: readonly UnsavedMessage[]): Promise<void> {
    const { client, history } = this.context;
    const outbox = new Set((await client.outbox()).map(({ id }) => id));
    const lost: UnsavedMessage[] = [];
    for (const message of messages) {
      if (!outbox.has(message.id) && !(await history.hasLine(message.id))) lost.push(message);
    }
    this.states.restore(lost, 'locked-meanwhile');
  }

  /** Makes a group with this name; everybody in `users` is invited as soon as the delivery service is reached. */
  async createConversation(name: string, users: readonly string[]): Promise<string> {
    const { history, ownAddress } = this.context;
    const conversation = toHex(crypto.getRandomValues(new Uint8Array(16)));
    const intentions = users.map((user): Intention => ({ id: newId(), conversation, attempts: 0, kind: 'add', user, after: -1 }));
    // First what the group is for: after a crash in between, the next start makes the group.
    await history.createConversation(conversation, { name, members: [ownAddress], intentions, unmade: true });
    try {
      await this.makeGroup(conversation);
    } catch (error) {
      await history.forgetUnmade(conversation).catch(() => undefined); // The caller hears of the first failure.
      throw error;
    }
    this.events.emit('conversations', undefined);
    return conversation;
  }

  private async makeGroup(conversation: string): Promise<void> {
    const { client, history, forViews } = this.context;
    const groupId = fromHex(conversation);
    await client.createGroup(groupId).catch((error: unknown) => {
      if (codeOf(error) !== 'group-exists') throw error; // Made before a crash.
    });
    // If this fails, the next start finds that the group exists.
    await forViews(
      history.updateConversation(conversation, (record) => {
        delete record.unmade;
      }),
    );
    this.group(groupId).kick();
  }

  /** Invites all devices of a user. What becomes of it shows in `intentions`. */
  async invite(conversation: string, user: string): Promise<string> {
    return this.intend(await this.invitation(conversation, user));
  }

  /** Removes all devices of a member and adds them again: one of them has lost its keys of the group. */
  async addAnew(conversation: string, user: string): Promise<string> {
    return this.intend({ ...(await this.invitation(conversation, user)), anew: true });
  }

  private async invitation(conversation: string, user: string): Promise<Intention & { kind: 'add' }> {
    const sequences = (await this.context.client.outbox()).map(({ sequence }) => sequence);
    return { id: newId(), conversation, attempts: 0, kind: 'add', user, after: Math.max(-1, ...sequences) };
  }

  async leave(conversation: string): Promise<void> {
    await this.context.history.updateConversation(conversation, (record) => {
      if (record.standing === 'member') record.standing = 'leaving';
    });
    await this.intend({ id: `leave-${conversation}`, conversation, attempts: 0, kind: 'leave' });
    this.events.emit('conversations', undefined);
  }

  async intentions(conversation: string): Promise<Intention[]> {
    return (await this.context.history.intentions()).filter((intention) => intention.conversation === conversation);
  }

  /** The user has seen why it failed. */
  async dismiss(intention: Intention): Promise<void> {
    await this.context.history.dropIntention(intention.id);
    this.events.emit('members', intention.conversation);
  }

  /** Sets the records of a group that cannot be read aside, and ends its conversation until this client is added anew. */
  async repair(groupId: Uint8Array): Promise<void> {
    await setAside(this.context, groupId);
    this.groups.get(toHex(groupId))?.kickFresh(); // Finds that the group is not there any more, and ends.
  }

  /** Vouches for another device of this user. */
  async link(publicKey: Uint8Array): Promise<void> {
    await this.context.delivery.link(publicKey);
  }

  private async intend(intention: Intention): Promise<string> {
    await this.context.history.putIntention(intention);
    this.events.emit('members', intention.conversation);
    this.groups.get(intention.conversation)?.kickFresh();
    return intention.id;
  }

  // What happens

  private group(groupId: Uint8Array): GroupSync {
    const conversation = toHex(groupId);
    const known = this.groups.get(conversation);
    if (known !== undefined) return known;
    const group = new GroupSync(this.context, groupId, (closed) => {
      this.groups.get(closed)?.stop();
      this.groups.delete(closed);
      if (this.status === 'online') this.welcomes.kick(); // One may be waiting that leads back into the group.
    });
    this.groups.set(conversation, group);
    return group;
  }

  private online(): void {
    this.setStatus('online');
    this.welcomes.kickFresh();
    this.keyPackages.kickFresh();
    this.kickAll();
  }

  private kickAll(): void {
    for (const group of this.groups.values()) {
      group.markBehind();
      group.kickFresh();
    }
    this.context.handOver.kickFresh();
  }

  /** A page that comes back to the front may have slept through its connection. */
  private readonly refresh = (): void => {
    if (document.visibilityState !== 'visible') return;
    void this.show(this.visible);
    this.live.reconnect();
    if (this.status === 'online') this.online();
  };

  private liveEvent(event: LiveEvent): void {
    if (event.type === 'welcome') this.welcomes.kick();
    // A group not known here is on its way in by a Welcome; its log is read from the start of the membership.
    else this.groups.get(toHex(event.groupId))?.receive(event.entry);
  }

  private async takeWelcomes(): Promise<void> {
    await takeWelcomes(this.context, {
      readLog: async (conversation) => this.groups.get(conversation)?.readLog(),
      joined: (groupId) => this.joined(groupId),
    });
    this.keyPackages.kick();
  }

  private joined(groupId: Uint8Array): void {
    void this.context.client
      .listGroups()
      .then((groups) => {
        if (!groups.some((known) => toHex(known) === toHex(groupId))) return;
        const group = this.group(groupId);
        group.markBehind();
        group.kickFresh();
      })
      .catch((error: unknown) => this.events.emit('problem', { where: 'joined', error }));
  }

  private setStatus(status: ConnectionStatus): void {
    if (this.status === status) return;
    this.status = status;
    this.events.emit('status', status);
  }

  /** Promise G10: history first, in one transaction; only then is the crypto client told to forget the items. */
  private async takeOverInbox(): Promise<void> {
    const { client, history } = this.context;
    for (;;) {
      const items = await client.inbox();
      if (items.length === 0 && !this.historyFails) return;
      try {
        await history.takeOver(items, this.visibleNow());
      } catch (error) {
        this.reportHistory(error);
        throw error;
      }
      this.reportHistory(undefined);
      if (items.length === 0) return;
      await client.acknowledgeInbox(items.map(({ id }) => id));
      for (const conversation of new Set(items.map(({ groupId }) => toHex(groupId)))) {
        this.events.emit('lines', conversation);
        this.events.emit('members', conversation);
      }
      this.events.emit('conversations', undefined);
      this.kickNamed(items.filter(({ kind }) => kind === 'commit').map(({ groupId }) => toHex(groupId)));
    }
  }

  /** A commit may have left an intention behind: telling whoever joined the group's name. */
  private kickNamed(conversations: readonly string[]): void {
    for (const conversation of new Set(conversations)) this.groups.get(conversation)?.kick();
  }

  private visibleNow(): string | undefined {
    return globalThis.document?.visibilityState === 'hidden' ? undefined : this.visible;
  }

  private reportHistory(error: unknown): void {
    if (this.stopped) return;
    if (error === undefined && !this.historyFails) return;
    this.historyFails = error !== undefined;
    this.events.emit('history-error', error);
  }
}
