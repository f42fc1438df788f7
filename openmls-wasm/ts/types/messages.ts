/** Messages. */

import type { InboxItem } from './inbox.js';
import type { OutboxEntry } from './outbox.js';

/** An inbox item before it has an id and a place: what `processMessage` returns. */
export type Processed = InboxItem extends infer Item
  ? Item extends InboxItem
    ? Omit<Item, 'id' | 'sequence' | 'position'>
    : never
  : never;

/**
 * What `MlsClient` offers for messages and the outbox.
 * @internal
 */
export interface MessageApi {
  encryptMessage(groupId: Uint8Array, plaintext: Uint8Array): Uint8Array;
  processMessage(bytes: Uint8Array): Processed;

  sendMessage(groupId: Uint8Array, plaintext: Uint8Array, id?: string): OutboxEntry;
  outbox(): OutboxEntry[];
  acknowledgeOutbox(id: string): void;
  renewOutbox(id: string): OutboxEntry;
}
