/**
 * How a record is sealed, and how its key is blinded (promise G8).
 *
 * Layout of a sealed value:
 *
 * | bytes | what it is                                                              |
 * |-------|-------------------------------------------------------------------------|
 * | 1     | {@link SEALED_TAG}: no record in the clear begins with it                |
 * | 4     | number of the data key, big-endian                                      |
 * | 16    | salt of the session that sealed it                                      |
 * | 8     | how many records that session had sealed before, big-endian             |
 * | rest  | AES-256-GCM of the length of the key (4 bytes), the key, and the value  |
 *
 * The AES key is derived by HKDF-SHA-256 from the data key and the salt, which is random for each session, so a nonce (the
 * counter) is never used twice with one key, not even by a database that was put back to an older state. A session is given
 * a new salt after 2^32 records. Two of 2^48 sessions have the same salt with a probability of 2^-33.
 *
 * The associated data names the object store, the stored key and the format, and the data key is of one database: so a record
 * that was moved to another place, or comes from another database, does not open. That a record is an older version of its
 * own self is not seen here, but by the digest of its group.
 *
 * Keys are blinded part by part, each by HMAC-SHA-256 cut to 16 bytes, so that all records of a group are still one range, and
 * so are the parts of a value. Integers are too (epochs, leaf indexes, positions): nothing is loaded by their order. Equal parts
 * are equal blinded, whatever they are of, and some keys are always 0. What stays visible to who reads the database: how many records of which kind
 * there are, how long they are, which are of one group or one value, which parts of their keys are equal (so small integers can be
 * told: the epoch of a young group), and when they were last written by which session.
 */

import { CoreCryptoError } from '../errors.js';
import { hexOf } from '../hex.js';
import type { StorageRecord } from '../mls-types.js';

/** The first byte of a sealed value. Records in the clear begin with the format of their encoding, which stays below. */
export const SEALED_TAG = 0xe5;

const KEY_NUMBER_AT = 1;
const SALT_AT = 5;
const SALT_LENGTH = 16;
const COUNTER_AT = SALT_AT + SALT_LENGTH;
const HEADER_LENGTH = COUNTER_AT + 8;
const TAG_LENGTH = 16;
const KEY_LENGTH_LENGTH = 4;
const RECORDS_PER_SALT = 2 ** 32;
const BLINDED_LENGTH = 16;
/** How many derived keys and blinded parts are kept. */
const CACHED = 4096;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A value as it is stored in plain mode, or sealed. */
export function isSealed(value: Uint8Array): boolean {
  return value[0] === SEALED_TAG;
}

/** The number of the data key that a value is sealed with; undefined for one in the clear. */
export function keyNumberOf(value: Uint8Array): number | undefined {
  return isSealed(value) && value.length >= HEADER_LENGTH ? view(value).getUint32(KEY_NUMBER_AT) : undefined;
}

/** Seals and opens records with one data key. */
export class RecordSealer {
  readonly #dataKey: CryptoKey;
  readonly #keyNumber: number;
  readonly #blindKey: Promise<CryptoKey>;
  readonly #opening = new Cache<Promise<CryptoKey>>(CACHED);
  readonly #blinded = new Cache<string>(CACHED);
  #sealing: { readonly salt: Uint8Array<ArrayBuffer>; readonly key: Promise<CryptoKey> } | undefined;
  #sealed = 0;

  /** @param dataKey for HKDF; see `keys.ts` */
  constructor(dataKey: CryptoKey, keyNumber: number) {
    this.#dataKey = dataKey;
    this.#keyNumber = keyNumber;
    this.#blindKey = crypto.subtle.deriveKey(
      { name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(), info: encoder.encode('openmls-wasm record keys') },
      dataKey,
      { name: 'HMAC', hash: 'SHA-256', length: 256 },
      false,
      ['sign'],
    );
    // Whoever blinds a key hears of it.
    this.#blindKey.catch(() => undefined);
  }

  /** The number of the data key. */
  get keyNumber(): number {
    return this.#keyNumber;
  }

  /** The key under which a record is stored, or what the keys of a group begin with. */
  async blind(key: string): Promise<string> {
    const blinded = key.split('/').map((part) => this.#blindPart(part));
    return (await Promise.all(blinded)).join('/');
  }

  /** Seals the value of `key` for its place under `storedKey`. */
  async seal(category: string, storedKey: string, key: string, value: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
    if (this.#sealing === undefined || this.#sealed >= RECORDS_PER_SALT) {
      const salt = crypto.getRandomValues(new Uint8Array(SALT_LENGTH));
      const key = this.#recordKey(salt, () => {
        this.#sealing = undefined;
      });
      this.#sealing = { salt, key };
      this.#sealed = 0;
    }
    const { salt, key: recordKey } = this.#sealing;
    const header = new Uint8Array(HEADER_LENGTH);
    header[0] = SEALED_TAG;
    view(header).setUint32(KEY_NUMBER_AT, this.#keyNumber);
    header.set(salt, SALT_AT);
    view(header).setBigUint64(COUNTER_AT, BigInt(this.#sealed));
    this.#sealed += 1;
    const name = encoder.encode(key);
    const clear = new Uint8Array(KEY_LENGTH_LENGTH + name.length + value.length);
    view(clear).setUint32(0, name.length);
    clear.set(name, KEY_LENGTH_LENGTH);
    clear.set(value, KEY_LENGTH_LENGTH + name.length);
    const sealed = await crypto.subtle.encrypt(algorithm(header, category, storedKey), await recordKey, clear);
    clear.fill(0);
    const record = new Uint8Array(HEADER_LENGTH + sealed.byteLength);
    record.set(header);
    record.set(new Uint8Array(sealed), HEADER_LENGTH);
    return record;
  }

  /**
   * Opens what is stored under `storedKey`.
   * @throws CoreCryptoError `damaged-record`
   */
  async open(category: string, storedKey: string, sealed: Uint8Array): Promise<StorageRecord> {
    const number = keyNumberOf(sealed);
    if (number !== this.#keyNumber || sealed.length < HEADER_LENGTH + TAG_LENGTH) {
      throw damaged(category, storedKey, number === undefined ? 'is not sealed' : 'is sealed with another key');
    }
    const salt = sealed.slice(SALT_AT, COUNTER_AT);
    const id = String.fromCharCode(...salt);
    // A derivation that fails says nothing about the record.
    const recordKey = await (this.#opening.get(id) ?? this.#opening.add(id, this.#recordKey(salt, () => this.#opening.remove(id))));
    const body = sealed.slice(HEADER_LENGTH);
    let clear: Uint8Array<ArrayBuffer>;
    try {
      clear = new Uint8Array(await crypto.subtle.decrypt(algorithm(sealed, category, storedKey), recordKey, body));
    } catch {
      throw damaged(category, storedKey, 'does not open: it was changed, moved here, or is of another database');
    }
    const length = clear.length < KEY_LENGTH_LENGTH ? Infinity : view(clear).getUint32(0);
    if (KEY_LENGTH_LENGTH + length > clear.length) {
      throw damaged(category, storedKey, 'is too short');
    }
    const valueAt = KEY_LENGTH_LENGTH + length;
    return { category, key: decoder.decode(clear.subarray(KEY_LENGTH_LENGTH, valueAt)), value: clear.subarray(valueAt) };
  }

  /** @param onFailure forgets it: the next record tries again */
  #recordKey(salt: Uint8Array<ArrayBuffer>, onFailure: () => void): Promise<CryptoKey> {
    const key = crypto.subtle.deriveKey(
      { name: 'HKDF', hash: 'SHA-256', salt, info: encoder.encode('openmls-wasm records') },
      this.#dataKey,
      { name: 'AES-GCM', length: 256 },
      false,
      ['encrypt', 'decrypt'],
    );
    key.catch(onFailure);
    return key;
  }

  async #blindPart(part: string): Promise<string> {
    const known = this.#blinded.get(part);
    if (known !== undefined) {
      return known;
    }
    const mac = await crypto.subtle.sign('HMAC', await this.#blindKey, encoder.encode(part));
    return this.#blinded.add(part, hexOf(new Uint8Array(mac, 0, BLINDED_LENGTH)));
  }
}

function algorithm(header: Uint8Array, category: string, storedKey: string): AesGcmParams {
  const iv = new Uint8Array(12);
  iv.set(header.subarray(COUNTER_AT, HEADER_LENGTH), 4);
  return { name: 'AES-GCM', iv, additionalData: encoder.encode(`openmls-wasm record 1\0${category}\0${storedKey}`) };
}

/** The error of a record that does not open. */
export function damaged(category: string, key: string, what: string): CoreCryptoError {
  return new CoreCryptoError('damaged-record', `record ${category}/${key} ${what}; it is left as it is`, { category, key });
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Forgets what was added first. */
class Cache<Value> {
  readonly #values = new Map<string, Value>();
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get(key: string): Value | undefined {
    return this.#values.get(key);
  }

  remove(key: string): void {
    this.#values.delete(key);
  }

  add(key: string, value: Value): Value {
    const first = this.#values.size < this.#limit ? undefined : this.#values.keys().next().value;
    if (first !== undefined) {
      this.#values.delete(first);
    }
    this.#values.set(key, value);
    return value;
  }
}
