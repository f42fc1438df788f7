import { fromBase64Url } from './bytes.ts';
import { DeliveryError } from './errors.ts';
import type { LiveEvent, LogEntry, LogPage, RegisteredClient, WelcomeEntry } from './types.ts';

/** Readers of the delivery service's answers. It is not trusted: every field is checked. */

type Fields = Record<string, unknown>;

function unexpected(what: string): DeliveryError {
  return new DeliveryError('unreachable', 'unexpected-answer', `unexpected answer of the delivery service: ${what}`);
}

function fields(value: unknown): Fields {
  if (typeof value !== 'object' || value === null) throw unexpected('not an object');
  return value as Fields;
}

export function text(value: unknown, name: string): string {
  const field = fields(value)[name];
  if (typeof field !== 'string') throw unexpected(`${name} is not text`);
  return field;
}

export function number(value: unknown, name: string): number {
  const field = fields(value)[name];
  if (typeof field !== 'number' || !Number.isSafeInteger(field) || field < 0) throw unexpected(`${name} is not a count`);
  return field;
}

export function bytes(value: unknown, name: string): Uint8Array {
  try {
    return fromBase64Url(text(value, name));
  } catch (error) {
    throw error instanceof DeliveryError ? error : unexpected(`${name} is not base64url`);
  }
}

export function list<T>(value: unknown, name: string, read: (item: unknown) => T): T[] {
  const field = fields(value)[name];
  if (!Array.isArray(field)) throw unexpected(`${name} is not a list`);
  return field.map(read);
}

export function flag(value: unknown, name: string): boolean {
  return fields(value)[name] === true;
}

export function logEntry(value: unknown): LogEntry {
  return {
    position: number(value, 'position'),
    id: text(value, 'id'),
    sender: text(value, 'sender'),
    message: bytes(value, 'message'),
  };
}

export function logPage(value: unknown): LogPage {
  const { link, infoEpoch } = fields(value);
  return {
    entries: list(value, 'entries', logEntry),
    more: flag(value, 'more'),
    ...(typeof link === 'string' ? { link: bytes(value, 'link') } : {}),
    ...(infoEpoch === undefined ? {} : { infoEpoch: infoEpoch === null ? -1 : number(value, 'infoEpoch') }),
  };
}

export function welcomeEntry(value: unknown): WelcomeEntry {
  return {
    position: number(value, 'position'),
    id: text(value, 'id'),
    groupId: bytes(value, 'groupId'),
    groupPosition: number(value, 'groupPosition'),
    welcome: bytes(value, 'welcome'),
  };
}

export function registeredClient(value: unknown): RegisteredClient {
  return { client: text(value, 'client'), publicKey: bytes(value, 'publicKey') };
}

/** A frame of the live connection; `undefined` for a type this client does not know. */
export function liveEvent(value: unknown): LiveEvent | 'ready' | undefined {
  switch (text(value, 'type')) {
    case 'ready':
      return 'ready';
    case 'entry':
      return { type: 'entry', groupId: bytes(value, 'groupId'), entry: logEntry(value) };
    case 'welcome':
      // Welcomes are few: the frame only says that the queue should be read, in order.
      return { type: 'welcome' };
    default:
      return undefined;
  }
}
