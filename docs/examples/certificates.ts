/** What a library for certificates and a certificate authority do, just enough of it for the examples: DER by hand. */

import { bytes } from './support.js';

/** The CertificationRequestInfo of a PKCS #10 request (RFC 2986 §4.1) for an Ed25519 key. */
export function certificationRequestInfo(commonName: string, publicKey: Uint8Array): Uint8Array {
  return sequence(der(0x02, [0]), name(commonName), keyInfo(publicKey), der(0xa0, []));
}

/** Answers with a chain of one certificate. A real authority checks the request and who sends it, and signs. */
export function certificateAuthority(commonName: string, publicKey: Uint8Array, signature: Uint8Array): Uint8Array[] {
  if (signature.length !== 64) throw new Error('not a signature of Ed25519');
  const validity = sequence(der(0x17, bytes('260101000000Z')), der(0x17, bytes('460101000000Z')));
  const parts = [der(0x02, [1]), ed25519, name('Example CA'), validity, name(commonName), keyInfo(publicKey)];
  return [sequence(sequence(...parts), ed25519, bitString(new Uint8Array(64)))];
}

const ed25519 = sequence(der(0x06, [0x2b, 0x65, 0x70]));

function name(commonName: string): Uint8Array {
  return sequence(der(0x31, sequence(der(0x06, [0x55, 0x04, 0x03]), der(0x0c, bytes(commonName)))));
}

function keyInfo(publicKey: Uint8Array): Uint8Array {
  return sequence(ed25519, bitString(publicKey));
}

function bitString(content: Uint8Array): Uint8Array {
  return der(0x03, [0, ...content]);
}

function sequence(...parts: Uint8Array[]): Uint8Array {
  return der(
    0x30,
    parts.flatMap((part) => [...part]),
  );
}

function der(tag: number, content: ArrayLike<number> & Iterable<number>): Uint8Array {
  const { length } = content;
  const header = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Uint8Array.from([tag, ...header, ...content]);
}
