/** Who this client is (RFC 9420 §5). */

import * as check from '../arguments.js';
import { ClientBase } from './base.js';
import type { Credential, Identity } from '../mls-types.js';

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

  /**
   * Creates the identity with any credential (RFC 9420 §5.3). An X.509 chain is made for a key that is there already:
   * {@link generateSignatureKey}, then the certificate authority, then this. A basic credential gets a generated key too, if
   * there is one that fits, or else a new one.
   * @param ciphersuite RFC 9420 §17.1, default 1
   * @throws `identity-exists`, `unsupported-ciphersuite`, `invalid-credential` for a chain that does not parse or is for
   * another key
   */
  createIdentityWith(credential: Credential, ciphersuite?: number): Promise<Identity> {
    return this.change((client) =>
      client.createIdentityWith(
        check.credential('credential', credential),
        check.optionalInteger('ciphersuite', ciphersuite, 0xffff),
      ),
    );
  }

  /**
   * Takes over an identity that was created elsewhere, for instance from a backup, with its private signature key.
   * @throws `identity-exists`, `unsupported-ciphersuite`, `invalid-credential`, `invalid-argument` if the keys do not belong
   * together
   */
  restoreIdentity(identity: Identity, signaturePrivateKey: Uint8Array): Promise<void> {
    return this.change((client) =>
      client.restoreIdentity(check.identity('identity', identity), check.bytes('signaturePrivateKey', signaturePrivateKey)),
    );
  }

  /** The numbers of the ciphersuites (RFC 9420 §17.1) that this build implements. */
  async supportedCiphersuites(): Promise<number[]> {
    return Array.from(await this.read((client) => client.supportedCiphersuites()));
  }

  /**
   * Generates a signature key pair for a credential that is made later, and returns the public key. One that was generated
   * before and not used is deleted.
   * @param ciphersuite the one whose signature scheme it is for, default 1
   * @throws `unsupported-ciphersuite`
   */
  generateSignatureKey(ciphersuite?: number): Promise<Uint8Array> {
    return this.change((client) =>
      client.generateSignatureKey(check.optionalInteger('ciphersuite', ciphersuite, 0xffff)),
    );
  }

  /**
   * Signs a CertificationRequestInfo (RFC 2986 §4.1, DER) with the generated key or that of the identity, whichever it
   * names; returns the content of the request's signature field.
   * @throws `invalid-argument` for anything else
   */
  signCertificationRequest(info: Uint8Array): Promise<Uint8Array> {
    return this.change((client) => client.signCertificationRequest(check.bytes('info', info)));
  }

  /**
   * The private signature key, for a backup: whoever has it can pose as this client. {@link restoreIdentity} takes it back.
   * @throws `no-identity`
   */
  exportSignaturePrivateKey(): Promise<Uint8Array> {
    return this.change((client) => client.exportSignaturePrivateKey());
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

  /**
   * The fingerprint of a member: 30 decimal digits over its credential and its public signature key, the same in every
   * group. It changes when one of them does.
   * @throws `unknown-member`, `group-not-found`
   */
  fingerprint(groupId: Uint8Array, leafIndex: number): Promise<string> {
    return this.read((client) =>
      client.fingerprint(check.bytes('groupId', groupId), check.integer('leafIndex', leafIndex, 0xffffffff)),
    );
  }

  /**
   * The safety number of this client and a member: 60 decimal digits, their two fingerprints, the smaller one first. Both see
   * the same; if they do not, somebody is between them (RFC 9420 §16.10 leaves finding that out to the app).
   * @throws `unknown-member`, `group-not-found`, `invalid-argument` for the own leaf
   */
  safetyNumber(groupId: Uint8Array, leafIndex: number): Promise<string> {
    return this.read((client) =>
      client.safetyNumber(check.bytes('groupId', groupId), check.integer('leafIndex', leafIndex, 0xffffffff)),
    );
  }
}
