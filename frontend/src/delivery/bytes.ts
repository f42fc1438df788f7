/** Base64url without padding: how the delivery service's JSON carries bytes. */
export function toBase64Url(bytes: Uint8Array): string {
  let binary = '';
  const step = 0x8000; // String.fromCharCode takes its arguments from the stack
  for (let at = 0; at < bytes.length; at += step) {
    binary += String.fromCharCode(...bytes.subarray(at, at + step));
  }
  return btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
}

/** The bytes of base64url text. Throws `SyntaxError` on anything else. */
export function fromBase64Url(text: string): Uint8Array {
  if (!/^[A-Za-z0-9_-]*$/.test(text)) throw new SyntaxError('not base64url');
  let binary: string;
  try {
    binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
  } catch {
    throw new SyntaxError('not base64url');
  }
  return Uint8Array.from(binary, (c) => c.charCodeAt(0));
}

/** Lower-case hex: how group ids are written in the app's own database and in the address bar. */
export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('');
}

/** The bytes of lower-case hex. Throws `SyntaxError` on anything else. */
export function fromHex(text: string): Uint8Array {
  if (text.length % 2 !== 0 || !/^[0-9a-f]*$/.test(text)) throw new SyntaxError('not hex');
  return Uint8Array.from({ length: text.length / 2 }, (_, i) => Number.parseInt(text.slice(2 * i, 2 * i + 2), 16));
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}

const utf8 = new TextEncoder();
const fromUtf8 = new TextDecoder();

/** The MLS credential identity of a client: the UTF-8 of `user/client`. User names hold no slash. */
export interface Address {
  user: string;
  client: string;
}

export function addressText({ user, client }: Address): string {
  return `${user}/${client}`;
}

export function identityBytes(address: Address): Uint8Array {
  return utf8.encode(addressText(address));
}

/** The address in a credential identity. Whatever does not parse is shown as it stands, with no client. */
export function parseIdentity(identity: Uint8Array): Address {
  const text = fromUtf8.decode(identity);
  const slash = text.indexOf('/');
  return slash < 0 ? { user: text, client: '' } : { user: text.slice(0, slash), client: text.slice(slash + 1) };
}
