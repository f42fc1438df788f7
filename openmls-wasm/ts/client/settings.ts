/** The settings of groups: how they treat their messages on this client. */

import * as check from '../arguments.js';
import * as checkGroup from '../group-arguments.js';
import { DamageMethods } from './damage.js';
import type { GroupSettings, PastEpochSecrets } from '../mls-types.js';

/** The settings of groups: how they treat their messages on this client. Part of `CoreCryptoClient`. */
export abstract class SettingsMethods extends DamageMethods {
  /**
   * Gives a group other settings; begin with those of {@link groupInfo}. Fewer past epochs are the latest of those that
   * were kept. The number of resumption PSKs stays what it was when the group was joined.
   * @throws `group-not-found`, `invalid-argument`
   */
  configureGroup(groupId: Uint8Array, settings: GroupSettings): Promise<void> {
    return this.change((client) =>
      client.configureGroup(check.bytes('groupId', groupId), checkGroup.settings('settings', settings)),
    );
  }

  /** Deletes secrets of past epochs: messages of those can then not be read any more. @throws `group-not-found` */
  deletePastEpochSecrets(groupId: Uint8Array, which: PastEpochSecrets = {}): Promise<void> {
    return this.change((client) =>
      client.deletePastEpochSecrets(check.bytes('groupId', groupId), checkGroup.pastEpochSecrets('which', which)),
    );
  }
}
