import type { MemberIdentity, InboxItem, Member } from 'openmls-wasm';
import { parseIdentity, toHex, addressText } from '../delivery/bytes.ts';
import { decodePayload } from './payload.ts';
import type { HistoryRecords } from './store.ts';
import type { ChatEvent, ChatLine, Conversation, Intention } from './types.ts';

export interface TakeOverContext {
  /** The user and client whose history this is. */
  own: { user: string; client: string };
  now: number;
  /** The conversation on screen: its messages do not count as unread. */
  visible: string | undefined;
}

/**
 * Takes one inbox item into the history, inside the caller's change. Items keep their ids when they are
 * handed over again after a crash, and a line is keyed by its item's id: the second time changes nothing.
 */
export async function takeOver(records: HistoryRecords, item: InboxItem, context: TakeOverContext): Promise<void> {
  // A Welcome that can never be joined names no group: there is nothing to show.
  if (item.groupId.length === 0) return;
  if (item.kind === 'failed' && item.code === 'stale-welcome') return; // A repetition: nothing was lost.
  const id = toHex(item.groupId);
  if ((await records.get('lines', item.id)) !== undefined) return;
  const conversation = (await records.get('conversations', id)) ?? newConversation(id, context.now, true);
  if (item.position !== undefined) conversation.lastPosition = Math.max(conversation.lastPosition, item.position);
  const line = await lineOf(records, item, conversation, context);
  if (line !== undefined) {
    conversation.lastOrder += 1;
    const record: ChatLine = {
      ...line,
      id: item.id,
      conversation: id,
      order: conversation.lastOrder,
      after: conversation.lastPosition,
      ...(item.position === undefined ? {} : { position: item.position }),
    };
    await records.put('lines', record);
    conversation.changedAt = Math.max(conversation.changedAt, Math.min(record.at, context.now));
  }
  await records.put('conversations', conversation);
}

export function newConversation(id: string, now: number, registered: boolean): Conversation {
  return {
    id,
    name: '',
    changedAt: now,
    lastOrder: 0,
    lastPosition: 0,
    unread: 0,
    members: [],
    proposers: [],
    registered,
    standing: 'member',
  };
}

type NewLine =
  | { kind: 'text'; at: number; sender: string; own: boolean; text: string }
  | { kind: 'event'; at: number; event: ChatEvent };

async function lineOf(
  records: HistoryRecords,
  item: InboxItem,
  conversation: Conversation,
  context: TakeOverContext,
): Promise<NewLine | undefined> {
  const event = (happened: ChatEvent): NewLine => ({ kind: 'event', at: context.now, event: happened });
  switch (item.kind) {
    case 'sent':
      return messageLine(item.plaintext, context.own.user, true, conversation, context);
    case 'message': {
      const { user } = parseIdentity(item.sender.identity);
      // What was written on another device of this user is theirs as well.
      return messageLine(item.plaintext, user, user === context.own.user, conversation, context);
    }
    case 'joined': {
      const { standing } = conversation;
      // Joining again after having left: the conversation comes back to life.
      conversation.standing = 'member';
      conversation.registered = true;
      conversation.unread += conversation.id === context.visible ? 0 : 1;
      return event({ type: standing === 'inert' || standing === 'lost' ? 'came-back' : 'joined' });
    }
    case 'commit': {
      const change = await commitEvent(records, item, conversation, context);
      return change === undefined ? undefined : event(change);
    }
    case 'failed':
      return event({ type: 'unreadable', code: item.code });
    case 'proposal':
      // The one proposal this chat sends by itself is to leave; it shows when another member has committed it.
      if (item.sender.kind !== 'member') return undefined;
      conversation.proposers = [...new Set([...conversation.proposers, addressText(parseIdentity(item.sender.identity))])];
      return undefined;
  }
}

function messageLine(
  plaintext: Uint8Array,
  sender: string,
  own: boolean,
  conversation: Conversation,
  context: TakeOverContext,
): NewLine | undefined {
  const payload = decodePayload(plaintext);
  if (payload === undefined) {
    return { kind: 'event', at: context.now, event: { type: 'unreadable', code: 'unknown-content' } };
  }
  // A clock that runs ahead must not put a message after everything that follows it.
  const at = Math.min(payload.at, context.now);
  if (payload.type === 'name') {
    if (payload.name === conversation.name) return undefined; // Repeated for whoever joined since.
    const first = conversation.name === '';
    conversation.name = payload.name;
    return first && !own ? undefined : { kind: 'event', at, event: { type: 'named', by: sender, own, name: payload.name } };
  }
  conversation.preview = { sender, own, text: payload.text.slice(0, 200) };
  if (!own && conversation.id !== context.visible) conversation.unread += 1;
  return { kind: 'text', at, sender, own, text: payload.text };
}

async function commitEvent(
  records: HistoryRecords,
  item: Extract<InboxItem, { kind: 'commit' }>,
  conversation: Conversation,
  context: TakeOverContext,
): Promise<ChatEvent | undefined> {
  const by = item.sender === undefined ? '' : parseIdentity(item.sender.identity).user;
  const added = addresses(item.added);
  const removed = addresses(item.removed);
  const leavers = new Set(conversation.proposers);
  conversation.proposers = []; // A proposal is good for its epoch only.
  // The list may be of a later epoch already: whoever this commit adds was not there before.
  const stay = conversation.members.filter((member) => !removed.includes(member) && !added.includes(member));
  conversation.members = [...new Set([...stay, ...added])];
  if (item.selfRemoved) {
    const left = conversation.standing === 'leaving' || by === context.own.user;
    conversation.standing = left ? 'left' : 'removed';
    return left ? { type: 'you-left' } : { type: 'you-removed', by };
  }
  if (item.own && added.length > 0 && conversation.name !== '') {
    // Who joins cannot read what was said before: tell the group its name again. Kept in this transaction.
    const intention: Intention = {
      id: `name-${item.id}`,
      conversation: conversation.id,
      attempts: 0,
      kind: 'name',
      name: conversation.name,
    };
    await records.put('intentions', intention);
  }
  if (added.length > 0) {
    const users = [...new Set(added.map(userOf))];
    const news = users.filter((user) => !stay.some((member) => userOf(member) === user));
    const own = by === context.own.user;
    if (news.length > 0) return { type: 'added', by, own, users: news };
    return { type: 'device-added', user: users[0] ?? by, own };
  }
  // A user is gone when none of their devices is left.
  const gone = [...new Set(removed.map(userOf))].filter((user) => !conversation.members.some((m) => userOf(m) === user));
  if (gone.length === 0) return undefined;
  const left = removed.every((member) => leavers.has(member));
  return left ? { type: 'left', users: gone } : { type: 'removed', by, own: by === context.own.user, users: gone };
}

function addresses(members: readonly (MemberIdentity | Member)[]): string[] {
  return members.map((member) => addressText(parseIdentity(member.identity)));
}

function userOf(address: string): string {
  const slash = address.indexOf('/');
  return slash < 0 ? address : address.slice(0, slash);
}
