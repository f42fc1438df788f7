import type { OutboxEntry } from 'openmls-wasm';
import { addressText, parseIdentity, toHex } from '../delivery/bytes.ts';
import { DeliveryError, isUnreachable } from '../delivery/errors.ts';
import type { SyncContext } from './context.ts';
import { isInert, type GroupLog } from './group-log.ts';
import type { Intentions } from './intentions.ts';

/** Entries that may be uploaded, but for which the epoch has to be made current first. */
export function isStale(entry: OutboxEntry, epoch: bigint): boolean {
  return entry.kind === 'message' && (entry.bytes === null || entry.epoch < epoch);
}

/** Uploads one group's outbox entries. The same entry goes up with the same bytes under the same id until answered. */
export class Uploads {
  /** The delivery service did not know the group, and has been told of it since. */
  private registered = false;

  constructor(
    private readonly context: SyncContext,
    private readonly groupId: Uint8Array,
    private readonly log: GroupLog,
    private readonly intentions: Pick<Intentions, 'addsOnlyInvited' | 'commitRefused'>,
    /** Told when the delivery service is in another epoch, and the log does not lead there. */
    private readonly outOfStep: () => Promise<void>,
  ) {}

  async upload(entry: OutboxEntry): Promise<void> {
    if (entry.bytes === null) return;
    if (entry.kind === 'commit' && !(await this.intentions.addsOnlyInvited(entry))) {
      // This never went up, as it would have failed here before: nobody can have ordered it.
      await this.giveUp(entry, 'wrong-key-package');
      return;
    }
    try {
      const position = await this.send(entry, entry.bytes);
      await this.accepted(entry, entry.bytes, position);
    } catch (error) {
      // Answered or not, the log decides what is true before the next upload.
      this.log.markBehind();
      if (isUnreachable(error) || !(error instanceof DeliveryError)) throw error;
      await this.refused(entry, error);
    }
  }

  private async send(entry: OutboxEntry, bytes: Uint8Array): Promise<number> {
    const { client, delivery } = this.context;
    const link = await client.uploadLink(entry.id);
    if (entry.kind !== 'commit') return delivery.sendMessage(this.groupId, entry.id, bytes, link);
    const upload = {
      id: entry.id,
      commit: bytes,
      ...(entry.welcome === undefined ? {} : { welcome: entry.welcome }),
      added: entry.added.map(({ identity }) => addressText(parseIdentity(identity))),
      removed: entry.removed.map(({ identity }) => addressText(parseIdentity(identity))),
    };
    return delivery.sendCommit(this.groupId, upload, link);
  }

  /**
   * The delivery service has ordered the entry. It is processed at its position in the log, like everybody
   * else's: a commit is merged there, a message or proposal leaves the outbox there.
   */
  private async accepted(entry: OutboxEntry, bytes: Uint8Array, position: number): Promise<void> {
    this.registered = false;
    this.context.states.sent(entry.id);
    if (position <= (await this.log.cursor())) {
      if (entry.kind !== 'commit') await this.context.client.acknowledgeOutbox(entry.id);
      this.context.states.settled(entry.id);
      return;
    }
    this.log.push({ position, id: entry.id, sender: this.context.ownAddress, message: bytes });
  }

  private async refused(entry: OutboxEntry, error: DeliveryError): Promise<void> {
    const { delivery, states } = this.context;
    if (error.code === 'unknown-group') {
      // Registered, and still not known to this client: nothing is given up, and the back-off waits.
      if (this.registered) throw new DeliveryError('unreachable', error.code, error.message, error.status);
      await delivery.registerGroup(this.groupId);
      this.registered = true;
      return; // Uploaded by the next round.
    }
    // That says nothing against the entry: the next round reads the log, and with it that this state is an older one.
    if (error.code === 'state-rolled-back') return;
    // The commits that lead to this client's epoch are not there: that says nothing against the entry.
    if (error.code === 'future-epoch') return this.outOfStep();
    if (error.code === 'past-epoch' && !(await this.isEpochOver(entry.epoch))) await this.outOfStep();
    if (error.code === 'id-conflict') await this.log.catchUp();
    // Settled by what was read: superseded by another commit, or in the log already although the answer was lost.
    if (!(await this.isInOutbox(entry))) return states.settled(entry.id);
    if (entry.kind === 'commit') {
      await this.giveUp(entry, error.code);
      return;
    }
    if (error.code === 'id-conflict') {
      // An earlier encryption of the same message: the group has it. These bytes were not accepted, and leave no link.
      if (await this.isInOutbox(entry)) await this.context.client.rejectOutbox(entry.id);
      states.settled(entry.id);
      return;
    }
    if (entry.kind === 'proposal') {
      await this.context.client.rejectOutbox(entry.id); // Good for one epoch only; whoever wanted it proposes again.
      states.settled(entry.id);
      return;
    }
    if (error.code !== 'past-epoch') states.refuse(entry.id, toHex(this.groupId), error.code);
    // past-epoch: the next round reads the log, and encrypts the message anew in the current epoch.
  }

  /** Reads the log to its end, and tells whether that has led out of the epoch. */
  private async isEpochOver(epoch: bigint): Promise<boolean> {
    await this.log.catchUp();
    try {
      const now = await this.context.client.groupInfo(this.groupId);
      return !now.isActive || now.epoch > epoch;
    } catch (error) {
      if (!isInert(error)) throw error;
      return true; // The commit to join by is of an epoch that is over: made anew by the next group info.
    }
  }

  /** The one place where a pending commit is given up: the delivery service has said no to it, or never saw it. */
  private async giveUp(commit: OutboxEntry, code: string): Promise<void> {
    await this.context.client.rejectCommit(commit.id);
    this.context.states.settled(commit.id);
    // Afterwards: an invitation that has failed can be dismissed, and the commit would outlive what vouches for it.
    await this.intentions.commitRefused(commit.id, code);
  }

  private async isInOutbox(entry: OutboxEntry): Promise<boolean> {
    return (await this.context.client.outbox()).some(({ id }) => id === entry.id);
  }
}
