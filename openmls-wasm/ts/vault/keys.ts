/** The keys of a vault: making, opening and changing its header. */

import { CoreCryptoError } from '../errors.js';
import {
  authenticatedBytes,
  damagedHeader,
  framed,
  HEADER_VERSION,
  MOST_UNLOCKS,
  type StoredDataKey,
  type StoredUnlock,
  type VaultHeader,
  type VaultState,
} from './header.js';
import { makeIntake, openIntake, type Intake } from './intake.js';
import { RecordSealer } from './sealing.js';
import { boundTo, enroll, mayFit, random, wrappingKey, type Stretch, type VaultUnlock } from './unlock.js';

const NONCE_LENGTH = 12;
const KEY_LENGTH = 32;

/** An unlocked vault. Keeps no secret in a form that a script could export. */
export interface Vault {
  /** As it is stored. */
  readonly header: VaultHeader;
  /** What seals new records. */
  readonly sealer: RecordSealer;
  /** Of each data key, by its number. */
  readonly sealers: ReadonlyMap<number, RecordSealer>;
  /** Seals what the app keeps outside of the database; its key stays when the data key is rotated. */
  readonly appSealer: RecordSealer;
  /** Opens what arrived while the vault was locked. */
  readonly intake: Intake;
}

/** The header of a new vault. */
export async function createVault(unlock: VaultUnlock, stretch: Stretch, state: VaultState): Promise<VaultHeader> {
  const raw = random(KEY_LENGTH);
  const keys = await vaultKeys(raw);
  const id = random(16);
  const header = {
    version: HEADER_VERSION,
    id,
    state,
    unlocks: [await wrapFor(unlock, stretch, id, raw)],
    dataKeys: [await newDataKey(keys.wrap, id, 1)],
    intake: await makeIntake((privateKey) => wrap(keys.wrap, privateKey, framed(['openmls-wasm intake', id]))),
  };
  raw.fill(0);
  return authenticate(header, keys.mac);
}

/**
 * Unlocks a vault.
 * @throws CoreCryptoError `unlock-failed`, `damaged-record`
 */
export async function openVault(name: string, header: VaultHeader, unlock: VaultUnlock, stretch: Stretch): Promise<Vault> {
  const { raw } = await unwrapWith(name, header, unlock, stretch);
  const keys = await vaultKeys(raw);
  raw.fill(0);
  await verify(name, header, keys.mac);
  try {
    const opened = header.dataKeys.map(async ({ number, wrapped }) => {
      const dataKey = await unwrap(keys.wrap, wrapped, boundDataKey(header.id, number));
      const key = await crypto.subtle.importKey('raw', dataKey, 'HKDF', false, ['deriveKey']);
      dataKey.fill(0);
      return [number, new RecordSealer(key, number)] as const;
    });
    const sealers = new Map(await Promise.all(opened));
    const current = header.dataKeys.at(-1)?.number;
    const sealer = current === undefined ? undefined : sealers.get(current);
    if (sealer === undefined) {
      throw damagedHeader(name);
    }
    // Seldom needed: only if something has arrived while the vault was locked.
    let opening: Promise<Intake> | undefined;
    const openedIntake = (): Promise<Intake> =>
      (opening ??= unwrap(keys.wrap, header.intake.wrapped, framed(['openmls-wasm intake', header.id])).then((privateKey) =>
        openIntake(header, privateKey),
      ));
    const intake: Intake = { open: async (entry) => (await openedIntake()).open(entry) };
    return { header, sealer, sealers, appSealer: new RecordSealer(keys.app, 0), intake };
  } catch (error) {
    throw error instanceof CoreCryptoError ? error : damagedHeader(name);
  }
}

/** What is to become of a header. */
export interface HeaderChange {
  /** Another state. */
  readonly state?: VaultState;
  /** A way to unlock that is added. */
  readonly add?: VaultUnlock;
  /** The id of a way to unlock that is removed; `current`: the one that `unlock` is. */
  readonly remove?: string;
  /** One more data key, which seals from then on. */
  readonly addDataKey?: boolean;
  /** Whether all data keys but the newest are removed. */
  readonly dropOldDataKeys?: boolean;
}

/**
 * A header that says something else. Needs a way to unlock once more: nothing that stays in memory can export the vault key.
 * @throws CoreCryptoError `unlock-failed`; `invalid-argument` if no way to unlock would be left
 */
export async function changeHeader(
  name: string,
  header: VaultHeader,
  unlock: VaultUnlock,
  stretch: Stretch,
  change: HeaderChange,
): Promise<VaultHeader> {
  const { raw, stored } = await unwrapWith(name, header, unlock, stretch);
  const keys = await vaultKeys(raw);
  try {
    await verify(name, header, keys.mac);
    const removed = change.remove === 'current' ? stored.id : change.remove;
    if (removed !== undefined && !header.unlocks.some(({ id }) => id === removed)) {
      throw new CoreCryptoError('invalid-argument', `the vault of database "${name}" has no way to unlock of that id`);
    }
    const unlocks = header.unlocks.filter(({ id }) => id !== removed);
    if (change.add !== undefined) {
      unlocks.push(await wrapFor(change.add, stretch, header.id, raw));
    }
    if (unlocks.length > MOST_UNLOCKS) {
      throw new CoreCryptoError('invalid-argument', `database "${name}": a vault has at most ${MOST_UNLOCKS} ways to unlock it`);
    }
    if (unlocks.length === 0) {
      throw new CoreCryptoError('invalid-argument', `database "${name}": the last way to unlock its vault cannot be removed`);
    }
    let dataKeys: readonly StoredDataKey[] = change.dropOldDataKeys === true ? header.dataKeys.slice(-1) : header.dataKeys;
    if (change.addDataKey === true) {
      const number = (header.dataKeys.at(-1)?.number ?? 0) + 1;
      dataKeys = [...dataKeys, await newDataKey(keys.wrap, header.id, number)];
    }
    return await authenticate({ ...header, unlocks, dataKeys, state: change.state ?? header.state }, keys.mac);
  } finally {
    raw.fill(0);
  }
}

async function unwrapWith(
  name: string,
  header: VaultHeader,
  unlock: VaultUnlock,
  stretch: Stretch,
): Promise<{ readonly raw: Uint8Array<ArrayBuffer>; readonly stored: StoredUnlock }> {
  for (const stored of header.unlocks.filter((candidate) => mayFit(candidate, unlock))) {
    const key = await wrappingKey(stored, unlock, stretch);
    if (key === undefined) {
      continue;
    }
    try {
      return { raw: await unwrap(key, stored.wrapped, boundTo(header.id, stored)), stored };
    } catch {
      // Another one of the kind may be it.
    }
  }
  throw new CoreCryptoError('unlock-failed', `database "${name}" is not unlocked by that ${unlock.kind}; nothing has changed`);
}

async function wrapFor(unlock: VaultUnlock, stretch: Stretch, vaultId: Uint8Array, raw: Uint8Array<ArrayBuffer>): Promise<StoredUnlock> {
  const { stored, key } = await enroll(unlock, stretch);
  return { ...stored, wrapped: await wrap(key, raw, boundTo(vaultId, stored)) };
}

async function newDataKey(wrapping: CryptoKey, vaultId: Uint8Array, number: number): Promise<StoredDataKey> {
  const dataKey = random(KEY_LENGTH);
  const wrapped = await wrap(wrapping, dataKey, boundDataKey(vaultId, number));
  dataKey.fill(0);
  return { number, wrapped };
}

function boundDataKey(vaultId: Uint8Array, number: number): Uint8Array<ArrayBuffer> {
  return framed(['openmls-wasm data key', vaultId, number]);
}

interface VaultKeys {
  readonly wrap: CryptoKey;
  readonly mac: CryptoKey;
  readonly app: CryptoKey;
}

async function vaultKeys(raw: Uint8Array<ArrayBuffer>): Promise<VaultKeys> {
  const base = await crypto.subtle.importKey('raw', raw, 'HKDF', false, ['deriveKey', 'deriveBits']);
  const [app, wrap, mac] = await Promise.all([
    crypto.subtle.deriveBits(derived('app'), base, 256).then(async (bits) => {
      const key = await crypto.subtle.importKey('raw', bits, 'HKDF', false, ['deriveKey']);
      new Uint8Array(bits).fill(0);
      return key;
    }),
    crypto.subtle.deriveKey(derived('wrap'), base, { name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']),
    crypto.subtle.deriveKey(derived('header'), base, { name: 'HMAC', hash: 'SHA-256', length: 256 }, false, ['sign', 'verify']),
  ]);
  return { app, wrap, mac };
}

function derived(what: string): HkdfParams {
  const info = new TextEncoder().encode(`openmls-wasm vault ${what}`);
  return { name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(), info };
}

async function authenticate(header: Omit<VaultHeader, 'mac'>, key: CryptoKey): Promise<VaultHeader> {
  const mac = await crypto.subtle.sign('HMAC', key, authenticatedBytes(header));
  return { ...header, mac: new Uint8Array(mac) };
}

async function verify(name: string, header: VaultHeader, key: CryptoKey): Promise<void> {
  if (!(await crypto.subtle.verify('HMAC', key, header.mac.slice(), authenticatedBytes(header)))) {
    throw damagedHeader(name);
  }
}

async function wrap(key: CryptoKey, bytes: Uint8Array<ArrayBuffer>, additionalData: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const iv = random(NONCE_LENGTH);
  const sealed = await crypto.subtle.encrypt({ name: 'AES-GCM', iv, additionalData }, key, bytes);
  const wrapped = new Uint8Array(NONCE_LENGTH + sealed.byteLength);
  wrapped.set(iv);
  wrapped.set(new Uint8Array(sealed), NONCE_LENGTH);
  return wrapped;
}

async function unwrap(key: CryptoKey, wrapped: Uint8Array, additionalData: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const iv = wrapped.slice(0, NONCE_LENGTH);
  return new Uint8Array(await crypto.subtle.decrypt({ name: 'AES-GCM', iv, additionalData }, key, wrapped.slice(NONCE_LENGTH)));
}
