/** Commits: add, remove, update, leave; merge or clear (RFC 9420 §12). */

import * as check from '../arguments.js';
import * as checkGroup from '../group-arguments.js';
import { ProposalMethods } from './proposals.js';
import type { CommitRequest, OutboxEntry } from '../mls-types.js';

/** Commits: add, remove, update, leave; merge or clear (RFC 9420 §12). Part of `CoreCryptoClient`. */
export abstract class CommitMethods extends ProposalMethods {
  /**
   * Commits (RFC 9420 §12.4): what waits in the group, what the request proposes itself, new keys and contents of the own
   * leaf; upload its `bytes`. Pending until it comes back. The methods below are short for the most common requests.
   * @throws `nothing-to-commit`, `commit-rejected`, `invalid-key-package`, `invalid-credential`, `unknown-member`,
   * `unknown-psk`, `cannot-remove-self`, `pending-commit`, `leave-pending`, `group-inactive`, `group-not-found`,
   * `duplicate-id`; `credential-rejected` by `validateCredential`
   */
  async commit(groupId: Uint8Array, request: CommitRequest = {}, id?: string): Promise<OutboxEntry> {
    const [group, what, name] = [
      check.bytes('groupId', groupId),
      checkGroup.commit('request', request),
      check.optionalText('id', id),
    ];
    const proposals = what.proposals ?? [];
    const announced = proposals.some(({ kind }) => kind === 'remove') ? this.announceRemoval() : undefined;
    if (announced !== undefined) {
      await announced;
    }
    const adding = proposals.flatMap((it) => (it.kind === 'add' ? [it.keyPackage] : []));
    return this.sendAdding(group, adding, (client) => client.commit(group, what, name));
  }

  /** Commits the addition of the owners of `keyPackages`; pending until it comes back. @throws `pending-commit`, `credential-rejected` */
  async addMembers(groupId: Uint8Array, keyPackages: readonly Uint8Array[], id?: string): Promise<OutboxEntry> {
    const [group, adding, name] = [
      check.bytes('groupId', groupId),
      check.listOfBytes('keyPackages', keyPackages),
      check.optionalText('id', id),
    ];
    return this.sendAdding(group, adding, (client) => client.addMembers(group, adding, name));
  }

  /** Commits the removal of members; pending until it comes back. @throws `pending-commit` */
  async removeMembers(groupId: Uint8Array, leafIndexes: readonly number[], id?: string): Promise<OutboxEntry> {
    const announced = this.announceRemoval();
    // Not even a microtask between the call and its effect, unless somebody asks for it.
    if (announced !== undefined) {
      await announced;
    }
    return this.send((client) =>
      client.removeMembers(
        check.bytes('groupId', groupId),
        check.listOfLeafIndexes('leafIndexes', leafIndexes),
        check.optionalText('id', id),
      ),
    );
  }

  /** Commits new keys for this client's leaf (RFC 9420 §12.1.2); pending until it comes back. @throws `pending-commit` */
  selfUpdate(groupId: Uint8Array, id?: string): Promise<OutboxEntry> {
    return this.send((client) =>
      client.selfUpdate(check.bytes('groupId', groupId), check.optionalText('id', id)),
    );
  }

  /** Commits the proposals of others; needed before the next message. @throws `pending-commit` */
  commitPendingProposals(groupId: Uint8Array, id?: string): Promise<OutboxEntry> {
    return this.send((client) =>
      client.commitPendingProposals(check.bytes('groupId', groupId), check.optionalText('id', id)),
    );
  }

  /** Proposes to leave; another member's commit completes it. */
  leaveGroup(groupId: Uint8Array, id?: string): Promise<OutboxEntry> {
    return this.send((client) =>
      client.leaveGroup(check.bytes('groupId', groupId), check.optionalText('id', id)),
    );
  }

  /** The delivery service has refused this commit: the group goes on without it. Never call it after a time-out. */
  rejectCommit(id: string): Promise<void> {
    return this.change((client) => client.rejectCommit(check.text('id', id)));
  }

  /** Merges the group's pending commit, which the delivery service has ordered. */
  mergePendingCommit(groupId: Uint8Array): Promise<void> {
    return this.advance(
      (client) => client.mergePendingCommit(check.bytes('groupId', groupId)),
      () => groupId,
    );
  }

  /** Drops the group's pending commit. Only after an explicit rejection, never after a time-out. */
  clearPendingCommit(groupId: Uint8Array): Promise<void> {
    return this.change((client) => client.clearPendingCommit(check.bytes('groupId', groupId)));
  }
}
