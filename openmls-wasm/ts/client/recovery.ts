/** Recovery from a fork: members that merged different commits and cannot read each other any more. */

import * as check from '../arguments.js';
import * as checkGroup from '../group-arguments.js';
import { ExternalProposalMethods } from './external-proposals.js';
import type { OutboxEntry, Reboot } from '../mls-types.js';

/**
 * Recovery from a fork: members that merged different commits and cannot read each other any more. Part of
 * `CoreCryptoClient`.
 *
 * A delivery service that orders commits prevents forks. Without one, the app must find out that there is one, who is on
 * which side, and which side is to go on.
 */
export abstract class RecoveryMethods extends ExternalProposalMethods {
  /**
   * Commits the removal of all members but those at `ownPartition`, and the addition of the owners of `keyPackages`:
   * those of the removed that are to come back. They join by the Welcome after {@link abandonFork}.
   * @param ownPartition leaf indexes of the members on this client's side, its own among them
   * @throws `unknown-member`, `cannot-remove-self`, `nothing-to-commit`, `invalid-key-package`, `pending-commit`,
   * `commit-rejected`, `group-inactive`, `group-not-found`, `duplicate-id`
   */
  async recoverForkByReadding(
    groupId: Uint8Array,
    ownPartition: readonly number[],
    keyPackages: readonly Uint8Array[],
    id?: string,
  ): Promise<OutboxEntry> {
    const [group, own, adding, name] = [
      check.bytes('groupId', groupId),
      check.listOfLeafIndexes('ownPartition', ownPartition),
      check.listOfBytes('keyPackages', keyPackages),
      check.optionalText('id', id),
    ];
    return this.sendAdding(group, adding, (client) => client.recoverForkByReadding(group, own, adding, name));
  }

  /**
   * Deletes a group whose fork is not the one that goes on, so that a Welcome can lead back into it; epochs up to
   * `lastCommonEpoch` stay closed for Welcomes, because both sides have been in them.
   * @throws `invalid-argument` for an epoch that the group has not reached; `group-not-found`
   */
  abandonFork(groupId: Uint8Array, lastCommonEpoch: bigint): Promise<void> {
    return this.change((client) =>
      client.abandonFork(check.bytes('groupId', groupId), check.epoch('lastCommonEpoch', lastCommonEpoch)),
    );
  }

  /**
   * Creates a new group in the place of another, with its settings and extensions, and commits the addition of its
   * members. The entry, whose `groupId` is the new one, is the first of the new group's log; the old group stays.
   *
   * Also for what RFC 9420 §11.2 and §11.3 call re-initialization and branching: to bind the new group to the old one,
   * let every member store a secret that it has exported from the old group as external pre-shared key, and name that.
   * @throws `invalid-argument`, `invalid-key-package`, `unsupported-ciphersuite`, `unknown-psk`, `group-exists`,
   * `commit-rejected`, `group-not-found`, `duplicate-id`
   */
  async rebootGroup(groupId: Uint8Array, options: Reboot, id?: string): Promise<OutboxEntry> {
    const [group, how, name] = [
      check.bytes('groupId', groupId),
      checkGroup.reboot('options', options),
      check.optionalText('id', id),
    ];
    return this.sendAdding(group, how.keyPackages, (client) => client.rebootGroup(group, how, name));
  }
}
