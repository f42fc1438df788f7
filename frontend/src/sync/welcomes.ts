import { toHex } from '../delivery/bytes.ts';
import { DeliveryError } from '../delivery/errors.ts';
import type { WelcomeEntry } from '../delivery/types.ts';
import { codeOf, type SyncContext } from './context.ts';
import { isInert } from './group-log.ts';

export interface WelcomeGroups {
  /** Reads the log of a group this client already has, as far as it goes; closes the group if it was removed from it. */
  readLog(conversation: string): Promise<void>;
  joined(groupId: Uint8Array): void;
}

/**
 * Reads this client's queue of Welcomes in order, and deletes there what is durable here.
 *
 * A Welcome to a group that this client is still in is held back: its removal has not been read yet. Those behind it
 * are taken without their position, so that the cursor stays in front of the held one and it is read again.
 */
export async function takeWelcomes(context: SyncContext, groups: WelcomeGroups): Promise<void> {
  const { client, delivery, handOver } = context;
  for (;;) {
    const before = (await client.welcomeCursor()) ?? 0;
    const welcomes = (await delivery.welcomes(before)).sort((a, b) => a.position - b.position);
    const taker = new WelcomeTaker(context, groups);
    for (const welcome of welcomes) await taker.take(welcome);
    if (welcomes.length === 0) return;
    await handOver.run();
    const cursor = (await client.welcomeCursor()) ?? 0;
    if (cursor > before) await delivery.deleteWelcomes(cursor);
    for (const { groupId } of welcomes) groups.joined(groupId);
    if (taker.failure !== undefined) throw taker.failure; // Tried again after the back-off.
    if (taker.holds || cursor <= before) return; // Nothing moves by reading the same again.
  }
}

class WelcomeTaker {
  /** Whether a Welcome was held back. */
  holds = false;
  /** Why a log could not be read. */
  failure: unknown;

  constructor(
    private readonly context: SyncContext,
    private readonly groups: WelcomeGroups,
  ) {}

  async take(welcome: WelcomeEntry): Promise<void> {
    const { client } = this.context;
    const cursor = (await client.welcomeCursor()) ?? 0;
    if (!this.holds && welcome.position > cursor + 1) {
      if (this.context.restored === true) return this.takeBehindGap(welcome, cursor);
      throw new DeliveryError('unreachable', 'position-gap', 'the delivery service left out a Welcome');
    }
    if (await this.isObsolete(welcome)) {
      // Joined by it while another one was held back: only the cursor has to move on.
      if (!this.holds) await client.skipWelcome(welcome.position);
      return;
    }
    await this.groups.readLog(toHex(welcome.groupId)).catch((error: unknown) => {
      this.failure ??= error; // Of one group: the others' Welcomes do not wait for it.
    });
    try {
      await this.receive(welcome);
    } catch (error) {
      if (codeOf(error) !== 'group-exists') throw error;
      this.holds = true;
    }
  }

  /** What lies between was taken after the backup was made, where it was made. */
  private async takeBehindGap(welcome: WelcomeEntry, cursor: number): Promise<void> {
    for (let position = cursor + 1; position < welcome.position; position += 1) await this.context.client.skipWelcome(position);
    await this.take(welcome);
  }

  private async receive(welcome: WelcomeEntry): Promise<void> {
    // A Welcome that can never be joined is an item `failed`; whatever is thrown may go better later.
    const item = await this.context.client.receiveWelcome({
      bytes: welcome.welcome,
      id: idOf(welcome),
      ...(this.holds ? {} : { position: welcome.position }),
      groupPosition: welcome.groupPosition,
    });
    // A stale one leads to an epoch this client has been in: a repetition, there is nothing to join.
    if (item?.kind !== 'failed' || item.code === 'stale-welcome') return;
    this.context.events.emit('problem', { where: 'welcome', error: { code: item.code } });
  }

  /** Whether this client is in the group and past the commit that the Welcome belongs to. */
  private async isObsolete(welcome: WelcomeEntry): Promise<boolean> {
    const { client } = this.context;
    const known = (await client.listGroups()).some((id) => toHex(id) === toHex(welcome.groupId));
    if (!known || !(await this.isActive(welcome.groupId))) return false;
    return ((await client.deliveryCursor(welcome.groupId)) ?? 0) >= welcome.groupPosition;
  }

  /** Not in a group that came out of a backup: a Welcome brings it to life. */
  private async isActive(groupId: Uint8Array): Promise<boolean> {
    try {
      return (await this.context.client.groupInfo(groupId)).isActive;
    } catch (error) {
      if (!isInert(error)) throw error;
      return false;
    }
  }
}

function idOf(welcome: WelcomeEntry): string {
  return `welcome-${welcome.position}`;
}
