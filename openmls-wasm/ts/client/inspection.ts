/** Inspecting what came in, before accepting or refusing it. */

import * as check from '../arguments.js';
import { MessageMethods } from './messages.js';
import type { EarlyMessage, InboxItem, IncomingMessage, IncomingWelcome, Processed, WelcomeInfo } from '../mls-types.js';

/** Inspecting what came in, before accepting or refusing it. Part of `CoreCryptoClient`. */
export abstract class InspectionMethods extends MessageMethods {
  /**
   * What {@link processMessage} would do with a message, with nothing done: no key is used up, nothing is stored.
   *
   * To accept it, hand the same bytes to {@link processMessage} or {@link receiveMessage} with its `groupEpoch` as
   * `inspectedEpoch`; to refuse it, do nothing or, with a delivery service, call {@link rejectMessage}.
   * @throws what {@link processMessage} throws
   */
  inspectMessage(bytes: Uint8Array): Promise<Processed> {
    return this.read((client) => client.inspectMessage(check.bytes('bytes', bytes)));
  }

  /**
   * What a Welcome leads to, with nothing done: its key package stays (RFC 9420 §12.4.3.1).
   * @throws what {@link joinGroup} throws
   */
  inspectWelcome(welcome: Uint8Array, ratchetTree?: Uint8Array): Promise<WelcomeInfo> {
    return this.read((client) =>
      client.inspectWelcome(
        check.bytes('welcome', welcome),
        ratchetTree === undefined ? undefined : check.bytes('ratchetTree', ratchetTree),
      ),
    );
  }

  /**
   * Refuses an entry of a group's log: the cursor moves past it. Settles with an item `failed` of code
   * `credential-rejected`; undefined for a duplicate.
   *
   * Who refuses a commit does not follow the others into the next epoch: what comes behind it ends in `future-epoch`.
   * @throws `wrong-kind` for an own message, `position-gap`, `epoch-changed`
   */
  rejectMessage(message: IncomingMessage): Promise<InboxItem | undefined> {
    return this.receive((client) => client.rejectMessage(check.incomingMessage(message)));
  }

  /** Refuses a Welcome, as {@link rejectMessage} does; its key package stays. @throws `position-gap` */
  rejectWelcome(welcome: IncomingWelcome): Promise<InboxItem | undefined> {
    return this.receive((client) => client.rejectWelcome(check.incomingWelcome(welcome)));
  }

  /** The messages that are kept for a group until their epoch is reached, in the order they will be processed in. */
  earlyMessages(groupId: Uint8Array): Promise<EarlyMessage[]> {
    return this.change((client) => client.earlyMessages(check.bytes('groupId', groupId)));
  }
}
