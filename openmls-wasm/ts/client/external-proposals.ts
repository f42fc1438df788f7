/** Proposals from outside a group: of senders that it lists, and of clients that ask to be added (RFC 9420 §12.1.8). */

import * as check from '../arguments.js';
import * as checkGroup from '../group-arguments.js';
import { ExternalMethods } from './external.js';
import type { Extension, OutboxEntry, ProposalTarget } from '../mls-types.js';

/**
 * Proposals from outside a group: of senders that it lists, and of clients that ask to be added (RFC 9420 §12.1.8). Part
 * of `CoreCryptoClient`. A member commits them, or not.
 */
export abstract class ExternalProposalMethods extends ExternalMethods {
  /**
   * Proposes to add the owner of a framed key package, as the external sender at `senderIndex` of the group's list
   * (RFC 9420 §12.1.8.1); members take it only if the list has this client's signature key at that place.
   * @throws `no-identity`, `invalid-key-package`, `duplicate-id`
   */
  proposeExternalAdd(
    target: ProposalTarget,
    senderIndex: number,
    keyPackage: Uint8Array,
    id?: string,
  ): Promise<OutboxEntry> {
    return this.send((client) =>
      client.proposeExternalAdd(
        checkGroup.proposalTarget('target', target),
        check.integer('senderIndex', senderIndex, 0xffffffff),
        check.bytes('keyPackage', keyPackage),
        check.optionalText('id', id),
      ),
    );
  }

  /**
   * Proposes to remove the member at `leafIndex`, as the external sender at `senderIndex` of the group's list; see
   * {@link proposeExternalAdd}.
   * @throws `no-identity`, `duplicate-id`
   */
  proposeExternalRemove(
    target: ProposalTarget,
    senderIndex: number,
    leafIndex: number,
    id?: string,
  ): Promise<OutboxEntry> {
    return this.send((client) =>
      client.proposeExternalRemove(
        checkGroup.proposalTarget('target', target),
        check.integer('senderIndex', senderIndex, 0xffffffff),
        check.integer('leafIndex', leafIndex, 0xffffffff),
        check.optionalText('id', id),
      ),
    );
  }

  /**
   * Proposes other group context extensions, all of them, as the external sender at `senderIndex` of the group's list;
   * see {@link proposeExternalAdd}.
   * @throws `no-identity`, `invalid-argument`, `invalid-credential`, `duplicate-id`
   */
  proposeExternalGroupContextExtensions(
    target: ProposalTarget,
    senderIndex: number,
    extensions: readonly Extension[],
    id?: string,
  ): Promise<OutboxEntry> {
    return this.send((client) =>
      client.proposeExternalGroupContextExtensions(
        checkGroup.proposalTarget('target', target),
        check.integer('senderIndex', senderIndex, 0xffffffff),
        checkGroup.extensions('extensions', extensions),
        check.optionalText('id', id),
      ),
    );
  }

  /**
   * Asks to be added to a group, by a framed key package that this client has generated; the Welcome comes from the
   * member that commits it.
   * @throws `no-identity`, `invalid-key-package`, `unknown-key-package`, `duplicate-id`
   */
  proposeJoin(target: ProposalTarget, keyPackage: Uint8Array, id?: string): Promise<OutboxEntry> {
    return this.send((client) =>
      client.proposeJoin(
        checkGroup.proposalTarget('target', target),
        check.bytes('keyPackage', keyPackage),
        check.optionalText('id', id),
      ),
    );
  }
}
