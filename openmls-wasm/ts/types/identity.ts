/** Identity and members. */

/** The client's own identity: what its credential and leaf nodes say (RFC 9420 §5.3). */
export interface Identity {
  /** The identity of the basic credential, as given to `createIdentity`; empty for an X.509 credential. */
  readonly identity: Uint8Array;
  /** The chain of the X.509 credential, its own certificate first, each DER; empty for a basic credential. */
  readonly certificates: readonly Uint8Array[];
  /** The public signature key, in the encoding of the ciphersuite. */
  readonly signaturePublicKey: Uint8Array;
  /** RFC 9420 §17.1, e.g. 1 for MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519. */
  readonly ciphersuite: number;
}

/** A basic credential: opaque bytes that the app chooses (RFC 9420 §5.3). */
export interface BasicCredential {
  /** A basic credential. */
  readonly kind: 'basic';
  /** The identity. */
  readonly identity: Uint8Array;
}

/** An X.509 credential (RFC 9420 §5.3). */
export interface X509Credential {
  /** A certificate chain. */
  readonly kind: 'x509';
  /** The certificates, each DER, that of the client itself first; those that the others know may be left out. */
  readonly certificates: readonly Uint8Array[];
}

/** A credential (RFC 9420 §5.3): what a leaf says about its owner. Whether it is true is for the app to decide. */
export type Credential = BasicCredential | X509Credential;

/** A member of a group, or a client that was added or removed. */
export interface MemberIdentity {
  /** The identity of the basic credential; empty for an X.509 credential. */
  readonly identity: Uint8Array;
  /**
   * The chain of the X.509 credential, its own certificate first, each DER; empty for a basic credential. Both are empty
   * for a credential that cannot be read, or whose certificate is for another key than `signatureKey`: never take such a
   * member for somebody.
   */
  readonly certificates: readonly Uint8Array[];
  /** The public signature key. */
  readonly signatureKey: Uint8Array;
}

/** A member at its leaf of the ratchet tree (RFC 9420 §7). */
export interface Member extends MemberIdentity {
  /** The place in the ratchet tree. */
  readonly leafIndex: number;
}

/**
 * What `MlsClient` offers for the identity.
 * @internal
 */
export interface IdentityApi {
  createIdentity(identity: Uint8Array, ciphersuite?: number): Identity;
  createIdentityWith(credential: Credential, ciphersuite?: number): Identity;
  restoreIdentity(identity: Identity, signaturePrivateKey: Uint8Array): void;
  identity(): Identity | undefined;
  supportedCiphersuites(): Uint16Array;
  generateSignatureKey(ciphersuite?: number): Uint8Array;
  signCertificationRequest(info: Uint8Array): Uint8Array;
  exportSignaturePrivateKey(): Uint8Array;
  fingerprint(groupId: Uint8Array, leafIndex: number): string;
  safetyNumber(groupId: Uint8Array, leafIndex: number): string;
  signWithLabel(label: string, content: Uint8Array): Uint8Array;
}
