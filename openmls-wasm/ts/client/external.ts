/** Group infos, ratchet trees, exported secrets, and joining by oneself (RFC 9420 §8.5, §12.4.3). */

import * as check from '../arguments.js';
import * as checkGroup from '../group-arguments.js';
import { laneOfGroup } from '../lanes.js';
import { CommitMethods } from './commits.js';
import type { ExternalJoin, ExternalJoinInfo, GroupInfoDetails, OutboxEntry } from '../mls-types.js';

/** Group infos, ratchet trees, exported secrets, and joining by oneself (RFC 9420 §8.5, §12.4.3). Part of `CoreCryptoClient`. */
export abstract class ExternalMethods extends CommitMethods {
  /**
   * Exports a signed group info of the present epoch, by which others can join (RFC 9420 §12.4.3); of no use any more
   * as soon as the group moves on.
   * @param withRatchetTree default true; without it, those who join need {@link exportRatchetTree} too
   * @throws `group-not-found`, `group-inactive`
   */
  exportGroupInfo(groupId: Uint8Array, withRatchetTree: boolean = true): Promise<Uint8Array> {
    return this.change((client) =>
      client.exportGroupInfo(check.bytes('groupId', groupId), check.flag('withRatchetTree', withRatchetTree)),
    );
  }

  /** Exports the ratchet tree of the present epoch (RFC 9420 §12.4.3.3). @throws `group-not-found`, `group-inactive` */
  exportRatchetTree(groupId: Uint8Array): Promise<Uint8Array> {
    return this.change((client) => client.exportRatchetTree(check.bytes('groupId', groupId)));
  }

  /** Reads a group info without joining by it; nothing of it is verified. @throws `malformed-message`, `wrong-kind` */
  inspectGroupInfo(groupInfo: Uint8Array): Promise<GroupInfoDetails> {
    return this.read((client) => client.inspectGroupInfo(check.bytes('groupInfo', groupInfo)));
  }

  /**
   * Makes the commit by which this client joins the group of `groupInfo`, or joins it anew in the place of its old leaf
   * (RFC 9420 §12.4.3.2); upload its `bytes`.
   *
   * Nothing of the group is stored, and a group that is there stays as it is, until the commit comes back by
   * {@link receiveMessage}; {@link rejectCommit} ends it if the delivery service has refused it. What the log holds before
   * the commit is passed over unless the group that is stored can read it.
   * @throws `no-identity`, `malformed-message`, `wrong-kind`, `ratchet-tree-missing`, `invalid-group-info`,
   * `invalid-message`, `unsupported-ciphersuite`, `unknown-psk`, `pending-commit`, `commit-rejected`, `duplicate-id`;
   * `credential-rejected` by `validateCredential`
   */
  async joinByExternalCommit(groupInfo: Uint8Array, options: ExternalJoin = {}, id?: string): Promise<OutboxEntry> {
    const [info, how, name] = [
      check.bytes('groupInfo', groupInfo),
      checkGroup.externalJoin('options', options),
      check.optionalText('id', id),
    ];
    const lane = (): Promise<string> => this.read((client) => laneOfGroup(client.inspectGroupInfo(info).groupId));
    return this.sendGuarded(lane, {
      inspect: (client) => {
        const { groupId, epoch, credentials } = client.inspectExternalJoin(info, how);
        return { context: { groupId, epoch }, credentials };
      },
      inspectable: true,
      accept: (client) => client.joinByExternalCommit(info, how, name),
    });
  }

  /**
   * What the group of `groupInfo` would be if this client joined it now: everything is verified as for joining, and
   * nothing changes.
   * @throws those of {@link joinByExternalCommit}
   */
  inspectExternalJoin(groupInfo: Uint8Array, options: ExternalJoin = {}): Promise<ExternalJoinInfo> {
    return this.read((client) =>
      client.inspectExternalJoin(check.bytes('groupInfo', groupInfo), checkGroup.externalJoin('options', options)),
    );
  }

  /**
   * The delivery service has accepted this external commit: for one that has no log. Returns the group id.
   * @throws `unknown-outbox-entry`; `wrong-kind` for an entry that is no external commit
   */
  acceptExternalJoin(id: string): Promise<Uint8Array> {
    return this.advance(
      (client) => client.acceptExternalJoin(check.text('id', id)),
      (groupId) => groupId,
    );
  }

  /**
   * Derives a secret from the present epoch: equal for all its members, unequal for every other label, context and epoch
   * (RFC 9420 §8.5).
   * @param length in bytes, from 1 to 255 hashes of the ciphersuite (8160 for SHA-256)
   * @throws `invalid-argument`, `group-not-found`, `group-inactive`
   */
  exportSecret(groupId: Uint8Array, label: string, context: Uint8Array, length: number): Promise<Uint8Array> {
    return this.change((client) =>
      client.exportSecret(
        check.bytes('groupId', groupId),
        check.text('label', label),
        check.bytes('context', context),
        check.integer('length', length, 0xffffffff),
      ),
    );
  }

  /**
   * Derives the secret of an application component from the present epoch, once: the epoch does not contain it any more
   * (safe exporter of the MLS extensions draft).
   * @throws `secret-consumed`, `group-not-found`, `group-inactive`
   */
  safeExportSecret(groupId: Uint8Array, componentId: number): Promise<Uint8Array> {
    return this.change((client) =>
      client.safeExportSecret(check.bytes('groupId', groupId), check.integer('componentId', componentId, 0xffff)),
    );
  }

  /**
   * Derives the secret of an application component from the epoch that the pending commit leads to, once.
   * @throws `no-pending-commit`, `secret-consumed`, `group-not-found`
   */
  safeExportPendingSecret(groupId: Uint8Array, componentId: number): Promise<Uint8Array> {
    return this.change((client) =>
      client.safeExportPendingSecret(check.bytes('groupId', groupId), check.integer('componentId', componentId, 0xffff)),
    );
  }
}
