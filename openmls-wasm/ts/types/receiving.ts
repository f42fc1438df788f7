/** Receiving from a delivery service. */

import type { InboxItem } from './inbox.js';

/** A message as the delivery service gives it. */
export interface IncomingMessage {
  /** A framed MLSMessage (RFC 9420 §6). */
  readonly bytes: Uint8Array;
  /** The delivery service's id of the entry. */
  readonly id?: string | undefined;
  /**
   * Its position in the group's log: what makes a repeated delivery harmless, and a missing one visible.
   *
   * Without gaps: the first entry is at 1 for a group created here, and the one after `groupPosition` for a group joined.
   * (Joined without `groupPosition`, the first entry may be anywhere.) An entry that leaves a gap is refused with
   * `position-gap`; one at a position already processed is a duplicate.
   */
  readonly position?: number | undefined;
}

/** A Welcome as the delivery service gives it. Its `position` is in the log of this client's Welcomes, the first at 1. */
export interface IncomingWelcome extends IncomingMessage {
  /** Position, in the group's log, of the commit that added this client. */
  readonly groupPosition?: number | undefined;
}

/**
 * What `MlsClient` offers for receiving.
 * @internal
 */
export interface ReceivingApi {
  /** @throws `group-not-found`, `position-gap` */
  receiveMessage(message: IncomingMessage): InboxItem | undefined;
  /** @throws `group-exists` while this client is in the group, `stale-welcome`, `position-gap` */
  receiveWelcome(welcome: IncomingWelcome): InboxItem | undefined;
  inbox(): InboxItem[];
  acknowledgeInbox(ids: readonly string[]): void;
  deliveryCursor(groupId: Uint8Array): number | undefined;
  /** Passes over a Welcome refused with `group-exists` although the group's log was read to its end. */
  skipWelcome(position: number): void;
  welcomeCursor(): number | undefined;
}
