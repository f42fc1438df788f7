import type { OutboxEntry } from 'openmls-wasm';
import { toHex } from '../delivery/bytes.ts';
import { DeliveryError, isRefused } from '../delivery/errors.ts';
import { codeOf, newId, type SyncContext } from './context.ts';

/**
 * What becomes of a group whose state on this device was put back, by a copy of the browser's profile for instance: the
 * delivery service has seen a newer one, so everything sent by this one would use keys that are used up. Or of one that
 * came out of a backup, without keys. The device comes into the group anew, by an external commit (RFC 9420 §12.4.3.2);
 * until then nothing of the group is sent.
 */
export class Healing {
  private told = false;

  constructor(
    private readonly context: SyncContext,
    private readonly groupId: Uint8Array,
  ) {}

  /** Does the next thing that leads back into a group whose state was put back. */
  async step(outbox: readonly OutboxEntry[], upload: (entry: OutboxEntry) => Promise<void>): Promise<void> {
    if (!this.told) {
      this.told = true;
      this.context.events.emit('joining-anew', toHex(this.groupId));
    }
    await this.comeBack(outbox, upload);
  }

  /** Does the next thing that leads back into the group. */
  async comeBack(outbox: readonly OutboxEntry[], upload: (entry: OutboxEntry) => Promise<void>): Promise<void> {
    const { client } = this.context;
    const commit = outbox.find(({ kind }) => kind === 'commit');
    if (commit === undefined) {
      await client.joinByExternalCommit(await this.groupInfo(), {}, newId());
      return;
    }
    if (await this.leadsBack(commit)) {
      await upload(commit);
      return;
    }
    // The log has been read to its end: nobody has accepted what the older state wanted to commit.
    await client.rejectCommit(commit.id);
  }

  /** Publishes what others can come back by. Without it they wait for the next member that does. */
  async publish(epoch: bigint): Promise<void> {
    const { client, delivery } = this.context;
    try {
      await delivery.publishGroupInfo(this.groupId, epoch, await client.exportGroupInfo(this.groupId));
    } catch (error) {
      if (!isRefused(error)) throw error; // The group has moved on: whoever did that publishes the next.
    }
  }

  /** Whether a commit is the one by which this device comes back: of an older state there is no link. */
  private async leadsBack(commit: OutboxEntry): Promise<boolean> {
    try {
      await this.context.client.uploadLink(commit.id);
      return true;
    } catch (error) {
      if (codeOf(error) !== 'rolled-back-state') throw error;
      return false;
    }
  }

  private async groupInfo(): Promise<Uint8Array> {
    try {
      return await this.context.delivery.groupInfo(this.groupId);
    } catch (error) {
      if (!isRefused(error, 'no-group-info')) throw error;
      // Another member publishes it when it is online; the lane asks again.
      throw new DeliveryError('unreachable', error.code, error.message, error.status);
    }
  }
}
