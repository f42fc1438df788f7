/** Messages: encrypt and process, and the outbox (RFC 9420 §6, §15; promise G10). */

import * as check from '../arguments.js';
import { questionOfMessage } from '../guard.js';
import { laneOfMessage } from '../lanes.js';
import { RecoveryMethods } from './recovery.js';
import type { OutboxEntry, Processed, UploadLink } from '../mls-types.js';

/** Messages: encrypt and process, and the outbox (RFC 9420 §6, §15; promise G10). Part of `CoreCryptoClient`. */
export abstract class MessageMethods extends RecoveryMethods {
  /**
   * Encrypts (RFC 9420 §6.3) and keeps no copy. For chats use {@link sendMessage}.
   * @param authenticatedData travels with the message in the clear; who reads the message knows that it is the sender's
   */
  encryptMessage(groupId: Uint8Array, plaintext: Uint8Array, authenticatedData?: Uint8Array): Promise<Uint8Array> {
    return this.change((client) =>
      client.encryptMessage(
        check.bytes('groupId', groupId),
        check.bytes('plaintext', plaintext),
        check.optionalBytes('authenticatedData', authenticatedData),
      ),
    );
  }

  /**
   * Processes a framed MLSMessage and keeps no copy; a commit is merged. For chats use {@link receiveMessage}.
   * @param options `inspectedEpoch`: the `groupEpoch` that inspecting it told
   * @throws `epoch-changed` if the group is not in `inspectedEpoch` any more: inspect it again; `credential-rejected` by
   * `validateCredential`
   */
  async processMessage(
    bytes: Uint8Array,
    options: { readonly inspectedEpoch?: bigint | undefined } = {},
  ): Promise<Processed> {
    const message = check.bytes('bytes', bytes);
    const inspected = check.optionalEpoch('inspectedEpoch', options.inspectedEpoch);
    return this.advanceGuarded(() => laneOfMessage(message), {
      inspect: (client) => questionOfMessage(client, message, inspected),
      accept: (client, epoch) => client.processMessage(message, inspected ?? epoch),
    });
  }

  /**
   * Encrypts an application message and puts it in the outbox; upload its `bytes` under its `id`.
   * @param id default: 32 random hex digits
   * @param authenticatedData as for {@link encryptMessage}
   */
  sendMessage(
    groupId: Uint8Array,
    plaintext: Uint8Array,
    id?: string,
    authenticatedData?: Uint8Array,
  ): Promise<OutboxEntry> {
    return this.send((client) =>
      client.sendMessage(
        check.bytes('groupId', groupId),
        check.bytes('plaintext', plaintext),
        check.optionalText('id', id),
        check.optionalBytes('authenticatedData', authenticatedData),
      ),
    );
  }

  /** All entries that the delivery service has not answered yet, in order. All durable: safe to upload. */
  outbox(): Promise<OutboxEntry[]> {
    return this.change((client) => client.outbox());
  }

  /** The delivery service has accepted this message or proposal. */
  acknowledgeOutbox(id: string): Promise<void> {
    return this.change((client) => client.acknowledgeOutbox(check.text('id', id)));
  }

  /** The delivery service has refused this message or proposal for good. @throws `wrong-kind` for a commit */
  rejectOutbox(id: string): Promise<void> {
    return this.change((client) => client.rejectOutbox(check.text('id', id)));
  }

  /**
   * What to upload an entry with, for a delivery service that tells an older state of this client from its newest: a link
   * of a hash chain over what it accepted from this client in the group. Uploads to one group are made one after the other,
   * each when the one before it is settled. Undefined for a group that `checkWitness` was never called for.
   * @throws `unknown-outbox-entry`, `rolled-back-state`
   */
  uploadLink(id: string): Promise<UploadLink | undefined> {
    return this.change((client) => client.uploadLink(check.text('id', id)));
  }

  /**
   * The delivery service says which link it accepted last from this client in this group; undefined: none. To be called at
   * every sign-in, before anything is uploaded to the group.
   *
   * `false`: the service has seen a newer state than this one, so the database was put back. From then on everything that
   * encrypts, proposes or commits in the group throws `rolled-back-state`, until this client has joined it anew by
   * `joinByExternalCommit`. Without such a service nobody can tell.
   * @throws `group-not-found`, `invalid-argument`
   */
  checkWitness(groupId: Uint8Array, link?: Uint8Array): Promise<boolean> {
    return this.change((client) =>
      client.checkWitness(check.bytes('groupId', groupId), check.optionalBytes('link', link)),
    );
  }

  /** Encrypts a message of a past epoch anew, in the current one, under the same id. */
  renewOutbox(id: string): Promise<OutboxEntry> {
    return this.send((client) => client.renewOutbox(check.text('id', id)));
  }
}
