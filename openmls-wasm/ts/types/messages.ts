/** Messages. */

import type { CommitItem, InboxItem, InboxItemBase, MessageItem, ProposalItem } from './inbox.js';
import type { CredentialToValidate } from './inspection.js';
import type { OutboxEntry, UploadLink } from './outbox.js';

/** What an inbox item says, before it has an id and a place. */
export type Content<Item> = Item extends InboxItem ? Omit<Item, keyof InboxItemBase> : never;

/** What a message turned out to be, told apart by `kind`. */
export type Processed = (
  | Content<MessageItem | ProposalItem | CommitItem>
  /** An own message or proposal that came back. */
  | { readonly kind: 'own-message' }
) & {
  /** The group it belongs to. */
  readonly groupId: Uint8Array;
  /** The epoch the group was in when the message came: the one in which an inspected message can be accepted. */
  readonly groupEpoch: bigint;
  /** Every credential that enters the group by it (RFC 9420 §5.3.1). */
  readonly credentials: readonly CredentialToValidate[];
};

/**
 * What `MlsClient` offers for messages and the outbox.
 * @internal
 */
export interface MessageApi {
  encryptMessage(groupId: Uint8Array, plaintext: Uint8Array, authenticatedData?: Uint8Array): Uint8Array;
  /** @throws `epoch-changed` */
  processMessage(bytes: Uint8Array, inspectedEpoch?: bigint): Processed;

  sendMessage(groupId: Uint8Array, plaintext: Uint8Array, id?: string, authenticatedData?: Uint8Array): OutboxEntry;
  outbox(): OutboxEntry[];
  acknowledgeOutbox(id: string): void;
  renewOutbox(id: string): OutboxEntry;
  rejectOutbox(id: string): void;
  /** @throws `unknown-outbox-entry`, `rolled-back-state` */
  uploadLink(id: string): UploadLink | undefined;
  checkWitness(groupId: Uint8Array, link?: Uint8Array): boolean;
}
