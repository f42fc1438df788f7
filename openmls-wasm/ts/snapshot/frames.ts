/**
 * Frames: what the content of a snapshot consists of. One byte of kind, four of length, then
 *
 * - `records`: each record's category, key and value with their lengths before them. What belongs together is in one frame.
 * - `app-data`: bytes of the app; all of them in a row are what it has added.
 * - `end`: JSON, what there was. Nothing comes after it.
 */

import { CoreCryptoError } from '../errors.js';
import type { StorageRecord } from '../types/storage.js';
import { damaged } from './header.js';

// What is in a frame.
export type Frame =
  | { readonly kind: 'records'; readonly records: readonly StorageRecord[] }
  | { readonly kind: 'app-data'; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly kind: 'end'; readonly end: SnapshotEnd };

// What a snapshot says at its end.
export interface SnapshotEnd {
  readonly records: number;
  /** Ids of the groups that could not be read, in hex. */
  readonly unreadable: readonly string[];
}

const RECORDS = 1;
const APP_DATA = 2;
const END = 3;
const HEAD = 5;
/** More than any frame that is written: a page of records, or those of a group that a snapshot has. */
const MOST = 64 * 1024 * 1024;

export function encodeRecords(records: readonly StorageRecord[]): Uint8Array<ArrayBuffer> {
  const encoder = new TextEncoder();
  const fields = records.flatMap(({ category, key, value }) => [encoder.encode(category), encoder.encode(key), value]);
  const bytes = frame(RECORDS, fields.reduce((length, field) => length + 4 + field.length, 0));
  const view = new DataView(bytes.buffer);
  let at = HEAD;
  for (const field of fields) {
    view.setUint32(at, field.length);
    bytes.set(field, at + 4);
    at += 4 + field.length;
  }
  return bytes;
}

export function encodeAppData(content: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = frame(APP_DATA, content.length);
  bytes.set(content, HEAD);
  return bytes;
}

export function encodeEnd(end: SnapshotEnd): Uint8Array<ArrayBuffer> {
  const json = new TextEncoder().encode(JSON.stringify(end));
  const bytes = frame(END, json.length);
  bytes.set(json, HEAD);
  return bytes;
}

// The frames of the content of a snapshot, the end among them.
// Throws CoreCryptoError `snapshot-damaged`.
export async function* decodeFrames(content: AsyncIterable<Uint8Array>): AsyncGenerator<Frame, void> {
  let records = 0;
  let end: SnapshotEnd | undefined;
  for await (const { kind, body } of split(content)) {
    if (end !== undefined) {
      throw damaged('something comes after its end');
    }
    const decoded = decode(kind, body);
    if (decoded.kind === 'records') {
      records += decoded.records.length;
    } else if (decoded.kind === 'end') {
      end = decoded.end;
      if (end.records !== records) {
        throw damaged('records are missing');
      }
    }
    yield decoded;
  }
  if (end === undefined) {
    throw damaged('it has no end');
  }
}

function frame(kind: number, length: number): Uint8Array<ArrayBuffer> {
  if (length > MOST) {
    throw new CoreCryptoError('internal', 'what is to be in one frame of a snapshot is too long');
  }
  const bytes = new Uint8Array(HEAD + length);
  bytes[0] = kind;
  new DataView(bytes.buffer).setUint32(1, length);
  return bytes;
}

interface RawFrame {
  readonly kind: number;
  readonly body: Uint8Array<ArrayBuffer>;
}

async function* split(content: AsyncIterable<Uint8Array>): AsyncGenerator<RawFrame, void> {
  const head = new Uint8Array(HEAD);
  let into: Uint8Array<ArrayBuffer> = head;
  let filled = 0;
  for await (const part of content) {
    for (let at = 0; at < part.length || (into !== head && filled === into.length); ) {
      const taken = part.subarray(at, at + into.length - filled);
      into.set(taken, filled);
      filled += taken.length;
      at += taken.length;
      if (filled < into.length) {
        continue;
      }
      if (into === head) {
        into = body(head);
      } else {
        yield { kind: head[0] ?? 0, body: into };
        into = head;
      }
      filled = 0;
    }
  }
  if (into !== head || filled > 0) {
    throw damaged('its last part is not whole');
  }
}

function body(head: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const length = new DataView(head.buffer).getUint32(1);
  if (length > MOST) {
    throw damaged('a part of it is too long');
  }
  return new Uint8Array(length);
}

function decode(kind: number, bytes: Uint8Array<ArrayBuffer>): Frame {
  switch (kind) {
    case RECORDS:
      return { kind: 'records', records: decodeRecords(bytes) };
    case APP_DATA:
      return { kind: 'app-data', bytes };
    case END:
      return { kind: 'end', end: decodeEnd(bytes) };
    default:
      throw damaged('it has a part that is not known');
  }
}

function decodeRecords(bytes: Uint8Array<ArrayBuffer>): StorageRecord[] {
  const decoder = new TextDecoder();
  const view = new DataView(bytes.buffer);
  let at = 0;
  const field = (): Uint8Array => {
    const length = at + 4 <= bytes.length ? view.getUint32(at) : Infinity;
    if (at + 4 + length > bytes.length) {
      throw damaged('a record is cut short');
    }
    at += 4 + length;
    return bytes.subarray(at - length, at);
  };
  const records: StorageRecord[] = [];
  while (at < bytes.length) {
    const [category, key, value] = [decoder.decode(field()), decoder.decode(field()), field()];
    // A copy: what is stored must not hold the whole frame.
    records.push({ category, key, value: value.slice() });
  }
  return records;
}

function decodeEnd(bytes: Uint8Array): SnapshotEnd {
  try {
    const end = JSON.parse(new TextDecoder().decode(bytes)) as Partial<SnapshotEnd>;
    if (typeof end.records === 'number' && Array.isArray(end.unreadable)) {
      return { records: end.records, unreadable: end.unreadable.map(String) };
    }
  } catch {
    // Told below.
  }
  throw damaged('its end is not one');
}
