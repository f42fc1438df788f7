/** The vault of an open client: lock it, unlock it, and the ways to unlock it. */

import * as check from '../arguments.js';
import { publicView, type VaultUnlockInfo } from '../vault/info.js';
import { checkUnlock, type VaultUnlock } from '../vault/unlock.js';
import { IdentityMethods } from './identity.js';

/** Part of `CoreCryptoClient`. */
export abstract class VaultMethods extends IdentityMethods {
  /**
   * Forgets the keys and all that is in memory. What is under way is waited for, as `close` does; then calls reject with
   * `vault-locked`, but for `receiveMessage` and `receiveWelcome`: they go through the durable queue, which is processed when
   * {@link unlock} has succeeded. Does nothing if it is locked already.
   * @throws CoreCryptoError `not-sealed`
   */
  lock(): Promise<void> {
    return this.lockSession();
  }

  /**
   * Opens a client anew that {@link lock} has locked. If it fails the client stays locked.
   * @throws CoreCryptoError `unlock-failed`, `not-sealed`, and those of `CoreCryptoClient.open`
   */
  unlock(unlock: VaultUnlock): Promise<void> {
    return this.unlockSession(checkUnlock('unlock', unlock));
  }

  /** The ways to unlock the vault. @throws CoreCryptoError `not-sealed` */
  vaultUnlocks(): Promise<VaultUnlockInfo[]> {
    return this.withVault(async (vault) => vault.header.unlocks.map(publicView));
  }

  /**
   * Adds a way to unlock the vault.
   * @param current one there is: nothing that is in memory can export the vault key
   * @throws CoreCryptoError `unlock-failed`, `not-sealed`, `key-storage-unavailable`
   */
  addVaultUnlock(current: VaultUnlock, added: VaultUnlock): Promise<VaultUnlockInfo[]> {
    const [checked, add] = [checkUnlock('current', current), checkUnlock('added', added)];
    return this.withVault(async (vault) => (await vault.changeHeader(checked, { add })).unlocks.map(publicView));
  }

  /**
   * Puts another way to unlock in the place of one, such as another passphrase. No record is rewritten.
   * @throws CoreCryptoError `unlock-failed`, `not-sealed`, `key-storage-unavailable`
   */
  changeVaultUnlock(current: VaultUnlock, next: VaultUnlock): Promise<VaultUnlockInfo[]> {
    const [checked, add] = [checkUnlock('current', current), checkUnlock('next', next)];
    return this.withVault(async (vault) => {
      const header = await vault.changeHeader(checked, { add, remove: 'current' });
      return header.unlocks.map(publicView);
    });
  }

  /**
   * Removes a way to unlock the vault.
   * @param id from {@link vaultUnlocks}
   * @throws CoreCryptoError `unlock-failed`, `not-sealed`; `invalid-argument` for the last one, and for one there is not
   */
  removeVaultUnlock(current: VaultUnlock, id: string): Promise<VaultUnlockInfo[]> {
    const [checked, remove] = [checkUnlock('current', current), check.text('id', id)];
    return this.withVault(async (vault) => (await vault.changeHeader(checked, { remove })).unlocks.map(publicView));
  }

  /**
   * Encrypts bytes that the app keeps in a database of its own, such as its history: they open with this vault only, at this
   * place only. 49 bytes longer than `value`. Stays openable when the data key is rotated; not when the database is unsealed:
   * open it before.
   * @param place where the app keeps it, such as the name of the store and the key
   * @throws CoreCryptoError `not-sealed`
   */
  sealAppData(place: string, value: Uint8Array): Promise<Uint8Array> {
    const [name, bytes] = [check.text('place', place), check.bytes('value', value)];
    return this.withVault((vault) => vault.sealAppData(name, bytes));
  }

  /**
   * Opens what {@link sealAppData} has made for the same place.
   * @throws CoreCryptoError `damaged-record`, `not-sealed`
   */
  openAppData(place: string, sealed: Uint8Array): Promise<Uint8Array> {
    const [name, bytes] = [check.text('place', place), check.bytes('sealed', sealed)];
    return this.withVault((vault) => vault.openAppData(name, bytes));
  }
}
