/** Groups: create, join, list, describe, delete (RFC 9420 §11). */

import * as check from '../arguments.js';
import * as checkGroup from '../group-arguments.js';
import { questionOfWelcome } from '../guard.js';
import { KeyPackageMethods } from './key-packages.js';
import type { GroupInfo, GroupOptions, JoinOptions } from '../mls-types.js';

/** Groups: create, join, list, describe, delete (RFC 9420 §11). Part of `CoreCryptoClient`. */
export abstract class GroupMethods extends KeyPackageMethods {
  /**
   * Creates a group with this client as its member (RFC 9420 §11); returns the group id. Default: a random id.
   * @throws `no-identity`, `group-exists`, `unsupported-ciphersuite`, `invalid-credential`
   */
  createGroup(groupId?: Uint8Array, options: GroupOptions = {}): Promise<Uint8Array> {
    return this.change((client) =>
      client.createGroup(check.optionalBytes('groupId', groupId), checkGroup.groupOptions('options', options)),
    );
  }

  /** Ids of the groups in this database. In memory: does not wait for the database. */
  listGroups(): Promise<Uint8Array[]> {
    return this.read((client) => client.listGroups());
  }

  /** What is known of a group. In memory: does not wait for the database. @throws `group-not-found` */
  groupInfo(groupId: Uint8Array): Promise<GroupInfo> {
    return this.read((client) => client.groupInfo(check.bytes('groupId', groupId)));
  }

  /** Deletes all of a group from this device. The other members do not learn of it: leave first. */
  deleteGroup(groupId: Uint8Array): Promise<void> {
    return this.change((client) => client.deleteGroup(check.bytes('groupId', groupId)));
  }

  /**
   * Joins by a framed Welcome (RFC 9420 §12.4.3.1); returns the group id. For chats use {@link receiveWelcome}.
   * @throws `ratchet-tree-missing`, `group-exists`, `stale-welcome`; `credential-rejected` by `validateCredential`
   */
  async joinGroup(welcome: Uint8Array, options: JoinOptions = {}): Promise<Uint8Array> {
    const message = check.bytes('welcome', welcome);
    const checked = checkGroup.joinOptions('options', options);
    return this.guarded(() => this.laneOfWelcome(message, checked.ratchetTree), {
      inspect: (client) => questionOfWelcome(client, message, checked.ratchetTree),
      inspectable: true,
      accept: (client) => client.joinGroup(message, checked),
    });
  }
}
