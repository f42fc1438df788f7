/**
 * Chunks: the content of a snapshot, sealed piece by piece (the STREAM construction), so that neither writing nor reading holds
 * more than one of them.
 *
 * Each has 65,536 bytes of content, the last one at most as many and at least one, and 16 bytes of the AES-256-GCM tag. The
 * nonce is the number of the chunk, and whether it is the last: one that is left out, moved, added or cut off does not open. The
 * key is of this file alone, so no nonce repeats.
 */

import { damaged, HEADER_LENGTH } from './header.js';

const CONTENT = 64 * 1024;
const SEALED = CONTENT + 16;
/** How many chunks are read from the file at once. */
const READ = 16;

// Seals content.
// header: authenticated with each chunk
// beforeLast: awaited before the last chunk is handed out, without which the file is of no use
export async function* sealChunks(
  content: AsyncIterable<Uint8Array>,
  key: CryptoKey,
  header: Uint8Array<ArrayBuffer>,
  beforeLast: () => Promise<void>,
): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
  const chunk = new Uint8Array(CONTENT);
  let filled = 0;
  let number = 0;
  const seal = async (isLast: boolean): Promise<Uint8Array<ArrayBuffer>> => {
    const how = parameters(number, isLast, header);
    number += 1;
    return new Uint8Array(await crypto.subtle.encrypt(how, key, chunk.subarray(0, filled)));
  };
  for await (const part of content) {
    for (let at = 0; at < part.length; ) {
      if (filled === CONTENT) {
        yield await seal(false);
        filled = 0;
      }
      const taken = part.subarray(at, at + CONTENT - filled);
      chunk.set(taken, filled);
      filled += taken.length;
      at += taken.length;
    }
  }
  const last = await seal(true);
  chunk.fill(0);
  await beforeLast();
  yield last;
}

// Opens what `sealChunks` has made; the content of each chunk is verified before it is handed out.
// Throws CoreCryptoError `snapshot-damaged`.
export async function* openChunks(file: Blob, key: CryptoKey, header: Uint8Array<ArrayBuffer>): AsyncGenerator<Uint8Array, void> {
  let number = 0;
  for (let at = HEADER_LENGTH; at < file.size; at += READ * SEALED) {
    const read = new Uint8Array(await file.slice(at, at + READ * SEALED).arrayBuffer());
    for (let from = 0; from < read.length; from += SEALED) {
      const isLast = at + from + SEALED >= file.size;
      yield await open(read.subarray(from, from + SEALED), key, parameters(number, isLast, header));
      number += 1;
    }
  }
}

async function open(sealed: Uint8Array<ArrayBuffer>, key: CryptoKey, how: AesGcmParams): Promise<Uint8Array> {
  try {
    return new Uint8Array(await crypto.subtle.decrypt(how, key, sealed));
  } catch (error) {
    throw damaged('a part of it does not open', error);
  }
}

function parameters(number: number, isLast: boolean, header: Uint8Array<ArrayBuffer>): AesGcmParams {
  const iv = new Uint8Array(12);
  new DataView(iv.buffer).setBigUint64(3, BigInt(number));
  iv[11] = isLast ? 1 : 0;
  return { name: 'AES-GCM', iv, additionalData: header };
}
