/** Records that are stored together, taken apart, as the documentation of `storage/packed.rs` says what they are. */

const TOGETHER = 3;
const HEADER = 9;

/** What a record holds: itself, if its format is not that of several. `id` and the ids returned: category, `/`, key. */
export function unpack(id: string, value: Uint8Array): [id: string, value: Uint8Array][] {
  if (value[0] !== TOGETHER) {
    return [[id, value]];
  }
  const view = new DataView(value.buffer, value.byteOffset, value.length);
  const key = id.slice(id.indexOf('/') + 1);
  let at = HEADER;
  // A string or byte string of MessagePack.
  const next = (): Uint8Array => {
    const marker = view.getUint8(at);
    at += 1;
    let length = marker & 0x1f;
    if (marker === 0xc4 || marker === 0xd9) {
      length = view.getUint8(at);
      at += 1;
    } else if (marker === 0xc5 || marker === 0xda) {
      length = view.getUint16(at);
      at += 2;
    } else if (marker === 0xc6 || marker === 0xdb) {
      length = view.getUint32(at);
      at += 4;
    } else if (marker >> 5 !== 0b101) {
      throw new Error(`${id}: marker ${marker}`);
    }
    at += length;
    return value.slice(at - length, at);
  };
  const text = (): string => new TextDecoder().decode(next());
  const records: [string, Uint8Array][] = [];
  while (at < value.length) {
    records.push([`${text()}/${key}${text()}`, next()]);
  }
  return records;
}
