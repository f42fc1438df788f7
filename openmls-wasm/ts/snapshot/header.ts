/**
 * The beginning of a snapshot, in the clear: what it is, and what its key is derived with.
 *
 * | bytes | what                                                                   |
 * |-------|------------------------------------------------------------------------|
 * | 8     | `OMLSSNAP`                                                             |
 * | 1     | version: 1                                                             |
 * | 1     | kind: 1 backup, 2 full                                                 |
 * | 8     | when it was made, milliseconds since 1970, big-endian as all integers  |
 * | 4, 4  | Argon2id: memory in KiB, passes                                        |
 * | 16    | salt of Argon2id                                                       |
 * | 32    | salt of the file's own keys                                            |
 * | 16    | check: tells a wrong passphrase from a damaged file                    |
 *
 * All of it is authenticated by every chunk behind it.
 */

import { CoreCryptoError } from '../errors.js';
import type { SnapshotKind } from '../types/snapshots.js';
import type { Argon2Parameters } from '../vault/header.js';

const MAGIC = new TextEncoder().encode('OMLSSNAP');
export const VERSION = 1;
const KINDS: readonly SnapshotKind[] = ['backup', 'full'];
const CREATED_AT = 10;
const ARGON2 = 18;
const SALT = 26;
const FILE_SALT = 42;
const CHECK = 74;
export const HEADER_LENGTH = 90;

// What is in it. `check` is undefined until it is known.
export interface SnapshotHeader {
  readonly kind: SnapshotKind;
  readonly createdAt: number;
  readonly argon2: Argon2Parameters;
  readonly salt: Uint8Array<ArrayBuffer>;
  readonly fileSalt: Uint8Array<ArrayBuffer>;
  readonly check: Uint8Array<ArrayBuffer>;
}

// The header of a file as it is: what chunks are bound to.
export async function headerBytes(file: Blob): Promise<Uint8Array<ArrayBuffer>> {
  if (!(file instanceof Blob)) {
    throw new CoreCryptoError('invalid-argument', 'the snapshot is not a Blob');
  }
  return new Uint8Array(await file.slice(0, HEADER_LENGTH).arrayBuffer());
}

export function encodeHeader(header: SnapshotHeader): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(HEADER_LENGTH);
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC);
  bytes[8] = VERSION;
  bytes[9] = KINDS.indexOf(header.kind) + 1;
  view.setBigUint64(CREATED_AT, BigInt(header.createdAt));
  view.setUint32(ARGON2, header.argon2.memoryKiB);
  view.setUint32(ARGON2 + 4, header.argon2.iterations);
  bytes.set(header.salt, SALT);
  bytes.set(header.fileSalt, FILE_SALT);
  bytes.set(header.check, CHECK);
  return bytes;
}

// Throws CoreCryptoError `newer-format`, `snapshot-damaged`.
export function decodeHeader(bytes: Uint8Array<ArrayBuffer>): SnapshotHeader {
  if (!MAGIC.every((byte, index) => bytes[index] === byte)) {
    throw damaged('the file is no snapshot');
  }
  if ((bytes[8] ?? 0) > VERSION) {
    throw new CoreCryptoError('newer-format', 'the snapshot was made by a newer openmls-wasm; reload the app to update it');
  }
  const kind = KINDS[(bytes[9] ?? 0) - 1];
  if (bytes.length < HEADER_LENGTH || bytes[8] !== VERSION || kind === undefined) {
    throw damaged('its beginning is not one');
  }
  const view = new DataView(bytes.buffer);
  return {
    kind,
    createdAt: Number(view.getBigUint64(CREATED_AT)),
    argon2: { memoryKiB: view.getUint32(ARGON2), iterations: view.getUint32(ARGON2 + 4) },
    salt: bytes.slice(SALT, FILE_SALT),
    fileSalt: bytes.slice(FILE_SALT, CHECK),
    check: bytes.slice(CHECK, HEADER_LENGTH),
  };
}

// The error of a file that is not as it was written.
export function damaged(what: string, cause?: unknown): CoreCryptoError {
  return new CoreCryptoError('snapshot-damaged', `the snapshot is damaged, or cut short: ${what}`, { cause });
}
