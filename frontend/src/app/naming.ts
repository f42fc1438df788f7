import type { Conversation } from '../history/types.ts';
import { listNames } from './texts.ts';

export interface UserInGroup {
  user: string;
  clients: string[];
}

/** The members by user, in order of name; their devices in order of joining. */
export function usersOf(members: readonly string[]): UserInGroup[] {
  const users = new Map<string, string[]>();
  for (const address of members) {
    const slash = address.indexOf('/');
    const user = slash < 0 ? address : address.slice(0, slash);
    users.set(user, [...(users.get(user) ?? []), address.slice(slash + 1)]);
  }
  return [...users].map(([user, clients]) => ({ user, clients })).sort((a, b) => a.user.localeCompare(b.user));
}

export function titleOf(conversation: Conversation, ownUser: string): string {
  if (conversation.name !== '') return conversation.name;
  const others = usersOf(conversation.members).map(({ user }) => user).filter((user) => user !== ownUser);
  return others.length === 0 ? 'New conversation' : listNames(others);
}
