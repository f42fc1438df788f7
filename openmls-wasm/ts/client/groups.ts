/** Groups: create, join, list, describe, delete (RFC 9420 §11). */

import * as check from '../arguments.js';
import * as checkGroup from '../group-arguments.js';
import { questionOfWelcome } from '../guard.js';
import { KeyPackageMethods } from './key-packages.js';
import { bytesOf, hexOf } from '../hex.js';
import type { GroupInfo, GroupOptions, GroupPage, GroupPageOptions, JoinOptions } from '../mls-types.js';

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

  /** Ids of all groups in this database. For a list of conversations see {@link groupSummaries}. */
  async listGroups(): Promise<Uint8Array[]> {
    const ids: Uint8Array[] = [];
    let after: Uint8Array | undefined;
    do {
      const { groups, next } = await this.groupSummaries({ after, limit: 1000 });
      ids.push(...groups.map((group) => group.groupId));
      after = next;
    } while (after !== undefined);
    return ids;
  }

  /**
   * A part of the list of all groups, with what a list of conversations shows. No group is loaded for it: it costs the same
   * whatever the groups hold. What has just changed is in it, saved or not.
   */
  async groupSummaries(options: GroupPageOptions = {}): Promise<GroupPage> {
    const { after, limit } = checkGroup.groupPage('options', options);
    const from = after === undefined ? undefined : hexOf(after);
    const stored = await this.readStored((database) => database.loadPart('group_summary', from, limit));
    const found = await this.read((client) => client.groupSummaries(stored));
    // Of those in memory, the ones that belong to this part: in the order of the database, which in a vault is another one.
    const keys = found.map(({ groupId }) => hexOf(groupId));
    const last = stored.length < limit ? undefined : stored.at(-1)?.key;
    const bounds = [from, last].filter((key) => key !== undefined);
    const places = await this.readStored((database) => database.placesOf('group_summary', [...keys, ...bounds]));
    const start = from === undefined ? undefined : places[keys.length];
    // A part that is not full is the last, and what is not stored yet belongs to it.
    const end = last === undefined ? undefined : places.at(-1);
    const groups = found
      .map((group, index) => ({ group, place: places[index] ?? '' }))
      .filter(({ place }) => (start === undefined || place > start) && (end === undefined || place <= end))
      .sort((one, other) => (one.place < other.place ? -1 : 1))
      .map(({ group }) => group);
    const next = groups.length > limit ? groups[limit - 1]?.groupId : last === undefined ? undefined : bytesOf(last);
    return { groups: groups.slice(0, limit), next };
  }

  /**
   * Gives a group a name for {@link groupSummaries}: up to 1024 bytes, known to this client only.
   * @throws `group-not-found`
   */
  setGroupName(groupId: Uint8Array, name: Uint8Array): Promise<void> {
    return this.change((client) => client.setGroupName(check.bytes('groupId', groupId), check.bytes('name', name)));
  }

  /** What is known of a group. Does not wait for what is being saved. @throws `group-not-found`, `damaged-group` */
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
