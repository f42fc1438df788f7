/**
 * A small engine with the storage seam of the real one: enough of MLS to see whether the loop keeps its promises.
 *
 * A group is one record `counter/<group>`, the number of messages encrypted or processed. Encrypting returns that number,
 * so a number seen twice is a generation used twice.
 */

import type { Category, Engine, EngineHost, InboxItem, StorageEvent, StorageRecord } from 'openmls-wasm';

// All of the client scope: what is loaded on demand, the tests with the real engine see to.
const CATEGORIES: readonly Category[] = [
  { name: 'identity', scope: 'client' },
  { name: 'counter', scope: 'client' },
  { name: 'cursor', scope: 'client' },
  { name: 'inbox', scope: 'client' },
  { name: 'group_summary', scope: 'client' },
];

/** First byte of a message on which the engine panics. */
export const PANIC = 0xff;
/** First byte of a message that removes this client from the group. */
export const REMOVAL = 0xfd;
/** First byte of a message that is refused until the one at the position before it was processed. */
export const IN_ORDER = 0xfc;
/** First byte of a message that brings a credential into the group: the byte behind it is the identity. */
export const ENTRANT = 0xfb;
/** First byte of a Welcome that is not for this client, and of a key package that cannot be inspected, only added. */
export const JUNK = 0xfa;
/** First byte of a record that cannot be read. */
export const DAMAGED = 0xee;

export function hex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

class FakeMlsError extends Error {
  override readonly name = 'MlsError';
  constructor(
    readonly code: string,
    message: string,
    readonly category?: string,
    readonly key?: string,
  ) {
    super(message);
  }
}

type Records = Map<string, Uint8Array>;

interface FakeDelivered {
  readonly bytes: Uint8Array;
  readonly id?: string;
  readonly position?: number;
  readonly inspectedEpoch?: bigint;
}

/** What begins a framed message of a group whose id has four bytes (RFC 9420 §6.3). */
export const HEADER: readonly number[] = [0, 1, 0, 2, 4];

/** A message without the header, which it may have. */
function unframed(bytes: Uint8Array): Uint8Array {
  return HEADER.every((byte, index) => bytes[index] === byte) ? bytes.subarray(HEADER.length) : bytes;
}

function inEpoch(inspected: bigint | undefined, epoch: number): void {
  if (inspected !== undefined && inspected !== BigInt(epoch)) {
    throw new FakeMlsError('epoch-changed', 'inspect it again');
  }
}

function credential(bytes: Uint8Array, at: number): { identity: Uint8Array; certificates: []; signatureKey: Uint8Array; reason: string } {
  return { identity: bytes.slice(at, at + 1), certificates: [], signatureKey: Uint8Array.of(1), reason: 'added' };
}

/** The part of `MlsClient` that the tests call. */
export class FakeClient {
  #records: Records = new Map();
  #confirmed: Records = new Map();
  #dirty = new Map<string, Uint8Array | null>();
  #drained: { sequence: number; events: StorageEvent[] } | undefined;
  #sequence = 0;
  #poisoned = false;

  drainStorageEvents(): { sequence: number; events: StorageEvent[] } | undefined {
    this.#alive();
    if (this.#drained !== undefined) {
      throw new FakeMlsError('batch-unconfirmed', 'a batch is out');
    }
    if (this.#dirty.size === 0) {
      return undefined;
    }
    this.#sequence += 1;
    this.#drained = {
      sequence: this.#sequence,
      events: [...this.#dirty].map(([name, value]) => ({ ...split(name), value })),
    };
    this.#dirty = new Map();
    return this.#drained;
  }

  confirmBatch(sequence: number): void {
    for (const { category, key, value } of this.#take(sequence)) {
      apply(this.#confirmed, `${category}/${key}`, value);
    }
  }

  putBackBatch(sequence: number): void {
    const events = this.#take(sequence);
    this.#dirty = new Map([...events.map((e) => [`${e.category}/${e.key}`, e.value] as const), ...this.#dirty]);
  }

  rollBackUnconfirmed(): void {
    this.#alive();
    this.#records = new Map(this.#confirmed);
    this.#dirty = new Map();
    this.#drained = undefined;
  }

  hasUnconfirmed(): boolean {
    return this.#dirty.size > 0 || this.#drained !== undefined;
  }

  isDirty(): boolean {
    this.#alive();
    return this.#dirty.size > 0;
  }

  hydrateClient(records: readonly StorageRecord[]): void {
    this.hydrate(records);
  }

  nodesToLoad(): string[] {
    return [];
  }

  hydratePage(): void {
    throw new Error('nothing is loaded on demand');
  }

  releaseGroups(): void {
    this.#alive();
  }

  groupsWithEarlyMessages(): Uint8Array[] {
    return [];
  }

  hydrate(records: readonly StorageRecord[]): void {
    for (const { category, key, value } of records) {
      if (value[0] === DAMAGED) {
        throw new FakeMlsError('unsupported-format', `record ${category}/${key} has no known format`, category, key);
      }
    }
    for (const { category, key, value } of records) {
      this.#records.set(`${category}/${key}`, value);
      this.#confirmed.set(`${category}/${key}`, value);
    }
  }

  records(): StorageRecord[] {
    return [...this.#records].map(([name, value]) => ({ ...split(name), value }));
  }

  createGroup(groupId: Uint8Array = crypto.getRandomValues(new Uint8Array(4))): Uint8Array {
    this.#alive();
    if (this.#records.has(`counter/${hex(groupId)}`)) {
      throw new FakeMlsError('group-exists', 'there is a group of that id');
    }
    this.#put(`counter/${hex(groupId)}`, Uint8Array.of(0, 0));
    return groupId;
  }

  groupSummaries(): { groupId: Uint8Array }[] {
    const names = [...this.#records.keys()].filter((name) => name.startsWith('counter/'));
    return names.map((name) => ({ groupId: unhex(name.slice(8)) }));
  }

  encryptMessage(groupId: Uint8Array, plaintext: Uint8Array): Uint8Array {
    this.#alive();
    const next = this.#count(groupId) + 1;
    this.#put(`counter/${hex(groupId)}`, Uint8Array.of(next >> 8, next & 0xff));
    if (plaintext[0] === PANIC) {
      this.#poisoned = true;
      throw new WebAssembly.RuntimeError('unreachable');
    }
    return Uint8Array.of(next >> 8, next & 0xff);
  }

  /** The message's first four bytes are the group id. The epoch of a group is its number. */
  receiveMessage(delivered: FakeDelivered): InboxItem | undefined {
    this.#alive();
    const message = { ...delivered, bytes: unframed(delivered.bytes) };
    const groupId = message.bytes.slice(0, 4);
    const epoch = this.#count(groupId);
    const cursor = this.deliveryCursor(groupId);
    if (message.position !== undefined && cursor !== undefined && message.position <= cursor) {
      return undefined;
    }
    if (message.bytes[4] === IN_ORDER && message.position !== (cursor ?? 0) + 1) {
      throw new FakeMlsError('position-gap', 'fetch what lies between');
    }
    inEpoch(message.inspectedEpoch, epoch);
    this.#moveCursor(groupId, message.position);
    if (message.bytes[4] === PANIC) {
      this.#poisoned = true;
      throw new WebAssembly.RuntimeError('unreachable');
    }
    if (message.bytes[4] === REMOVAL) {
      this.#delete(`counter/${hex(groupId)}`);
      return this.#item('commit', groupId, message.id ?? 'none');
    }
    if (message.bytes[4] === ENTRANT) {
      this.#put(`counter/${hex(groupId)}`, Uint8Array.of((epoch + 1) >> 8, (epoch + 1) & 0xff));
    }
    return this.#item('message', groupId, message.id ?? 'none');
  }

  rejectMessage(message: FakeDelivered): InboxItem | undefined {
    const groupId = unframed(message.bytes).slice(0, 4);
    inEpoch(message.inspectedEpoch, this.#count(groupId));
    this.#moveCursor(groupId, message.position);
    return this.#item('failed', groupId, message.id ?? 'none');
  }

  inspectMessage(message: Uint8Array): object {
    const bytes = unframed(message);
    const groupId = bytes.slice(0, 4);
    return { groupId, groupEpoch: BigInt(this.#count(groupId)), credentials: bytes[4] === ENTRANT ? [credential(bytes, 5)] : [] };
  }

  processMessage(message: Uint8Array, inspectedEpoch?: bigint): object {
    const bytes = unframed(message);
    inEpoch(inspectedEpoch, this.#count(bytes.slice(0, 4)));
    this.receiveMessage({ bytes });
    return { groupId: bytes.slice(0, 4), kind: 'message' };
  }

  /** A Welcome is the group id and, where that is to be asked about, the identity of a member. */
  receiveWelcome(welcome: FakeDelivered): InboxItem | undefined {
    const groupId = welcome.bytes.slice(0, 4);
    if (welcome.bytes[0] === JUNK) {
      return this.#item('failed', groupId, welcome.id ?? 'none');
    }
    this.createGroup(groupId);
    return this.#item('joined', groupId, welcome.id ?? 'none');
  }

  rejectWelcome(welcome: FakeDelivered): InboxItem | undefined {
    return this.#item('failed', welcome.bytes.slice(0, 4), welcome.id ?? 'none');
  }

  inspectWelcome(welcome: Uint8Array): object {
    const groupId = welcome.slice(0, 4);
    if (welcome[0] === JUNK) {
      throw new FakeMlsError('no-matching-key-package', 'not for this client');
    }
    if (this.#records.has(`counter/${hex(groupId)}`)) {
      throw new FakeMlsError('group-exists', 'there is a group of that id');
    }
    return { groupId, epoch: 0n, credentials: welcome.length > 4 ? [credential(welcome, 4)] : [] };
  }

  /** A key package is the identity of its owner. */
  inspectKeyPackage(keyPackage: Uint8Array): object {
    if (keyPackage[0] === JUNK) {
      throw new FakeMlsError('invalid-key-package', 'fetch another one');
    }
    const { identity, signatureKey } = credential(keyPackage, 0);
    return { credential: { kind: 'basic', identity }, signatureKey };
  }

  addMembers(groupId: Uint8Array, keyPackages: readonly Uint8Array[], id = 'none'): object {
    this.encryptMessage(groupId, Uint8Array.of(0));
    return { id, groupId, kind: 'commit', added: keyPackages };
  }

  mergePendingCommit(): void {
    // There is never one.
  }

  /** What it was told to do with groups. */
  readonly told: unknown[] = [];

  setGroupSettings(settings: unknown): void {
    this.told.push(settings);
  }

  setAppCapabilities(capabilities: unknown): void {
    this.told.push(capabilities);
  }

  setEarlyMessageSettings(): void {
    // Nothing is early here.
  }

  nextEarlyMessage(): undefined {
    return undefined;
  }

  takeEarlyItems(): InboxItem[] {
    return [];
  }

  inbox(): InboxItem[] {
    return [...this.#records]
      .filter(([name]) => name.startsWith('inbox/'))
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, value]) => JSON.parse(new TextDecoder().decode(value.subarray(1))) as InboxItem & { name: typeof name });
  }

  deliveryCursor(groupId: Uint8Array): number | undefined {
    return this.#records.get(`cursor/${hex(groupId)}`)?.[0];
  }

  groupInfo(groupId: Uint8Array): { epoch: bigint } {
    return { epoch: BigInt(this.#count(groupId)) };
  }

  #moveCursor(groupId: Uint8Array, position: number | undefined): void {
    if (position !== undefined) {
      this.#put(`cursor/${hex(groupId)}`, Uint8Array.of(position));
    }
  }

  #item(kind: 'message' | 'commit' | 'joined' | 'failed', groupId: Uint8Array, id: string): InboxItem {
    const sequence = [...this.#records.keys()].filter((name) => name.startsWith('inbox/')).length + 1;
    const item = { kind, id, sequence } as unknown as InboxItem;
    const name = `inbox/${sequence.toString(16).padStart(16, '0')}`;
    this.#put(name, Uint8Array.of(1, ...new TextEncoder().encode(JSON.stringify(item))));
    return { ...item, groupId };
  }

  #count(groupId: Uint8Array): number {
    const value = this.#records.get(`counter/${hex(groupId)}`);
    if (value === undefined) {
      throw new FakeMlsError('group-not-found', `group ${hex(groupId)} is not in this database`);
    }
    return (value[0] ?? 0) * 256 + (value[1] ?? 0);
  }

  #put(name: string, value: Uint8Array): void {
    this.#records.set(name, value);
    this.#dirty.set(name, value);
  }

  #delete(name: string): void {
    this.#records.delete(name);
    this.#dirty.set(name, null);
  }

  #take(sequence: number): StorageEvent[] {
    this.#alive();
    const drained = this.#drained;
    if (drained?.sequence !== sequence) {
      throw new FakeMlsError('unknown-batch', 'no such batch is out');
    }
    this.#drained = undefined;
    return drained.events;
  }

  #alive(): void {
    if (this.#poisoned) {
      throw new Error('recursive use of an object detected');
    }
  }
}

/** Counts the engines it makes, and keeps the last. */
export class FakeHost implements EngineHost {
  started = 0;
  discarded = 0;
  client: FakeClient | undefined;
  format = 1;

  start(): Promise<Engine> {
    this.started += 1;
    const client = new FakeClient();
    this.client = client;
    // The client is not declared: what the package calls of it is nobody's interface.
    const engine: Engine & { readonly client: FakeClient } = {
      client,
      categories: CATEGORIES,
      formatVersion: this.format,
      argon2id: () => {
        throw new Error('the fake engine has no Argon2id');
      },
      discard: () => {
        this.discarded += 1;
      },
    };
    return Promise.resolve(engine);
  }
}

function apply(records: Records, name: string, value: Uint8Array | null): void {
  if (value === null) {
    records.delete(name);
  } else {
    records.set(name, value);
  }
}

function split(name: string): { category: string; key: string } {
  const slash = name.indexOf('/');
  return { category: name.slice(0, slash), key: name.slice(slash + 1) };
}

function unhex(text: string): Uint8Array {
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}
