/**
 * The keys of a snapshot: Argon2id of the passphrase, then HKDF with a salt of the file's own, so that no two files have the
 * same key, also where Argon2id was run once for many.
 */

import { CoreCryptoError } from '../errors.js';
import type { SnapshotKey } from '../types/snapshots.js';
import type { Argon2Parameters } from '../vault/header.js';
import { ARGON2_LIMITS, checkUnlock, isWithinLimits, random, type Stretch } from '../vault/unlock.js';
import { damaged, type SnapshotHeader } from './header.js';

// Runs Argon2id. Throws CoreCryptoError `invalid-argument`.
export async function makeSnapshotKey(passphrase: string, argon2: Argon2Parameters | undefined, stretch: Stretch): Promise<SnapshotKey> {
  checkUnlock('passphrase', { kind: 'passphrase', passphrase, argon2 });
  const [salt, cost] = [random(16), argon2 ?? ARGON2_LIMITS.least];
  return { salt, argon2: cost, key: await stretched(passphrase, salt, cost, stretch) };
}

// The key that a file is opened with. Throws CoreCryptoError `unlock-failed`, `snapshot-damaged`.
export async function unlockSnapshot(header: SnapshotHeader, passphrase: string, stretch: Stretch): Promise<CryptoKey> {
  checkUnlock('passphrase', { kind: 'passphrase', passphrase });
  if (!isWithinLimits(header.argon2)) {
    throw damaged('it asks for a cost of Argon2id that it cannot have been made with');
  }
  const root = await stretched(passphrase, header.salt, header.argon2, stretch);
  const { key, check } = await fileKeys(root, header.fileSalt);
  if (!check.every((byte, index) => byte === header.check[index])) {
    throw new CoreCryptoError('unlock-failed', 'the passphrase does not open the snapshot');
  }
  return key;
}

// The key of a file, and what tells it from others.
export async function fileKeys(root: CryptoKey, salt: Uint8Array<ArrayBuffer>): Promise<{ key: CryptoKey; check: Uint8Array<ArrayBuffer> }> {
  const how = (what: string): HkdfParams => ({
    name: 'HKDF',
    hash: 'SHA-256',
    salt,
    info: new TextEncoder().encode(`openmls-wasm snapshot ${what}`),
  });
  const key = await crypto.subtle.deriveKey(how('key'), root, { name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']);
  return { key, check: new Uint8Array(await crypto.subtle.deriveBits(how('check'), root, 128)) };
}

async function stretched(passphrase: string, salt: Uint8Array, cost: Argon2Parameters, stretch: Stretch): Promise<CryptoKey> {
  const bytes = new TextEncoder().encode(passphrase.normalize('NFC'));
  const secret = await stretch(bytes, salt, cost);
  bytes.fill(0);
  const key = await crypto.subtle.importKey('raw', secret.slice(), 'HKDF', false, ['deriveKey', 'deriveBits']);
  secret.fill(0);
  return key;
}
