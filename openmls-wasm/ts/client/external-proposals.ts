/** Proposals from outside a group: of senders that it lists, and of clients that ask to be added (RFC 9420 §12.1.8). */

import * as check from '../arguments.js';
import { ExternalMethods } from './external.js';
import type { OutboxEntry, ProposalTarget } from '../mls-types.js';

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
        proposalTarget(target),
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
        proposalTarget(target),
        check.integer('senderIndex', senderIndex, 0xffffffff),
        check.integer('leafIndex', leafIndex, 0xffffffff),
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
        proposalTarget(target),
        check.bytes('keyPackage', keyPackage),
        check.optionalText('id', id),
      ),
    );
  }
}

function proposalTarget(target: ProposalTarget): ProposalTarget {
  if (typeof target !== 'object' || target === null) {
    throw check.invalid('target', 'an object { groupId, epoch }');
  }
  return { groupId: check.bytes('target.groupId', target.groupId), epoch: check.epoch('target.epoch', target.epoch) };
}
