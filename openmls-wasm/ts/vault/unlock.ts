/**
 * The ways to unlock a vault: what the app hands in, and how the key is had from it that wraps the vault key.
 *
 * All of them are plain data, so that they can be handed to a worker.
 */

import { CoreCryptoError, messageOf } from '../errors.js';
import { framed, type Argon2Parameters, type StoredUnlock } from './header.js';

/**
 * A way to unlock a vault.
 *
 * | kind         | what protects                                                                                        |
 * |--------------|------------------------------------------------------------------------------------------------------|
 * | `passphrase` | as much as the passphrase is worth against who has the profile folder, by Argon2id                    |
 * | `key`        | a key that the app keeps elsewhere, such as on its server                                             |
 * | `passkey`    | a WebAuthn credential by its PRF extension: see `createPasskey` and `usePasskey`                      |
 * | `device`     | no secret: the wrapping key lies in the same database. No script can export it; but except in WebKit  |
 * |              | on Apple systems **a copied profile folder contains it**. It keeps out who has only the records.      |
 */
export type VaultUnlock = PassphraseUnlock | KeyUnlock | PasskeyUnlock | DeviceUnlock;

/** A passphrase. */
export interface PassphraseUnlock {
  /** A passphrase. */
  readonly kind: 'passphrase';
  /** The passphrase, normalized by NFC; not empty. */
  readonly passphrase: string;
  /** What trying one costs, where it is added; default and least 64 MiB and 3 passes, at most 1 GiB and 64 passes. */
  readonly argon2?: Argon2Parameters | undefined;
}

/** A key of the app's. */
export interface KeyUnlock {
  /** A key. */
  readonly kind: 'key';
  /** 32 random bytes; or a `CryptoKey` for HKDF (`deriveKey`) or of AES-GCM (`encrypt`, `decrypt`), extractable or not. */
  readonly key: Uint8Array | CryptoKey;
}

/** A passkey: what `createPasskey` or `usePasskey` returned. */
export interface PasskeyUnlock {
  /** A passkey. */
  readonly kind: 'passkey';
  /** The WebAuthn credential. */
  readonly credentialId: Uint8Array;
  /** The output of its PRF, 32 bytes. */
  readonly secret: Uint8Array;
}

/** No secret. */
export interface DeviceUnlock {
  /** No secret. */
  readonly kind: 'device';
}

/**
 * Runs Argon2id: 32 bytes from a passphrase.
 * @internal
 */
export type Stretch = (passphrase: Uint8Array, salt: Uint8Array, parameters: Argon2Parameters) => Promise<Uint8Array>;

/**
 * The least and most that a passphrase may cost; a header, which may come from anywhere, cannot ask for more.
 * @internal
 */
export const ARGON2_LIMITS = {
  least: { memoryKiB: 64 * 1024, iterations: 3 },
  most: { memoryKiB: 1024 * 1024, iterations: 64 },
} as const;

const SECRET_LENGTH = 32;
const WRAPPING = { name: 'AES-GCM', length: 256 } as const;

/**
 * @throws CoreCryptoError `invalid-argument`
 * @internal
 */
export function checkUnlock(name: string, unlock: VaultUnlock): VaultUnlock {
  const refuse = (what: string): never => {
    throw new CoreCryptoError('invalid-argument', `${name} ${what}`);
  };
  switch (unlock?.kind) {
    case 'passphrase':
      if (typeof unlock.passphrase !== 'string' || unlock.passphrase === '') {
        refuse('needs a passphrase that is a string and not empty');
      }
      if (unlock.argon2 !== undefined && !isWithinLimits(unlock.argon2)) {
        refuse('asks for a cost of Argon2id below 64 MiB and 3 passes, or above 1 GiB and 64 passes');
      }
      return unlock;
    case 'key':
      if (!(unlock.key instanceof CryptoKey) && !(unlock.key instanceof Uint8Array && unlock.key.length === SECRET_LENGTH)) {
        refuse('needs a key of 32 bytes, or a CryptoKey');
      }
      if (unlock.key instanceof CryptoKey && !isUsable(unlock.key)) {
        refuse('needs a CryptoKey for HKDF with the usage deriveKey, or of AES-GCM with encrypt and decrypt');
      }
      return unlock;
    case 'passkey':
      if (!(unlock.credentialId instanceof Uint8Array) || !(unlock.secret instanceof Uint8Array) || unlock.secret.length < SECRET_LENGTH) {
        refuse('needs what createPasskey or usePasskey returned');
      }
      return unlock;
    case 'device':
      return unlock;
    default:
      return refuse('needs to be of kind passphrase, key, passkey or device');
  }
}

/**
 * What a new way to unlock stores beside the wrapped key, and the key that wraps.
 * @internal
 */
export async function enroll(unlock: VaultUnlock, stretch: Stretch): Promise<{ readonly stored: Omit<StoredUnlock, 'wrapped'>; readonly key: CryptoKey }> {
  const stored = {
    id: Array.from(random(16), (byte) => byte.toString(16).padStart(2, '0')).join(''),
    kind: unlock.kind,
    createdAt: Date.now(),
    salt: random(16),
    ...(unlock.kind === 'passphrase' && { argon2: unlock.argon2 ?? ARGON2_LIMITS.least }),
    ...(unlock.kind === 'passkey' && { credentialId: unlock.credentialId.slice() }),
    ...(unlock.kind === 'device' && { deviceKey: await crypto.subtle.generateKey(WRAPPING, false, ['encrypt', 'decrypt']) }),
  };
  const key = await wrappingKey(stored, unlock, stretch);
  if (key === undefined) {
    throw new CoreCryptoError('internal', 'a way to unlock does not fit itself');
  }
  return { stored, key };
}

/**
 * Whether a stored way to unlock may be what `unlock` is for.
 * @internal
 */
export function mayFit(stored: StoredUnlock, unlock: VaultUnlock): boolean {
  return (
    stored.kind === unlock.kind &&
    (unlock.kind !== 'passkey' || (stored.credentialId !== undefined && sameBytes(stored.credentialId, unlock.credentialId)))
  );
}

/**
 * The key that wraps, from what the app handed in; undefined if that is of another kind.
 * @internal
 */
export async function wrappingKey(
  stored: Omit<StoredUnlock, 'wrapped'>,
  unlock: VaultUnlock,
  stretch: Stretch,
): Promise<CryptoKey | undefined> {
  switch (unlock.kind) {
    case 'device':
      return stored.deviceKey;
    case 'passkey':
      return derive(await secretKey(unlock.secret), stored);
    case 'key':
      if (!(unlock.key instanceof CryptoKey)) {
        return derive(await secretKey(unlock.key), stored);
      }
      return unlock.key.algorithm.name === 'HKDF' ? derive(unlock.key, stored) : unlock.key;
    case 'passphrase': {
      const { argon2 } = stored;
      if (argon2 === undefined || !isWithinLimits(argon2)) {
        throw new CoreCryptoError('damaged-record', 'the vault asks for a cost of Argon2id that it cannot have been made with', {
          category: 'meta',
          key: 'vault',
        });
      }
      const passphrase = new TextEncoder().encode(unlock.passphrase.normalize('NFC'));
      const stretched = await stretch(passphrase, stored.salt, argon2);
      passphrase.fill(0);
      const key = await secretKey(stretched);
      stretched.fill(0);
      return derive(key, stored);
    }
  }
}

/**
 * What a wrapped vault key is bound to.
 * @internal
 */
export function boundTo(vaultId: Uint8Array, { id, kind, salt, argon2, credentialId }: Omit<StoredUnlock, 'wrapped'>): Uint8Array<ArrayBuffer> {
  return framed([
    'openmls-wasm vault key',
    vaultId,
    id,
    kind,
    salt,
    argon2?.memoryKiB ?? 0,
    argon2?.iterations ?? 0,
    credentialId ?? new Uint8Array(),
  ]);
}

/**
 * Random bytes.
 * @internal
 */
export function random(length: number): Uint8Array<ArrayBuffer> {
  return crypto.getRandomValues(new Uint8Array(length));
}

async function secretKey(secret: Uint8Array): Promise<CryptoKey> {
  const copy = secret.slice();
  try {
    return await crypto.subtle.importKey('raw', copy, 'HKDF', false, ['deriveKey']);
  } finally {
    copy.fill(0);
  }
}

async function derive(secret: CryptoKey, { kind, salt }: Omit<StoredUnlock, 'wrapped'>): Promise<CryptoKey> {
  const info = new TextEncoder().encode(`openmls-wasm unlock ${kind}`);
  try {
    return await crypto.subtle.deriveKey({ name: 'HKDF', hash: 'SHA-256', salt: salt.slice(), info }, secret, WRAPPING, false, ['encrypt', 'decrypt']);
  } catch (error) {
    throw new CoreCryptoError('invalid-argument', `the key cannot be used: ${messageOf(error)}`, { cause: error });
  }
}

function isUsable({ algorithm, usages }: CryptoKey): boolean {
  return algorithm.name === 'HKDF'
    ? usages.includes('deriveKey')
    : algorithm.name === 'AES-GCM' && usages.includes('encrypt') && usages.includes('decrypt');
}

/**
 * Whether trying a passphrase may cost that.
 * @internal
 */
export function isWithinLimits({ memoryKiB, iterations }: Argon2Parameters): boolean {
  const { least, most } = ARGON2_LIMITS;
  return (
    Number.isInteger(memoryKiB) &&
    Number.isInteger(iterations) &&
    memoryKiB >= least.memoryKiB &&
    memoryKiB <= most.memoryKiB &&
    iterations >= least.iterations &&
    iterations <= most.iterations
  );
}

function sameBytes(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, index) => byte === other[index]);
}
