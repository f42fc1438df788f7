/** Proposals of every kind, and the external pre-shared keys that some of them name (RFC 9420 §8.4, §12.1). */

import * as check from '../arguments.js';
import * as checkGroup from '../group-arguments.js';
import { SettingsMethods } from './settings.js';
import type { OutboxEntry, PendingProposal, ProposalRequest, ProposeOptions } from '../mls-types.js';

/** Proposals of every kind, and the external pre-shared keys that some of them name (RFC 9420 §8.4, §12.1). Part of `CoreCryptoClient`. */
export abstract class ProposalMethods extends SettingsMethods {
  /**
   * Proposes a change of the group (RFC 9420 §12.1); upload its `bytes`. It waits, here as with everyone who receives it,
   * until a member commits it or the epoch is over. What no commit could contain now is refused.
   * @throws `proposal-rejected`, `invalid-key-package`, `invalid-credential`, `unknown-member`, `unknown-psk`,
   * `pending-commit`, `leave-pending`, `group-inactive`, `group-not-found`, `duplicate-id`; `credential-rejected` by `validateCredential`
   */
  async propose(groupId: Uint8Array, proposal: ProposalRequest, options: ProposeOptions = {}): Promise<OutboxEntry> {
    const group = check.bytes('groupId', groupId);
    const what = checkGroup.proposal('proposal', proposal);
    const how = checkGroup.proposeOptions(options);
    const adding = what.kind === 'add' ? [what.keyPackage] : [];
    return this.sendAdding(group, adding, (client) => client.propose(group, what, ...how));
  }

  /** The proposals that wait for a commit, the own ones too, in the order they came in. @throws `group-not-found` */
  pendingProposals(groupId: Uint8Array): Promise<PendingProposal[]> {
    return this.read((client) => client.pendingProposals(check.bytes('groupId', groupId)));
  }

  /**
   * Drops every proposal that waits, and takes own ones that were not uploaded yet out of the outbox. A commit of another
   * member that contains one of them cannot be processed any more: to commit without them, {@link commit} with
   * `includePending: false` will do.
   * @throws `pending-commit`, `group-inactive`, `group-not-found`
   */
  clearPendingProposals(groupId: Uint8Array): Promise<void> {
    return this.change((client) => client.clearPendingProposals(check.bytes('groupId', groupId)));
  }

  /** Drops one proposal, as {@link clearPendingProposals} drops all. @throws `unknown-proposal`, `pending-commit` */
  removePendingProposal(groupId: Uint8Array, reference: Uint8Array): Promise<void> {
    return this.change((client) =>
      client.removePendingProposal(check.bytes('groupId', groupId), check.bytes('reference', reference)),
    );
  }

  /** Stores an external pre-shared key (RFC 9420 §8.4), or replaces the one of that id. @throws `invalid-argument` for an empty key */
  storeExternalPsk(pskId: Uint8Array, psk: Uint8Array): Promise<void> {
    return this.change((client) => client.storeExternalPsk(check.bytes('pskId', pskId), check.bytes('psk', psk)));
  }

  /** Deletes an external pre-shared key; no error if there is none of that id. */
  deleteExternalPsk(pskId: Uint8Array): Promise<void> {
    return this.change((client) => client.deleteExternalPsk(check.bytes('pskId', pskId)));
  }

  /** The ids of the external pre-shared keys that are stored. */
  externalPsks(): Promise<Uint8Array[]> {
    return this.read((client) => client.externalPsks());
  }
}
