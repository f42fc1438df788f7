/** What the chat remembers for its views. Conversations are keyed by the MLS group id in hex. */

export interface Conversation {
  id: string;
  /** Empty until someone named it: shown by its members then. */
  name: string;
  /** Milliseconds since 1970 of the last change, for the order of the list. */
  changedAt: number;
  /** Number of the last line taken into this conversation; lines are numbered from 1 in order of arrival. */
  lastOrder: number;
  /** Highest position of the group's log seen in this conversation. */
  lastPosition: number;
  unread: number;
  preview?: { sender: string; own: boolean; text: string };
  /** `user/client` of everyone in the group, for the views; the MLS group decides. */
  members: string[];
  /** Members who proposed to leave in the current epoch. */
  proposers: string[];
  /** The MLS group has yet to be made: its name and invitations are durable first. */
  unmade?: true;
  /** The delivery service knows the group. */
  registered: boolean;
  /**
   * `leaving`: asked to leave, not yet committed by another member. `left`, `removed`: read-only. `damaged`: too, until a
   * member adds this client anew. `inert`: out of a backup, without keys, until this client has joined the group anew. `lost`:
   * the same, but there is nothing to join it by; a member can add this client anew.
   */
  standing: 'member' | 'leaving' | 'left' | 'removed' | 'damaged' | 'inert' | 'lost';
}

interface LineBase {
  /** Id of the inbox item it came from: taking an item over twice writes the same record. */
  id: string;
  conversation: string;
  order: number;
  /** Position in the group's log, once known; own messages get theirs when the delivery service took them. */
  position?: number;
  /** Highest position seen when the line was taken over: its place while it has none of its own. */
  after: number;
  /** Milliseconds since 1970, by the sender's clock for messages. */
  at: number;
}

/**
 * `unsent`: the conversation ended before it was sent; `unknown`: it waited when a backup was made, and nobody here knows what
 * became of it.
 */
export type ChatLine = LineBase &
  (
    | { kind: 'text'; sender: string; own: boolean; text: string; unsent?: true | 'unknown' }
    | { kind: 'event'; event: ChatEvent }
  );

export type ChatEvent =
  | { type: 'created' }
  | { type: 'joined' }
  /** What was said before is here, out of a backup; what was said in between is not. */
  | { type: 'came-back' }
  | { type: 'named'; by: string; own: boolean; name: string }
  | { type: 'added'; by: string; own: boolean; users: string[] }
  | { type: 'device-added'; user: string; own: boolean }
  | { type: 'removed'; by: string; own: boolean; users: string[] }
  | { type: 'left'; users: string[] }
  | { type: 'you-removed'; by: string }
  | { type: 'you-left' }
  | { type: 'unreadable'; code: string };

/** Something the user wants done to a group, kept until it is done: the commit for it may lose its epoch. */
export type Intention = { id: string; conversation: string; attempts: number; failure?: string } & (
  | {
      kind: 'add';
      user: string;
      /** Messages up to this sequence of the outbox were written before the invitation; -1: none was. */
      after: number;
      /** Id in the outbox of the last commit made for it. */
      commit?: string;
      /** The user's devices that are members are removed first: one of them has lost the keys of the group. */
      anew?: true;
    }
  | { kind: 'leave' }
  /** Tells the group its name, for whoever joined. */
  | { kind: 'name'; name: string }
);
