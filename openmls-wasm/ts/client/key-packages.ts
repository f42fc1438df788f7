/** Key packages: what others need to add this client to a group (RFC 9420 §10). */

import * as check from '../arguments.js';
import { SnapshotMethods } from './snapshots.js';
import type { KeyPackageDetails, KeyPackageInfo, KeyPackageOptions } from '../mls-types.js';

/** Key packages: what others need to add this client to a group (RFC 9420 §10). Part of `CoreCryptoClient`. */
export abstract class KeyPackageMethods extends SnapshotMethods {
  /** Makes `count` key packages (RFC 9420 §10), each a framed MLSMessage, each to be used once. */
  generateKeyPackages(count: number): Promise<Uint8Array[]> {
    return this.change((client) => client.generateKeyPackages(check.integer('count', count, 0xffffffff)));
  }

  /** Makes a key package that may be used more than once (RFC 9420 §16.8). */
  generateLastResortKeyPackage(): Promise<Uint8Array> {
    return this.change((client) => client.generateLastResortKeyPackage());
  }

  /**
   * Makes key packages (RFC 9420 §10) with a lifetime, ciphersuite, extensions and capabilities of the app's choice.
   * @throws `no-identity`, `unsupported-ciphersuite`, `invalid-argument` for a value out of its range, a ciphersuite of
   * another signature scheme than the identity's, or an extension that does not belong there
   */
  generateKeyPackagesWith(options: KeyPackageOptions): Promise<Uint8Array[]> {
    return this.change((client) => client.generateKeyPackagesWith(check.keyPackageOptions(options)));
  }

  /**
   * Makes as many key packages for one use as are missing to `level`, at most 1000, and returns all that are to be published:
   * every one that was not {@link markKeyPackagesGivenOut | given out}, so that none is lost if the app dies before it has
   * published them. Those given out count until they are used or expire.
   * @throws those of {@link generateKeyPackagesWith}
   */
  replenishKeyPackages(
    level: number,
    options: Omit<KeyPackageOptions, 'count' | 'lastResort'> = {},
  ): Promise<Uint8Array[]> {
    return this.change((client) =>
      client.replenishKeyPackages(check.integer('level', level, 0xffffffff), check.keyPackageOptions(options)),
    );
  }

  /**
   * Notes that key packages, by their references, were given out, for instance that the delivery service has them: all, or
   * none of them. One that was used already stays so.
   * @throws `unknown-key-package`
   */
  markKeyPackagesGivenOut(references: readonly Uint8Array[]): Promise<void> {
    return this.change((client) => client.markKeyPackagesGivenOut(check.listOfBytes('references', references)));
  }

  /**
   * Deletes the private keys of every key package that has expired, and returns the references. Until then a Welcome for one is
   * opened (it may have waited for a device that was off), from now on it is refused with `key-package-expired`: so read the
   * Welcomes first.
   */
  purgeExpiredKeyPackages(): Promise<Uint8Array[]> {
    return this.change((client) => client.purgeExpiredKeyPackages());
  }

  /**
   * Verifies a key package and says what is in it; one that has expired or is not valid yet is described too, but cannot be
   * added to a group (RFC 9420 §10.1).
   * @throws `invalid-key-package`, `invalid-credential`
   */
  inspectKeyPackage(keyPackage: Uint8Array): Promise<KeyPackageDetails> {
    return this.read((client) => client.inspectKeyPackage(check.bytes('keyPackage', keyPackage)));
  }

  /**
   * Notes that other clients of this user made these key packages, at most 1000: a Welcome for one of them is then refused
   * with `key-package-of-other-client` instead of `no-matching-key-package`. All, or none of them.
   * @throws `invalid-key-package`, `invalid-credential`, `invalid-argument`
   */
  noteKeyPackagesOfOtherClients(keyPackages: readonly Uint8Array[]): Promise<void> {
    return this.change((client) =>
      client.noteKeyPackagesOfOtherClients(check.listOfBytes('keyPackages', keyPackages)),
    );
  }

  /**
   * The own key packages: those whose private keys are stored, and, until four weeks after they have expired, those that were
   * used or purged.
   */
  keyPackages(): Promise<KeyPackageInfo[]> {
    return this.change((client) => client.keyPackages());
  }

  /**
   * Deletes key packages, by their references, with their private keys: all, or none of them. For those that were never
   * published or were replaced; a Welcome for one of them cannot be opened any more.
   * @throws `unknown-key-package`
   */
  deleteKeyPackages(references: readonly Uint8Array[]): Promise<void> {
    return this.change((client) => client.deleteKeyPackages(check.listOfBytes('references', references)));
  }
}
