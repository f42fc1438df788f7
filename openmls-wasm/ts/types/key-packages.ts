/** Key packages. */

import type { Credential } from './identity.js';

/**
 * How an own key package stands. `available`: made, and not known to be given out. `given-out`: a Welcome for it may come.
 * `used`: a Welcome has used it; a last-resort one can be used again. `expired`: its lifetime is over.
 */
export type KeyPackageState = 'available' | 'given-out' | 'used' | 'expired';

/** An own key package. */
export interface KeyPackageInfo {
  /** KeyPackageRef (RFC 9420 §5.2). */
  readonly reference: Uint8Array;
  /** Whether it may be used more than once (RFC 9420 §16.8). */
  readonly lastResort: boolean;
  /** The ciphersuite of the groups it is for (RFC 9420 §17.1). */
  readonly ciphersuite: number;
  /** Start of its lifetime, seconds since the Unix epoch. */
  readonly notBefore: bigint;
  /** End of its lifetime, seconds since the Unix epoch. */
  readonly notAfter: bigint;
  /** How it stands. */
  readonly state: KeyPackageState;
  /** Whether its private keys are stored, so that a Welcome for it can be opened. */
  readonly hasPrivateKeys: boolean;
}

/** An extension of a key package or of its leaf (RFC 9420 §13). */
export interface KeyPackageExtension {
  /** The extension type (RFC 9420 §17.3). */
  readonly extensionType: number;
  /** Its `extension_data`. */
  readonly data: Uint8Array;
}

/** What key packages are made with. */
export interface KeyPackageOptions {
  /** How many, 1 to 1000; default 1. */
  readonly count?: number | undefined;
  /** Whether they may be used more than once, when no other is left (RFC 9420 §16.8). Default false. */
  readonly lastResort?: boolean | undefined;
  /** For how many seconds from now others may use them: 1 to twelve weeks, the default. They are valid from an hour ago. */
  readonly lifetime?: number | undefined;
  /** The ciphersuite of the groups they are for, with the signature scheme of the identity's, the default. */
  readonly ciphersuite?: number | undefined;
  /** Extensions of the key package; their types are added to the capabilities. */
  readonly extensions?: readonly KeyPackageExtension[] | undefined;
  /** Extensions of its leaf; their types are added to the capabilities. */
  readonly leafExtensions?: readonly KeyPackageExtension[] | undefined;
  /** What the app supports beside what this package does; default what the client was told. */
  readonly capabilities?: KeyPackageCapabilities | undefined;
}

/** Types of extensions and proposals of the app's own. A group can use one only if every member's leaf lists it. */
export interface KeyPackageCapabilities {
  /** Extension types. */
  readonly extensions?: readonly number[] | undefined;
  /** Proposal types. */
  readonly proposals?: readonly number[] | undefined;
}

/** What a leaf says that its client supports, beside what every client must (RFC 9420 §7.2). */
export interface Capabilities {
  /** Versions of the protocol; 1 is MLS 1.0. */
  readonly versions: readonly number[];
  /** Ciphersuites (RFC 9420 §17.1). */
  readonly ciphersuites: readonly number[];
  /** Extension types (RFC 9420 §17.3). */
  readonly extensions: readonly number[];
  /** Proposal types (RFC 9420 §17.4). */
  readonly proposals: readonly number[];
  /** Credential types (RFC 9420 §17.5): 1 is basic, 2 is X.509. */
  readonly credentials: readonly number[];
}

/** What a key package says. Its signatures are valid; whether its lifetime is, it says itself. */
export interface KeyPackageDetails {
  /** KeyPackageRef (RFC 9420 §5.2). */
  readonly reference: Uint8Array;
  /** The credential of its owner: whether it is true is for the app to decide. */
  readonly credential: Credential;
  /** The public signature key of its owner. */
  readonly signatureKey: Uint8Array;
  /** The only ciphersuite of groups it can be used for (RFC 9420 §17.1). */
  readonly ciphersuite: number;
  /** Start of its lifetime, seconds since the Unix epoch. */
  readonly notBefore: bigint;
  /** End of its lifetime, seconds since the Unix epoch. */
  readonly notAfter: bigint;
  /** How its lifetime stands to the clock of this device. */
  readonly lifetime: 'valid' | 'not-yet-valid' | 'expired';
  /** Whether the lifetime is not longer than twelve weeks and an hour (RFC 9420 §7.2 leaves it to the app to refuse longer ones). */
  readonly hasAcceptableRange: boolean;
  /** Whether it may be used more than once (RFC 9420 §16.8). */
  readonly lastResort: boolean;
  /** What its owner supports. */
  readonly capabilities: Capabilities;
  /** The extensions of the key package. */
  readonly extensions: readonly KeyPackageExtension[];
  /** The extensions of its leaf. */
  readonly leafExtensions: readonly KeyPackageExtension[];
}

/**
 * What `MlsClient` offers for key packages.
 * @internal
 */
export interface KeyPackageApi {
  generateKeyPackages(count: number): Uint8Array[];
  generateLastResortKeyPackage(): Uint8Array;
  generateKeyPackagesWith(options: KeyPackageOptions): Uint8Array[];
  replenishKeyPackages(level: number, options: KeyPackageOptions): Uint8Array[];
  keyPackages(): KeyPackageInfo[];
  /** All or none. @throws `unknown-key-package` */
  markKeyPackagesGivenOut(references: readonly Uint8Array[]): void;
  purgeExpiredKeyPackages(): Uint8Array[];
  inspectKeyPackage(keyPackage: Uint8Array): KeyPackageDetails;
  /** All or none. @throws `invalid-key-package` */
  noteKeyPackagesOfOtherClients(keyPackages: readonly Uint8Array[]): void;
  /** All or none. @throws `unknown-key-package` */
  deleteKeyPackages(references: readonly Uint8Array[]): void;
}
