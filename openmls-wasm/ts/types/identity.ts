/** Identity and members. */

/** The client's own identity: what its credential and leaf nodes say (RFC 9420 §5.3). */
export interface Identity {
  /** The identity of the basic credential, as given to `createIdentity`. */
  readonly identity: Uint8Array;
  /** The public signature key, in the encoding of the ciphersuite. */
  readonly signaturePublicKey: Uint8Array;
  /** RFC 9420 §17.1, e.g. 1 for MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519. */
  readonly ciphersuite: number;
}

/** A member of a group, or a client that was added or removed. */
export interface MemberIdentity {
  /** The identity of the basic credential. */
  readonly identity: Uint8Array;
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
  identity(): Identity | undefined;
  signWithLabel(label: string, content: Uint8Array): Uint8Array;
}
