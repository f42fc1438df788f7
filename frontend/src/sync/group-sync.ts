import type { GroupInfo, OutboxEntry } from 'openmls-wasm';
import { addressText, parseIdentity, toHex } from '../delivery/bytes.ts';
import { DeliveryError, isRefused } from '../delivery/errors.ts';
import type { LogEntry } from '../delivery/types.ts';
import type { Conversation } from '../history/types.ts';
import { codeOf, worthRetrying, type SyncContext } from './context.ts';
import { GroupLog, isInert, isUnknownGroup } from './group-log.ts';
import { Healing } from './healing.ts';
import { Intentions } from './intentions.ts';
import { Lane } from './lane.ts';
import { isStale, Uploads } from './uploads.ts';

/** More rounds than this without coming to rest: something disagrees, so wait before the next try. */
const maxRounds = 500;
/** More commits than this that lose their epoch to another one: wait before the next try. */
const maxRoundsBack = 10;
/** Why a group out of a backup cannot be joined by this client, for now or for good. */
const lost = new Set(['no-group-info', 'not-a-member', 'unknown-group', 'ratchet-tree-missing', 'invalid-group-info', 'commit-rejected', 'unsupported-ciphersuite']);
const withoutKeys: ReadonlySet<Conversation['standing'] | undefined> = new Set(['inert', 'lost'] as const);
/** Why messages and invitations fail in a group whose epoch this client cannot reach. */
const outOfStepCode = 'out-of-step';

/**
 * Keeps one group in step with the delivery service. Everything about a group happens in its lane, one thing at
 * a time: read the log to its end, then the one next thing that is due, then look again.
 */
export class GroupSync {
  readonly conversation: string;
  private readonly lane: Lane;
  private readonly log: GroupLog;
  private readonly intentions: Intentions;
  private readonly uploads: Uploads;
  private readonly healing: Healing;
  /** Who waits for the log to be read once more. */
  private readers: { resolve: () => void; reject: (reason: unknown) => void }[] = [];
  /** The position of the log at which this client turned out to be out of step with the group. */
  private outOfStepAt: number | undefined;

  constructor(
    private readonly context: SyncContext,
    readonly groupId: Uint8Array,
    private readonly closed: (conversation: string) => void,
  ) {
    this.conversation = toHex(groupId);
    this.lane = new Lane(() => this.pass(), worthRetrying);
    this.log = new GroupLog(context, groupId);
    this.intentions = new Intentions(context, groupId);
    this.healing = new Healing(context, groupId);
    this.uploads = new Uploads(context, groupId, this.log, this.intentions, () => this.fallOutOfStep());
  }

  kick(): void {
    this.lane.kick();
  }

  kickFresh(): void {
    this.lane.kickFresh();
  }

  markBehind(): void {
    this.log.markBehind();
  }

  receive(entry: LogEntry): void {
    this.log.push(entry);
    this.lane.kick();
  }

  /**
   * Settles when the log has been read as far as it goes, whatever becomes of the uploads; when it ends with this
   * client's removal, after the group has been closed.
   */
  readLog(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.readers.push({ resolve, reject });
      this.log.markBehind();
      this.lane.kickFresh();
    });
  }

  /** Settles when there is nothing left to do for now. */
  settled(): Promise<void> {
    return this.lane.run();
  }

  /** The user wants to try again what failed: also what the group, out of step, did not take. */
  tryAgain(): void {
    this.outOfStepAt = undefined;
    this.log.markBehind();
    this.lane.kickFresh();
  }

  stop(): void {
    this.lane.stop();
    for (const reader of this.readers.splice(0)) reader.resolve();
  }

  private async pass(): Promise<void> {
    const readers = this.readers.splice(0);
    try {
      let info = await this.infoUnlessInert();
      if (info === undefined) {
        // Who waits for the log waits for nothing: it cannot be read. A Welcome that is held up may lead into the group.
        for (const reader of readers.splice(0)) reader.resolve();
        info = await this.comeBack();
        if (info === undefined) return;
      }
      // Removed before a restart: what follows in the log is not for this membership.
      if (info.isActive) {
        await this.register();
        await this.revive();
      }
      for (let round = 0; round < maxRounds; round += 1) {
        if (info.isActive) await this.log.catchUp();
        info = await this.context.client.groupInfo(this.groupId);
        await this.showMembers(info);
        if (!info.isActive) await this.close('removed');
        for (const reader of readers.splice(0)) reader.resolve();
        if (!info.isActive || !(await this.next(info))) return;
      }
    } catch (error) {
      if (isUnknownGroup(error)) {
        for (const reader of readers) reader.resolve();
        return this.closed(this.conversation);
      }
      for (const reader of readers) reader.reject(error);
      this.context.events.emit('problem', { where: 'group', error });
      throw error;
    }
    throw new DeliveryError('unreachable', 'no-rest', 'the group does not come to rest');
  }

  private async infoUnlessInert(): Promise<GroupInfo | undefined> {
    try {
      return await this.context.client.groupInfo(this.groupId);
    } catch (error) {
      if (!isInert(error)) throw error;
      return undefined;
    }
  }

  /** Joins a group anew that came out of a backup. Undefined: this client cannot, and has to be added by a member. */
  private async comeBack(): Promise<GroupInfo | undefined> {
    const { history } = this.context;
    const standing = (await history.conversation(this.conversation))?.standing;
    if (standing === 'left' || standing === 'removed') return undefined;
    if (standing === 'member') await this.stand('inert'); // The history was lost, and the group is all that is known.
    try {
      for (let round = 0; round < maxRoundsBack; round += 1) {
        this.log.passesOver = true;
        this.log.markBehind();
        // Not before the commit is made: until then nothing can be passed over either.
        if (await this.isJoining()) await this.log.catchUp();
        const info = await this.infoUnlessInert();
        if (info !== undefined) return info;
        await this.healing.comeBack(await this.outbox(), (entry) => this.uploads.upload(entry));
      }
    } catch (error) {
      if (!lost.has(codeOf(error) ?? '')) throw error;
      await this.stand('lost');
      // Another member publishes what is missing when it is online: the lane asks again. A refusal stays one.
      if (isRefused(error)) return undefined;
      throw error;
    } finally {
      this.log.passesOver = false;
    }
    throw new DeliveryError('unreachable', 'no-rest', 'the group does not come to rest');
  }

  /** Whether the commit to join by is made, answered or not. */
  private async isJoining(): Promise<boolean> {
    return (await this.context.client.outbox()).some(({ kind, groupId }) => kind === 'commit' && toHex(groupId) === this.conversation);
  }

  /** A Welcome may have come between a refusal and the note that there is nothing to join by. */
  private async revive(): Promise<void> {
    const { history, handOver, forViews } = this.context;
    if (!withoutKeys.has((await history.conversation(this.conversation))?.standing)) return;
    await handOver.run(); // By what says how this client came back it is a member again.
    const update = history.updateConversation(this.conversation, (record) => {
      if (withoutKeys.has(record.standing)) record.standing = 'member';
    });
    await forViews(update);
  }

  private async stand(standing: 'inert' | 'lost'): Promise<void> {
    const { history, forViews, events } = this.context;
    const update = history.updateConversation(this.conversation, (record) => {
      record.standing = standing;
    });
    if ((await forViews(update)) === true) events.emit('conversations', undefined);
  }

  /** A group made here is made known to the delivery service before anything of it is uploaded. */
  private async register(): Promise<void> {
    const conversation = await this.context.history.conversation(this.conversation);
    if (conversation === undefined || conversation.registered) return;
    await this.context.delivery.registerGroup(this.groupId);
    const { history, forViews } = this.context;
    const registered = history.updateConversation(this.conversation, (record) => {
      record.registered = true;
    });
    await forViews(registered); // Registering once more is harmless.
  }

  /** Does the next thing that is due; `false` when there is nothing. */
  private async next(info: GroupInfo): Promise<boolean> {
    const leaving = (await this.intentions.open()).some(({ kind }) => kind === 'leave');
    if (leaving && info.members.length === 1) {
      await this.close('left');
      return false;
    }
    if (this.log.isRolledBack) {
      await this.healing.step(await this.outbox(), (entry) => this.uploads.upload(entry));
      this.log.markBehind();
      return true;
    }
    const outOfStep = await this.isOutOfStep();
    if (outOfStep && leaving) {
      await this.close('left'); // Nobody can be told any more, and there is nothing to stay for.
      return false;
    }
    const outbox = await this.outbox();
    if (outOfStep) {
      await this.failAll(outbox);
      return false;
    }
    if (this.log.infoEpoch !== undefined && BigInt(this.log.infoEpoch) < info.epoch) {
      // What a member joins anew by whose database was put back.
      await this.healing.publish(info.epoch);
      this.log.infoEpoch = Number(info.epoch);
    }
    if (info.pendingProposals > 0 && !info.hasPendingCommit && !leaving) {
      // Somebody wants to leave. Every member tries to commit it; the delivery service lets one of them.
      await this.context.client.commitPendingProposals(this.groupId);
      return true;
    }
    const barrier = await this.intentions.barrier();
    const ready = outbox.filter(({ kind, sequence }) => kind !== 'message' || sequence <= barrier);
    if (info.pendingProposals === 0) {
      const stale = ready.find((entry) => isStale(entry, info.epoch));
      if (stale !== undefined) {
        // After reading the log to its end: what is still in the outbox was not taken in its own epoch.
        await this.context.client.renewOutbox(stale.id);
        return true;
      }
    }
    const due = ready.find((entry) => entry.bytes !== null && !isStale(entry, info.epoch));
    if (due !== undefined) {
      await this.uploads.upload(due);
      return true;
    }
    return info.hasPendingCommit ? false : this.intentions.step(info);
  }

  /**
   * The group went on to an epoch that this client cannot reach: a member committed what cannot be processed, or part
   * of the log is missing. Nothing it sends can be taken, so nothing is sent until there is more to read.
   */
  private async fallOutOfStep(): Promise<void> {
    this.outOfStepAt = await this.log.cursor();
    this.context.events.emit('problem', { where: 'group', error: { code: outOfStepCode } });
  }

  private async isOutOfStep(): Promise<boolean> {
    if (this.log.isBroken) return true;
    if (this.outOfStepAt === undefined) return false;
    if ((await this.log.cursor()) <= this.outOfStepAt) return true;
    this.outOfStepAt = undefined;
    for (const { id } of await this.context.client.outbox()) {
      if (this.context.states.failure(id) === outOfStepCode) this.context.states.retry(id, this.conversation);
    }
    return false;
  }

  /** Shows of everything that waits why it is not done. It stays in the outbox: the user may try again. */
  private async failAll(outbox: readonly OutboxEntry[]): Promise<void> {
    for (const { id, kind } of outbox) {
      if (kind === 'message') this.context.states.refuse(id, this.conversation, outOfStepCode);
    }
    for (const intention of await this.intentions.open()) {
      if (intention.kind !== 'add' || outbox.some(({ id }) => id === intention.commit)) continue;
      await this.intentions.fail(intention, outOfStepCode);
    }
  }

  /** This group's entries that still have to be uploaded, in order. */
  private async outbox(): Promise<OutboxEntry[]> {
    const { client, states } = this.context;
    return (await client.outbox()).filter(
      (entry) => toHex(entry.groupId) === this.conversation && !states.isTaken(entry.id) && !states.isRefused(entry.id),
    );
  }

  private async showMembers(info: GroupInfo): Promise<void> {
    if (!info.isActive) return;
    const members = info.members.map(({ identity }) => addressText(parseIdentity(identity)));
    const { history, forViews } = this.context;
    const update = history.updateConversation(this.conversation, (record) => {
      record.members = members;
    });
    if ((await forViews(update)) !== true) return;
    this.context.events.emit('members', this.conversation);
    this.context.events.emit('conversations', undefined);
  }

  /**
   * This client is out of the group. Its history stays; the group's keys go, and with them whatever the group
   * will never get. Repeatable at every step: a restart finds the group inactive and comes here again.
   */
  private async close(standing: 'left' | 'removed'): Promise<void> {
    const { client, history, handOver, states, events } = this.context;
    await handOver.run(); // The commit that removed this client must be in the history first.
    const unsent = (await client.outbox()).filter((entry) => toHex(entry.groupId) === this.conversation);
    await history.markUnsent(unsent.filter(({ kind }) => kind === 'message').map(({ id }) => id));
    await history.updateConversation(this.conversation, (record) => {
      if (record.standing === 'leaving') record.standing = 'left';
      else if (record.standing === 'member') record.standing = standing;
    });
    for (const intention of await this.intentions.all()) await history.dropIntention(intention.id);
    await client.deleteGroup(this.groupId);
    const left = (await client.outbox()).filter((entry) => unsent.some(({ id }) => id === entry.id));
    for (const { id, kind } of left) if (kind !== 'commit') await client.acknowledgeOutbox(id);
    for (const { id } of unsent) states.settled(id);
    events.emit('lines', this.conversation);
    events.emit('members', this.conversation);
    events.emit('conversations', undefined);
    this.closed(this.conversation);
  }
}
