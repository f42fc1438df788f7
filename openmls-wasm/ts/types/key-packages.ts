/** Key packages. */

/** A key package of this client that is still unused. */
export interface KeyPackageInfo {
  /** KeyPackageRef (RFC 9420 §5.2). */
  readonly reference: Uint8Array;
  /** Whether it may be used more than once (RFC 9420 §16.8). */
  readonly lastResort: boolean;
  /** Seconds since the Unix epoch. */
  readonly notBefore: bigint;
  /** Seconds since the Unix epoch. */
  readonly notAfter: bigint;
}

/**
 * What `MlsClient` offers for key packages.
 * @internal
 */
export interface KeyPackageApi {
  generateKeyPackages(count: number): Uint8Array[];
  generateLastResortKeyPackage(): Uint8Array;
  keyPackages(): KeyPackageInfo[];
  /** All or none. @throws `unknown-key-package` */
  deleteKeyPackages(references: readonly Uint8Array[]): void;
}
