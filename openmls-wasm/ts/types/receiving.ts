/** Receiving from a delivery service. */

import type { InboxItem } from './inbox.js';
import type { WelcomeInfo } from './inspection.js';
import type { Processed } from './messages.js';

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
  /** The epoch it was inspected in (`groupEpoch`): it is refused with `epoch-changed` in any other. */
  readonly inspectedEpoch?: bigint | undefined;
}

/** A Welcome as the delivery service gives it. Its `position` is in the log of this client's Welcomes, the first at 1. */
export interface IncomingWelcome extends IncomingMessage {
  /** Position, in the group's log, of the commit that added this client. */
  readonly groupPosition?: number | undefined;
  /** The ratchet tree (RFC 9420 §12.4.3.3), if the Welcome does not carry it. */
  readonly ratchetTree?: Uint8Array | undefined;
}

/** A message that is kept until its epoch is reached. */
export interface EarlyMessage {
  /** The epoch it belongs to. */
  readonly epoch: bigint;
  /** The id it was handed in with. */
  readonly id?: string;
  /** The MLSMessage. */
  readonly bytes: Uint8Array;
}

/**
 * What `MlsClient` offers for receiving.
 * @internal
 */
export interface ReceivingApi {
  inspectMessage(bytes: Uint8Array): Processed;
  inspectWelcome(welcome: Uint8Array, ratchetTree?: Uint8Array): WelcomeInfo;
  /** @throws `group-not-found`, `position-gap`, `future-epoch`, `too-many-early-messages`, `epoch-changed` */
  receiveMessage(message: IncomingMessage): InboxItem | undefined;
  rejectMessage(message: IncomingMessage): InboxItem | undefined;
  /** @throws `group-exists` while this client is in the group, `stale-welcome`, `position-gap`, `epoch-changed` */
  receiveWelcome(welcome: IncomingWelcome): InboxItem | undefined;
  rejectWelcome(welcome: IncomingWelcome): InboxItem | undefined;
  /** The inbox items that the last call produced out of messages that had been kept. */
  takeEarlyItems(): InboxItem[];
  earlyMessages(groupId: Uint8Array): EarlyMessage[];
  /** The first message that is kept although its epoch has been reached, or the one behind the message `after`. */
  groupsWithEarlyMessages(): Uint8Array[];
  nextEarlyMessage(groupId: Uint8Array, after?: Uint8Array): EarlyMessage | undefined;
  setEarlyMessageSettings(maxPerGroup: number | undefined, holdHandshakes: boolean): void;
  inbox(): InboxItem[];
  acknowledgeInbox(ids: readonly string[]): void;
  deliveryCursor(groupId: Uint8Array): number | undefined;
  /** Passes over a Welcome refused with `group-exists` although the group's log was read to its end. */
  skipWelcome(position: number): void;
  welcomeCursor(): number | undefined;
}
