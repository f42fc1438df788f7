/** Key packages: what others need to add this client to a group (RFC 9420 §10). */

import * as check from '../arguments.js';
import { IdentityMethods } from './identity.js';
import type { KeyPackageInfo } from '../mls-types.js';

/** Key packages: what others need to add this client to a group (RFC 9420 §10). Part of `CoreCryptoClient`. */
export abstract class KeyPackageMethods extends IdentityMethods {
  /** Makes `count` key packages (RFC 9420 §10), each a framed MLSMessage, each to be used once. */
  generateKeyPackages(count: number): Promise<Uint8Array[]> {
    return this.change((client) => client.generateKeyPackages(check.integer('count', count, 0xffffffff)));
  }

  /** Makes a key package that may be used more than once (RFC 9420 §16.8). */
  generateLastResortKeyPackage(): Promise<Uint8Array> {
    return this.change((client) => client.generateLastResortKeyPackage());
  }

  /** The key packages whose private keys this client still holds. */
  keyPackages(): Promise<KeyPackageInfo[]> {
    return this.change((client) => client.keyPackages());
  }

  /**
   * Deletes key packages, by their references, with their private keys: all, or none of them. For those that were never
   * published, have expired or were replaced; a Welcome for one of them cannot be opened any more.
   * @throws `unknown-key-package`
   */
  deleteKeyPackages(references: readonly Uint8Array[]): Promise<void> {
    return this.change((client) => client.deleteKeyPackages(check.listOfBytes('references', references)));
  }
}
