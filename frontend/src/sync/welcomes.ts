import { toHex } from '../delivery/bytes.ts';
import type { WelcomeEntry } from '../delivery/types.ts';
import type { SyncContext } from './context.ts';
import { isUnknownGroup } from './group-log.ts';


export interface WelcomeGroups {
  /** Brings a group this client already has in step with its log. */
  catchUp(conversation: string): Promise<void>;
  joined(groupId: Uint8Array): void;
}

/** Reads this client's queue of Welcomes in order, and deletes there what is durable here. */
export async function takeWelcomes(context: SyncContext, groups: WelcomeGroups): Promise<void> {
  const { client, delivery, handOver } = context;
  for (;;) {
    const after = (await client.welcomeCursor()) ?? 0;
    const welcomes = await delivery.welcomes(after);
    for (const welcome of welcomes.sort((a, b) => a.position - b.position)) {
      await join(context, groups, welcome);
    }
    const last = welcomes.at(-1);
    if (last === undefined) return;
    await handOver.run();
    await delivery.deleteWelcomes(last.position);
    for (const { groupId } of welcomes) groups.joined(groupId);
    if (((await client.welcomeCursor()) ?? 0) <= after) return; // Nothing moved: do not read the same again.
  }
}

async function join(context: SyncContext, groups: WelcomeGroups, welcome: WelcomeEntry): Promise<void> {
  const { client, events } = context;
  await makeRoom(context, groups, welcome.groupId);
  // A Welcome that can never be joined is an item `failed`; whatever is thrown may go better later.
  const item = await client.receiveWelcome({
    bytes: welcome.welcome,
    id: `welcome-${welcome.position}`,
    position: welcome.position,
    groupPosition: welcome.groupPosition,
  });
  if (item?.kind === 'failed') events.emit('problem', { where: 'welcome', error: { code: item.code } });
}

/** Invited again after having left or been removed: the old group's records go before the new ones come. */
async function makeRoom(context: SyncContext, groups: WelcomeGroups, groupId: Uint8Array): Promise<void> {
  const known = (await context.client.listGroups()).some((id) => toHex(id) === toHex(groupId));
  if (!known) return;
  await groups.catchUp(toHex(groupId)); // The removal itself may not have been read yet; closing deletes the group.
  try {
    const info = await context.client.groupInfo(groupId);
    if (!info.isActive) await context.client.deleteGroup(groupId);
  } catch (error) {
    if (!isUnknownGroup(error)) throw error;
  }
}
