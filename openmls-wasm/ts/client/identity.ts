/** Who this client is (RFC 9420 §5). */

import * as check from '../arguments.js';
import { ClientBase } from './base.js';
import type { Identity } from '../mls-types.js';

/** Who this client is (RFC 9420 §5). Part of `CoreCryptoClient`. */
export abstract class IdentityMethods extends ClientBase {
  /**
   * Creates the identity: a signature key pair and a basic credential (RFC 9420 §5.3).
   * @param ciphersuite RFC 9420 §17.1, default 1
   * @throws `identity-exists`
   */
  createIdentity(identity: Uint8Array, ciphersuite?: number): Promise<Identity> {
    return this.change((client) =>
      client.createIdentity(
        check.bytes('identity', identity),
        check.optionalInteger('ciphersuite', ciphersuite, 0xffff),
      ),
    );
  }

  /** The identity, or undefined if none was created yet. */
  identity(): Promise<Identity | undefined> {
    return this.change((client) => client.identity());
  }

  /** Signs as RFC 9420 §5.1.2 does, with the label `"MLS 1.0 " + label`: what proves possession of the signature key. */
  signWithLabel(label: string, content: Uint8Array): Promise<Uint8Array> {
    return this.change((client) =>
      client.signWithLabel(check.text('label', label), check.bytes('content', content)),
    );
  }
}
