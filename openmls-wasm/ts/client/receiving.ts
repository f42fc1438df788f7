/** Receiving from a delivery service, and the inbox (promise G10). */

import * as check from '../arguments.js';
import { receivingMessage, receivingWelcome } from '../guard.js';
import { laneOfMessage } from '../lanes.js';
import { InspectionMethods } from './inspection.js';
import type { InboxItem, IncomingMessage, IncomingWelcome } from '../mls-types.js';

/** Receiving from a delivery service, and the inbox (promise G10). Part of `CoreCryptoClient`. */
export abstract class ReceivingMethods extends InspectionMethods {
  /**
   * Processes an entry of a group's log. Settles with the item that is now in the inbox; undefined for a duplicate, for
   * the echo of an own message, and for a message without a position whose epoch was not reached yet: that is kept, and
   * its item comes with the event `inbox` when the epoch is there (RFC 9420 §15.2).
   *
   * Before the client is open: settles with undefined once the entry is in the durable queue; its item comes with the
   * event `inbox`.
   * @throws `group-not-found`; `position-gap`, `future-epoch`: hand in what lies between, from {@link deliveryCursor}
   * on; `too-many-early-messages`; `epoch-changed`; `validator-failed`: hand it in again later. An entry that can never be read, or that
   * `validateCredential` refuses, is an item of kind `failed` instead
   */
  receiveMessage(message: IncomingMessage): Promise<InboxItem | undefined> {
    return (
      this.session.enqueue(() => ({ kind: 'message', attempts: 0, message: check.incomingMessage(message) })) ??
      this.#receiveMessage(message)
    );
  }

  /**
   * Joins a group; settles as {@link receiveMessage} does.
   * @throws `group-exists` while this client is in the group: hand it in again after the removal; `stale-welcome`: it
   * leads to an epoch that this client was already in or past; `position-gap`, see {@link welcomeCursor}
   */
  receiveWelcome(welcome: IncomingWelcome): Promise<InboxItem | undefined> {
    return (
      this.session.enqueue(() => ({ kind: 'welcome', attempts: 0, message: check.incomingWelcome(welcome) })) ??
      this.#receiveWelcome(welcome)
    );
  }

  /**
   * Passes over a Welcome that {@link receiveWelcome} keeps refusing with `group-exists` although the group's log has
   * been read to its end: nobody removed this client, so the Welcome is not for the group it names.
   * @throws `position-gap`
   */
  skipWelcome(position: number): Promise<void> {
    return this.change((client) => client.skipWelcome(check.integer('position', position, Number.MAX_SAFE_INTEGER)));
  }

  /** All items that the app has not acknowledged, in order, under the same ids after every restart. */
  inbox(): Promise<InboxItem[]> {
    return this.change((client) => client.inbox());
  }

  /** The app has these items and needs them no more. */
  acknowledgeInbox(ids: readonly string[]): Promise<void> {
    return this.change((client) => client.acknowledgeInbox(check.listOfText('ids', ids)));
  }

  /** Position of the last processed entry of the group's log: ask the delivery service for what comes after it. */
  deliveryCursor(groupId: Uint8Array): Promise<number | undefined> {
    return this.change((client) => client.deliveryCursor(check.bytes('groupId', groupId)));
  }

  /** Position of the last processed Welcome. */
  welcomeCursor(): Promise<number | undefined> {
    return this.change((client) => client.welcomeCursor());
  }

  async #receiveMessage(message: IncomingMessage): Promise<InboxItem | undefined> {
    const checked = check.incomingMessage(message);
    return this.handIn(receivingMessage(checked), () => laneOfMessage(checked.bytes));
  }

  async #receiveWelcome(welcome: IncomingWelcome): Promise<InboxItem | undefined> {
    const checked = check.incomingWelcome(welcome);
    return this.handIn(receivingWelcome(checked), () => this.laneOfWelcome(checked.bytes, checked.ratchetTree));
  }
}
