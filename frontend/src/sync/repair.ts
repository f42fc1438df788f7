import { toHex } from '../delivery/bytes.ts';
import { codeOf, type SyncContext } from './context.ts';

/**
 * Gets a damaged group out of the way: its records are moved into the crypto client's quarantine, nothing is deleted.
 *
 * It does not join again by itself, by external commit: a member has to remove it and add it anew. A Welcome then brings the
 * conversation back to life, as after having left.
 */
export async function setAside(context: SyncContext, groupId: Uint8Array): Promise<void> {
  const { client, history, states, events } = context;
  const conversation = toHex(groupId);
  await client.quarantineGroup(groupId);
  const outbox = (await client.outbox()).filter((entry) => toHex(entry.groupId) === conversation);
  await history.markUnsent(outbox.filter(({ kind }) => kind === 'message').map(({ id }) => id));
  await history.updateConversation(conversation, (record) => {
    record.standing = 'damaged';
  });
  for (const intention of await history.intentions()) if (intention.conversation === conversation) await history.dropIntention(intention.id);
  for (const { id, kind } of outbox) {
    // What waits for a group that is gone would wait for ever.
    const ended = kind === 'commit' ? client.rejectCommit(id) : client.rejectOutbox(id);
    await ended.catch((error: unknown) => {
      if (!endedAlready.has(codeOf(error) ?? '')) throw error;
    });
    states.settled(id);
  }
  events.emit('lines', conversation);
  events.emit('members', conversation);
  events.emit('conversations', undefined);
}

/** Quarantining the group has taken the entry with it. */
const endedAlready = new Set(['unknown-outbox-entry', 'group-not-found']);
