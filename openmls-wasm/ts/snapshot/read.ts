/** Reading a snapshot: what is in it, piece by piece. */

import type { Stretch } from '../vault/unlock.js';
import { openChunks } from './chunks.js';
import { decodeFrames, type Frame, type SnapshotEnd } from './frames.js';
import { damaged, decodeHeader, headerBytes, type SnapshotHeader } from './header.js';
import { unlockSnapshot } from './keys.js';

// A snapshot that is open.
export class OpenSnapshot {
  readonly header: SnapshotHeader;
  readonly #file: Blob;
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #key: CryptoKey;

  private constructor(file: Blob, bytes: Uint8Array<ArrayBuffer>, header: SnapshotHeader, key: CryptoKey) {
    this.#file = file;
    this.#bytes = bytes;
    this.header = header;
    this.#key = key;
  }

  // Throws CoreCryptoError `newer-format`, `snapshot-damaged`, `unlock-failed`.
  static async open(file: Blob, passphrase: string, stretch: Stretch): Promise<OpenSnapshot> {
    const bytes = await headerBytes(file);
    const header = decodeHeader(bytes);
    return new OpenSnapshot(file, bytes, header, await unlockSnapshot(header, passphrase, stretch));
  }

  // What is in it, in order. Throws CoreCryptoError `snapshot-damaged`, at once or later.
  frames(): AsyncGenerator<Frame, void> {
    return decodeFrames(openChunks(this.#file, this.#key, this.#bytes));
  }

  // Reads all of it: only the end tells whether it is whole, and nothing of one that is not is to be used.
  async verify(look: (frame: Frame) => void = () => undefined): Promise<SnapshotEnd> {
    let end: SnapshotEnd | undefined;
    for await (const frame of this.frames()) {
      look(frame);
      end = frame.kind === 'end' ? frame.end : undefined;
    }
    if (end === undefined) {
      throw damaged('it has no end');
    }
    return end;
  }
}

// Bytes that come piece by piece, as a Blob: browsers keep large ones on the disk.
export class BlobBuilder {
  #parts: BlobPart[] = [];

  add(bytes: Uint8Array<ArrayBuffer>): void {
    this.#parts.push(bytes);
    if (this.#parts.length >= 16) {
      this.#parts = [new Blob(this.#parts)];
    }
  }

  // Undefined if nothing was added.
  build(): Blob | undefined {
    return this.#parts.length === 0 ? undefined : new Blob(this.#parts);
  }
}
