/** The application messages of this chat: a small JSON envelope inside the MLS ciphertext. */
export type Payload = { type: 'text'; text: string; at: number } | { type: 'name'; name: string; at: number };

/** Longest message text, in bytes of UTF-8. */
export const maxTextBytes = 32 * 1024;
export const maxNameLength = 80;

const utf8 = new TextEncoder();
const strictUtf8 = new TextDecoder('utf-8', { fatal: true });

export function encodePayload(payload: Payload): Uint8Array {
  return utf8.encode(JSON.stringify(payload));
}

/** `undefined` for whatever is not one of our messages: another member may run anything. */
export function decodePayload(plaintext: Uint8Array): Payload | undefined {
  let value: unknown;
  try {
    value = JSON.parse(strictUtf8.decode(plaintext));
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { type, text, name, at } = value as Record<string, unknown>;
  if (typeof at !== 'number' || !Number.isSafeInteger(at) || at < 0) return undefined;
  if (type === 'text' && typeof text === 'string') return { type, text, at };
  if (type === 'name' && typeof name === 'string' && name.trim() !== '') {
    return { type, name: name.trim().slice(0, maxNameLength), at };
  }
  return undefined;
}

export function textBytes(text: string): number {
  return utf8.encode(text).length;
}
