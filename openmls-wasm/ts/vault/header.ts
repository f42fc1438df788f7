/**
 * What a sealed database says of itself in the clear: the ways to unlock it, and its keys, wrapped.
 *
 * One record of the store `meta`. Three levels of keys: each way to unlock wraps the *vault key*; the vault key wraps the
 * *data keys*; a data key seals records. So a way to unlock is added, removed or changed without rewriting a record, and the
 * data key is rotated without asking for every passphrase and passkey there is.
 *
 * The header is authenticated by the vault key. Otherwise whoever can write to the profile folder could have the next unlock
 * turn the database into one in the clear.
 */

import { CoreCryptoError } from '../errors.js';

/** What is done to the records: `sealed`: nothing. Anything else goes on when the database is opened. */
export type VaultState = 'sealed' | 'sealing' | 'unsealing' | 'rotating';

/** How far a conversion is. */
export interface VaultProgress {
  /** What is done. */
  readonly state: 'sealing' | 'unsealing' | 'rotating';
  /** Records seen so far. */
  readonly records: number;
  /** Records that do not open: they are left as they are. */
  readonly damaged: number;
  /** Object stores that are done. */
  readonly storesDone: number;
  /** How many object stores there are. */
  readonly stores: number;
}

/**
 * How many ways to unlock there may be: each passphrase among them is tried, and costs what it says.
 * @internal
 */
export const MOST_UNLOCKS = 16;

/**
 * The version of the header that this version of the package writes.
 * @internal
 */
export const HEADER_VERSION = 1;

/** See the module's documentation. Byte arrays are of the database: not to be changed. */
export interface VaultHeader {
  /** The version of the layout. */
  readonly version: number;
  /** Random, 16 bytes: what is wrapped for one vault does not open in another. */
  readonly id: Uint8Array;
  /** What is done to the records. */
  readonly state: VaultState;
  /** The ways to unlock it, at least one. */
  readonly unlocks: readonly StoredUnlock[];
  /** The data keys, wrapped: one; while the key is rotated two, the older one first. */
  readonly dataKeys: readonly StoredDataKey[];
  /** What messages are sealed for that arrive while the vault is locked; see `intake.ts`. */
  readonly intake: StoredIntake;
  /** HMAC-SHA-256 of all of the above. */
  readonly mac: Uint8Array;
}

/** A way to unlock, as it is stored. */
export interface StoredUnlock {
  /** Random, 16 bytes in hex. */
  readonly id: string;
  /** How the key is had that opens `wrapped`. */
  readonly kind: 'device' | 'passphrase' | 'key' | 'passkey';
  /** When it was added, in milliseconds since 1970. */
  readonly createdAt: number;
  /** Random, 16 bytes. */
  readonly salt: Uint8Array;
  /** The vault key, AES-256-GCM: 12 bytes of nonce, then the ciphertext. */
  readonly wrapped: Uint8Array;
  /** `passphrase`: the parameters of Argon2id. */
  readonly argon2?: Argon2Parameters;
  /** `passkey`: the WebAuthn credential. */
  readonly credentialId?: Uint8Array;
  /** `device`: the wrapping key, which no script can export. */
  readonly deviceKey?: CryptoKey;
}

/** What Argon2id costs (RFC 9106), version 1.3. */
export interface Argon2Parameters {
  /** Memory, in KiB. */
  readonly memoryKiB: number;
  /** Passes over it. */
  readonly iterations: number;
}

/** A data key. */
export interface StoredDataKey {
  /** Its number, from 1. */
  readonly number: number;
  /** The key, AES-256-GCM: 12 bytes of nonce, then the ciphertext. */
  readonly wrapped: Uint8Array;
}

/** The key pair of the intake. */
export interface StoredIntake {
  /** P-256, uncompressed: 65 bytes. */
  readonly publicKey: Uint8Array;
  /** The private key in PKCS #8, AES-256-GCM: 12 bytes of nonce, then the ciphertext. */
  readonly wrapped: Uint8Array;
}

/**
 * Checks the shape of a header that was read.
 * @throws CoreCryptoError `newer-format`, `damaged-record`
 * @internal
 */
export function checkHeader(name: string, stored: unknown): VaultHeader {
  const header = stored as VaultHeader;
  if (isObject(stored) && typeof header.version === 'number' && header.version > HEADER_VERSION) {
    throw new CoreCryptoError(
      'newer-format',
      `database "${name}" was sealed by a newer openmls-wasm; it is left as it is, reload the app to update it`,
    );
  }
  const isWhole =
    isObject(stored) &&
    header.version === HEADER_VERSION &&
    isBytes(header.id) &&
    ['sealed', 'sealing', 'unsealing', 'rotating'].includes(header.state) &&
    Array.isArray(header.unlocks) &&
    header.unlocks.length <= MOST_UNLOCKS &&
    header.unlocks.every(isUnlock) &&
    Array.isArray(header.dataKeys) &&
    header.dataKeys.length > 0 &&
    header.dataKeys.every((key: unknown) => isObject(key) && typeof key['number'] === 'number' && isBytes(key['wrapped'])) &&
    isObject(header.intake) &&
    isBytes(header.intake.publicKey) &&
    isBytes(header.intake.wrapped) &&
    isBytes(header.mac);
  if (!isWhole) {
    throw damagedHeader(name);
  }
  return header;
}

/**
 * The error of a header that is not as it was written.
 * @internal
 */
export function damagedHeader(name: string): CoreCryptoError {
  return new CoreCryptoError(
    'damaged-record',
    `database "${name}": the header of its vault is damaged; all is left as it is`,
    { category: 'meta', key: 'vault' },
  );
}

/**
 * The bytes that `mac` is over: each field with its length before it, so that no two headers have the same.
 * @internal
 */
export function authenticatedBytes(header: Omit<VaultHeader, 'mac'>): Uint8Array<ArrayBuffer> {
  const fields: (Uint8Array | string | number)[] = ['openmls-wasm vault', header.version, header.id, header.state];
  fields.push(header.unlocks.length);
  for (const unlock of header.unlocks) {
    const { id, kind, createdAt, salt, wrapped, argon2, credentialId } = unlock;
    fields.push(id, kind, createdAt, salt, wrapped, argon2?.memoryKiB ?? 0, argon2?.iterations ?? 0, credentialId ?? new Uint8Array());
  }
  fields.push(header.dataKeys.length);
  for (const { number, wrapped } of header.dataKeys) {
    fields.push(number, wrapped);
  }
  fields.push(header.intake.publicKey, header.intake.wrapped);
  return framed(fields);
}

/**
 * The fields, each with its length before it.
 * @internal
 */
export function framed(fields: readonly (Uint8Array | string | number)[]): Uint8Array<ArrayBuffer> {
  const encoder = new TextEncoder();
  const parts = fields.map((field) => (field instanceof Uint8Array ? field : encoder.encode(String(field))));
  const bytes = new Uint8Array(parts.reduce((length, part) => length + 4 + part.length, 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const part of parts) {
    view.setUint32(at, part.length);
    bytes.set(part, at + 4);
    at += 4 + part.length;
  }
  return bytes;
}

function isUnlock(unlock: unknown): boolean {
  if (!isObject(unlock) || typeof unlock['id'] !== 'string' || !isBytes(unlock['salt']) || !isBytes(unlock['wrapped'])) {
    return false;
  }
  switch (unlock['kind']) {
    case 'device':
      return unlock['deviceKey'] instanceof CryptoKey;
    case 'passphrase':
      return isObject(unlock['argon2']);
    case 'passkey':
      return isBytes(unlock['credentialId']);
    default:
      return unlock['kind'] === 'key';
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function isBytes(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array;
}
