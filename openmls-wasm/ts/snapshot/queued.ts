/**
 * Entries of the durable queue in a full export: what has arrived and was refused so far, and is tried again at the next opening,
 * here or where the client has moved to. As a record of the store `incoming`, so that a version that does not know them says so.
 */

import * as check from '../arguments.js';
import { INCOMING_STORE } from '../indexeddb-layout.js';
import type { IncomingEntry, StoredIncoming } from '../persister.js';
import type { StorageRecord } from '../types/storage.js';
import { damaged } from './header.js';

/** Of the encoding: this byte, then JSON in which byte strings and big integers are objects with one field. */
const VERSION = 1;

// Whether it is of a newer version, that may say something else by it.
export const isNewerQueued = ({ value }: StorageRecord): boolean => (value[0] ?? 0) > VERSION;

export function encodeQueued({ key, entry }: StoredIncoming): StorageRecord {
  const json = new TextEncoder().encode(JSON.stringify(entry, (_, value: unknown) => toPlain(value)));
  const value = new Uint8Array(1 + json.length);
  value[0] = VERSION;
  value.set(json, 1);
  return { category: INCOMING_STORE, key: String(key), value };
}

// Throws CoreCryptoError `snapshot-damaged`.
export function decodeQueued({ value }: StorageRecord): IncomingEntry {
  try {
    const entry = JSON.parse(new TextDecoder().decode(value.subarray(1)), (_, plain: unknown) => fromPlain(plain)) as IncomingEntry;
    const { kind, attempts } = entry;
    if (value[0] === VERSION && Number.isInteger(attempts)) {
      switch (kind) {
        case 'message':
          return { kind, attempts, message: check.incomingMessage(entry.message) };
        case 'welcome':
          return { kind, attempts, message: check.incomingWelcome(entry.message) };
      }
    }
  } catch {
    // Told below.
  }
  throw damaged('an entry of its queue is not one');
}

function toPlain(value: unknown): unknown {
  if (value instanceof Uint8Array) {
    return { bytes: btoa(Array.from(value, (byte) => String.fromCharCode(byte)).join('')) };
  }
  return typeof value === 'bigint' ? { bigint: String(value) } : value;
}

function fromPlain(plain: unknown): unknown {
  if (typeof plain !== 'object' || plain === null || Object.keys(plain).length !== 1) {
    return plain;
  }
  const { bytes, bigint } = plain as { readonly bytes?: unknown; readonly bigint?: unknown };
  if (typeof bytes === 'string') {
    return Uint8Array.from(atob(bytes), (character) => character.charCodeAt(0));
  }
  return typeof bigint === 'string' ? BigInt(bigint) : plain;
}
