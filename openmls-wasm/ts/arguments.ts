/**
 * Checks of what an app passes in.
 *
 * The generated glue would turn a wrong type into an exception of its own, which cannot be told from a panic; so each
 * argument is looked at before wasm is called.
 */

import { CoreCryptoError } from './errors.js';
import type {
  Credential,
  Identity,
  IncomingMessage,
  IncomingWelcome,
  KeyPackageExtension,
  KeyPackageOptions,
} from './mls-types.js';

// @throws CoreCryptoError `invalid-argument` unless `value` is a Uint8Array
export function bytes(name: string, value: Uint8Array): Uint8Array {
  // By its tag, so that an array made in another realm (an iframe) passes.
  if (Object.prototype.toString.call(value) !== '[object Uint8Array]') {
    throw invalid(name, 'a Uint8Array');
  }
  return value;
}

// @throws CoreCryptoError `invalid-argument` unless `values` is an array of Uint8Array
export function listOfBytes(name: string, values: readonly Uint8Array[]): readonly Uint8Array[] {
  if (!Array.isArray(values)) {
    throw invalid(name, 'an array of Uint8Array');
  }
  values.forEach((value: Uint8Array, index) => bytes(`${name}[${index}]`, value));
  return values;
}

// As {@link bytes}; undefined passes.
export function optionalBytes(name: string, value: Uint8Array | undefined): Uint8Array | undefined {
  return value === undefined ? undefined : bytes(name, value);
}

// @throws CoreCryptoError `invalid-argument` unless `value` is an object
export function object(name: string, value: object): void {
  if (typeof value !== 'object' || value === null) {
    throw invalid(name, 'an object');
  }
}

// @throws CoreCryptoError `invalid-argument` unless `value` is a string
export function text(name: string, value: string): string {
  if (typeof value !== 'string') {
    throw invalid(name, 'a string');
  }
  return value;
}

// @throws CoreCryptoError `invalid-argument` unless `value` is a string or undefined
export function optionalText(name: string, value: string | undefined): string | undefined {
  return value === undefined ? undefined : text(name, value);
}

// @throws CoreCryptoError `invalid-argument` unless `values` is an array of strings
export function listOfText(name: string, values: readonly string[]): readonly string[] {
  if (!Array.isArray(values)) {
    throw invalid(name, 'an array of strings');
  }
  values.forEach((value: string, index) => text(`${name}[${index}]`, value));
  return values;
}

// @throws CoreCryptoError `invalid-argument` unless `value` is a boolean
export function flag(name: string, value: boolean): boolean {
  if (typeof value !== 'boolean') {
    throw invalid(name, 'a boolean');
  }
  return value;
}

// @throws CoreCryptoError `invalid-argument` unless `value` is a whole number from 0 to `max`
export function integer(name: string, value: number, max: number = Number.MAX_SAFE_INTEGER): number {
  if (!Number.isInteger(value) || value < 0 || value > max) {
    throw invalid(name, `a whole number from 0 to ${max}`);
  }
  return value;
}

// As {@link integer}; undefined passes.
export function optionalInteger(name: string, value: number | undefined, max?: number): number | undefined {
  return value === undefined ? undefined : integer(name, value, max);
}

// Leaf indexes are 32 bits (RFC 9420 §7.7).
export function listOfLeafIndexes(name: string, values: readonly number[]): readonly number[] {
  if (!Array.isArray(values)) {
    throw invalid(name, 'an array of leaf indexes');
  }
  values.forEach((value: number, index) => integer(`${name}[${index}]`, value, 0xffffffff));
  return values;
}

// @throws CoreCryptoError `invalid-argument` unless `value` is a bigint of 64 bits or undefined (RFC 9420 §12.1)
export function optionalEpoch(name: string, value: bigint | undefined): bigint | undefined {
  if (value !== undefined && (typeof value !== 'bigint' || BigInt.asUintN(64, value) !== value)) {
    throw invalid(name, 'a bigint from 0 to 2n ** 64n - 1n');
  }
  return value;
}

// A plain copy of a message from the delivery service, without properties that are undefined.
export function incomingMessage(message: IncomingMessage): IncomingMessage {
  if (typeof message !== 'object' || message === null) {
    throw invalid('message', 'an object { bytes, id?, position? }');
  }
  const id = optionalText('id', message.id);
  const position = optionalInteger('position', message.position);
  const inspectedEpoch = optionalEpoch('inspectedEpoch', message.inspectedEpoch);
  return {
    bytes: bytes('bytes', message.bytes),
    ...(id === undefined ? {} : { id }),
    ...(position === undefined ? {} : { position }),
    ...(inspectedEpoch === undefined ? {} : { inspectedEpoch }),
  };
}

// As {@link incomingMessage}, for a Welcome.
export function incomingWelcome(welcome: IncomingWelcome): IncomingWelcome {
  const message = incomingMessage(welcome);
  const groupPosition = optionalInteger('groupPosition', welcome.groupPosition);
  const { ratchetTree } = welcome;
  return {
    ...message,
    ...(groupPosition === undefined ? {} : { groupPosition }),
    ...(ratchetTree === undefined ? {} : { ratchetTree: bytes('ratchetTree', ratchetTree) }),
  };
}

// A plain copy of a credential.
export function credential(name: string, value: Credential): Credential {
  if (typeof value === 'object' && value !== null && value.kind === 'basic') {
    return { kind: 'basic', identity: bytes(`${name}.identity`, value.identity) };
  }
  if (typeof value === 'object' && value !== null && value.kind === 'x509') {
    return { kind: 'x509', certificates: listOfBytes(`${name}.certificates`, value.certificates) };
  }
  throw invalid(name, "{ kind: 'basic', identity } or { kind: 'x509', certificates }");
}

// A plain copy of an identity.
export function identity(name: string, value: Identity): Identity {
  if (typeof value !== 'object' || value === null) {
    throw invalid(name, 'an object { identity, certificates, signaturePublicKey, ciphersuite }');
  }
  return {
    identity: bytes(`${name}.identity`, value.identity),
    certificates: listOfBytes(`${name}.certificates`, value.certificates),
    signaturePublicKey: bytes(`${name}.signaturePublicKey`, value.signaturePublicKey),
    ciphersuite: integer(`${name}.ciphersuite`, value.ciphersuite, 0xffff),
  };
}

// A plain copy of what key packages are made with, without properties that are undefined.
export function keyPackageOptions(options: KeyPackageOptions): KeyPackageOptions {
  if (typeof options !== 'object' || options === null) {
    throw invalid('options', 'an object');
  }
  const { count, lastResort, lifetime, ciphersuite, capabilities } = options;
  return {
    ...(count === undefined ? {} : { count: integer('count', count, 0xffffffff) }),
    ...(lastResort === undefined ? {} : { lastResort: flag('lastResort', lastResort) }),
    ...(lifetime === undefined ? {} : { lifetime: integer('lifetime', lifetime) }),
    ...(ciphersuite === undefined ? {} : { ciphersuite: integer('ciphersuite', ciphersuite, 0xffff) }),
    extensions: keyPackageExtensions('extensions', options.extensions ?? []),
    leafExtensions: keyPackageExtensions('leafExtensions', options.leafExtensions ?? []),
    ...(capabilities === undefined
      ? {}
      : {
          capabilities: {
            extensions: listOfTypes('capabilities.extensions', capabilities.extensions ?? []),
            proposals: listOfTypes('capabilities.proposals', capabilities.proposals ?? []),
          },
        }),
  };
}

function keyPackageExtensions(name: string, values: readonly KeyPackageExtension[]): KeyPackageExtension[] {
  if (!Array.isArray(values)) {
    throw invalid(name, 'an array of { extensionType, data }');
  }
  return values.map((value: KeyPackageExtension, index) => {
    if (typeof value !== 'object' || value === null) {
      throw invalid(`${name}[${index}]`, 'an object { extensionType, data }');
    }
    return {
      extensionType: integer(`${name}[${index}].extensionType`, value.extensionType, 0xffff),
      data: bytes(`${name}[${index}].data`, value.data),
    };
  });
}

// Types of extensions, proposals and credentials are 16 bits (RFC 9420 §17).
export function listOfTypes(name: string, values: readonly number[]): readonly number[] {
  if (!Array.isArray(values)) {
    throw invalid(name, 'an array of whole numbers');
  }
  values.forEach((value: number, index) => integer(`${name}[${index}]`, value, 0xffff));
  return values;
}

// @throws CoreCryptoError `invalid-argument` unless `value` is a bigint of 64 bits (RFC 9420 §12.1)
export function epoch(name: string, value: bigint): bigint {
  if (typeof value !== 'bigint' || value < 0n || value > 0xffff_ffff_ffff_ffffn) {
    throw invalid(name, 'a bigint of 64 bits');
  }
  return value;
}

// What is thrown for an argument of the wrong type.
export function invalid(name: string, expected: string): CoreCryptoError {
  return new CoreCryptoError('invalid-argument', `${name} must be ${expected}; nothing was done`);
}
