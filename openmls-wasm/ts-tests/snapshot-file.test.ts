/** The file of a snapshot, without a browser: every length, and every single change. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

const at = (path: string): string => new URL(`../../dist/snapshot/${path}`, import.meta.url).href;
const { encodeHeader, decodeHeader, HEADER_LENGTH }: typeof import('../dist/snapshot/header.js') = await import(at('header.js'));
const { sealChunks, openChunks }: typeof import('../dist/snapshot/chunks.js') = await import(at('chunks.js'));
const frames: typeof import('../dist/snapshot/frames.js') = await import(at('frames.js'));
const { fileKeys, unlockSnapshot, makeSnapshotKey } = (await import(at('keys.js'))) as Keys;

type Bytes = Uint8Array<ArrayBuffer>;
type Stretch = (passphrase: Uint8Array, salt: Uint8Array) => Promise<Uint8Array>;
/** What is internal has no whole declarations. */
interface Keys {
  fileKeys(root: CryptoKey, salt: Bytes): Promise<{ key: CryptoKey; check: Bytes }>;
  unlockSnapshot(header: ReturnType<typeof decodeHeader>, passphrase: string, stretch: Stretch): Promise<CryptoKey>;
  makeSnapshotKey(passphrase: string, argon2: undefined, stretch: Stretch): Promise<{ salt: Bytes; argon2: { memoryKiB: number; iterations: number }; key: CryptoKey }>;
}
const CHUNK = 64 * 1024;
const stretch = async (passphrase: Uint8Array, salt: Uint8Array): Promise<Uint8Array> =>
  new Uint8Array(await crypto.subtle.digest('SHA-256', new Uint8Array([...passphrase, ...salt])));

async function make(content: Iterable<Bytes>, createdAt = 5): Promise<{ file: Bytes; header: Bytes; key: CryptoKey }> {
  const root = await makeSnapshotKey('passphrase', undefined, stretch);
  const fileSalt = crypto.getRandomValues(new Uint8Array(32));
  const { key, check } = await fileKeys(root.key, fileSalt);
  const header = encodeHeader({ kind: 'backup', createdAt, argon2: root.argon2, salt: root.salt.slice(), fileSalt, check });
  const parts: Bytes[] = [header];
  for await (const part of sealChunks(pieces(content), key, header, async () => undefined)) {
    parts.push(part);
  }
  return { file: joined(parts), header, key };
}

async function* pieces(content: Iterable<Bytes>): AsyncGenerator<Bytes, void> {
  yield* content;
}

async function open(file: Bytes): Promise<Bytes> {
  const blob = new Blob([file]);
  const header = file.slice(0, HEADER_LENGTH);
  const key = await unlockSnapshot(decodeHeader(header), 'passphrase', stretch);
  const parts: Bytes[] = [];
  for await (const part of openChunks(blob, key, header)) {
    parts.push(part as Bytes);
  }
  if (parts.length === 0) {
    throw Object.assign(new Error('no chunk'), { code: 'snapshot-damaged' });
  }
  return joined(parts);
}

function joined(parts: readonly Bytes[]): Bytes {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  parts.reduce((start, part) => (bytes.set(part, start), start + part.length), 0);
  return bytes;
}

const random = (length: number): Bytes => {
  const bytes = new Uint8Array(length);
  for (let start = 0; start < length; start += 65_536) {
    crypto.getRandomValues(bytes.subarray(start, start + 65_536));
  }
  return bytes;
};

const codeOf = (promise: Promise<unknown>): Promise<string> => promise.then(() => 'resolved', (error: { code?: string }) => String(error.code ?? error));

test('what was sealed is opened, whatever its length', async () => {
  for (const length of [1, 100, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK - 1, 2 * CHUNK, 2 * CHUNK + 1, 17 * CHUNK + 5]) {
    const content = random(length);
    const cut = Math.floor(length / 3);
    const { file } = await make([content.slice(0, cut), new Uint8Array(), content.slice(cut)]);
    assert.equal(file.length, HEADER_LENGTH + length + 16 * Math.ceil(length / CHUNK), 'the length of the file');
    assert.deepEqual(await open(file), content, `${length} bytes`);
  }
});

test('every byte that is changed, missing or added is found', async () => {
  const { file } = await make([random(300)]);
  for (let position = 0; position < file.length; position += 1) {
    const altered = file.slice();
    altered[position] = (altered[position] ?? 0) ^ 1;
    const code = await codeOf(open(altered));
    // The version is the one thing of which a change looks like something else.
    assert.ok(['snapshot-damaged', 'unlock-failed', 'newer-format'].includes(code), `byte ${position}: ${code}`);
    assert.notEqual(await codeOf(open(file.slice(0, position))), 'resolved', `${position} bytes`);
  }
  assert.equal(await codeOf(open(joined([file, new Uint8Array(1)]))), 'snapshot-damaged');
  assert.equal(await codeOf(open(file)), 'resolved');
});

test('chunks do not open at another place, in another file, or as the last one', async () => {
  const [one, other] = [await make([random(4 * CHUNK)]), await make([random(4 * CHUNK)])];
  const chunk = (file: Bytes, index: number): Bytes => file.slice(HEADER_LENGTH + index * (CHUNK + 16), HEADER_LENGTH + (index + 1) * (CHUNK + 16));
  const all = [0, 1, 2, 3].map((index) => chunk(one.file, index));
  const [a, b, c, d] = all as [Bytes, Bytes, Bytes, Bytes];
  const orders: Record<string, Bytes[]> = {
    exchanged: [b, a, c, d],
    'the last two exchanged': [a, b, d, c],
    'one left out': [a, c, d],
    'the last left out': [a, b, c],
    'one twice': [a, a, b, c, d],
    'the last twice': [a, b, c, d, d],
    'one of another file': [a, chunk(other.file, 1), c, d],
    'the end of another file': [a, b, c, chunk(other.file, 3)],
  };
  for (const [what, order] of Object.entries(orders)) {
    assert.equal(await codeOf(open(joined([one.header, ...order]))), 'snapshot-damaged', what);
  }
  assert.equal(await codeOf(open(joined([other.header, ...all]))), 'snapshot-damaged', 'under the header of another file');
  assert.equal(await codeOf(open(joined([one.header, ...all]))), 'resolved');
});

test('the last chunk is not handed out before it may be', async () => {
  const { key } = await make([random(1)]);
  const header = new Uint8Array(HEADER_LENGTH);
  const refused = sealChunks(pieces([random(2 * CHUNK)]), key, header, async () => {
    throw new Error('not yet');
  });
  const read: number[] = [];
  await assert.rejects(async () => {
    for await (const part of refused) {
      read.push(part.length);
    }
  }, /not yet/);
  assert.deepEqual(read, [CHUNK + 16]);
});

test('frames are read as they were written, however they are cut', async () => {
  const records = [
    { category: 'inbox', key: '00', value: random(1000) },
    { category: 'psk', key: '01/02', value: new Uint8Array() },
  ];
  const content = joined([
    frames.encodeRecords(records),
    frames.encodeAppData(random(10)),
    frames.encodeAppData(new Uint8Array()),
    frames.encodeRecords([]),
    frames.encodeEnd({ records: 2, unreadable: ['0a'] }),
  ]);
  for (const size of [1, 2, 5, 7, 1000, content.length]) {
    const kinds: string[] = [];
    for await (const frame of frames.decodeFrames(pieces(slices(content, size)))) {
      kinds.push(frame.kind);
      if (frame.kind === 'records' && frame.records.length > 0) {
        assert.deepEqual(frame.records.map((record) => ({ ...record, value: [...record.value] })), records.map((record) => ({ ...record, value: [...record.value] })));
      }
    }
    assert.deepEqual(kinds, ['records', 'app-data', 'app-data', 'records', 'end'], `pieces of ${size}`);
  }
  const read = async (bytes: Bytes): Promise<void> => {
    for await (const frame of frames.decodeFrames(pieces([bytes]))) {
      void frame;
    }
  };
  const end = frames.encodeEnd({ records: 0, unreadable: [] });
  const wrong: Record<string, Bytes> = {
    'no end': frames.encodeRecords(records),
    'an end that counts others': joined([frames.encodeRecords(records), end]),
    'something behind the end': joined([end, frames.encodeAppData(random(1))]),
    'half a frame': content.slice(0, content.length - 1),
    'half a head': joined([end, Uint8Array.of(1)]),
    'a kind that is not known': Uint8Array.of(9, 0, 0, 0, 0),
    'a frame of 4 GiB': Uint8Array.of(1, 255, 255, 255, 255),
    'a record that is cut short': Uint8Array.of(1, 0, 0, 0, 4, 0, 0, 0, 9),
    'an end that is none': Uint8Array.of(3, 0, 0, 0, 2, 0x7b, 0x7d),
    nothing: new Uint8Array(),
  };
  for (const [what, bytes] of Object.entries(wrong)) {
    assert.equal(await codeOf(read(bytes)), 'snapshot-damaged', what);
  }
});

function* slices(bytes: Bytes, size: number): Generator<Bytes, void> {
  for (let start = 0; start < bytes.length; start += size) {
    yield bytes.slice(start, start + size);
  }
}
