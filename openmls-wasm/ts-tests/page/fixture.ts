/**
 * Databases of every layout and format there has been, as they were written then: `ts-tests/fixtures`. Each must open for ever.
 *
 * `window.makeFixture` is what made them, run over the version of the package that they are of (`node ts-tests/dist/make-fixture.js`).
 */

import { CoreCryptoClient, type CoreCryptoOptions, type VaultUnlock } from 'openmls-wasm';
import { connect, equal, freshName, result, type Scenario } from './support.js';

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const KEY: VaultUnlock = { kind: 'key', key: new Uint8Array(32).fill(7) };
const [GROUP, LEFT] = [utf8('the group'), utf8('a group that was left')];

/** A database, and what is to be found in it. */
interface Fixture {
  readonly version: number;
  readonly sealed: boolean;
  readonly stores: Readonly<Record<string, { readonly autoIncrement: boolean; readonly entries: readonly (readonly [Plain, Plain])[] }>>;
  /** Bob's messages that Alice has not read: of an epoch that is over, and of the present one. */
  readonly unread: readonly Plain[];
  /** What {@link about} said of the database when it was made. */
  readonly about: unknown;
}

/** A value of the database as JSON: bytes as `{ bytes }`, everything else as it is. */
type Plain = unknown;

async function makeFixture(sealed: boolean): Promise<Fixture> {
  const name = freshName();
  const options: CoreCryptoOptions = sealed ? { name, vault: { unlock: KEY } } : { name };
  let alice = await CoreCryptoClient.open(options);
  const bob = await CoreCryptoClient.open({ name: freshName() });
  await alice.createIdentity(utf8('alice'));
  await bob.createIdentity(utf8('bob'));
  await alice.generateKeyPackages(3);
  await alice.storeExternalPsk(utf8('psk id'), utf8('a secret both know'));
  for (const group of [GROUP, LEFT]) {
    const [keyPackage] = await bob.generateKeyPackages(1);
    await alice.createGroup(group);
    const commit = await alice.addMembers(group, keyPackage === undefined ? [] : [keyPackage]);
    await alice.mergePendingCommit(group);
    await bob.joinGroup(commit.welcome ?? new Uint8Array());
    await alice.setGroupName(group, utf8(`name of ${text(group)}`));
  }
  for (const round of [1, 2, 3]) {
    await bob.processMessage(await alice.encryptMessage(GROUP, utf8(`${round}`)));
    await alice.receiveMessage({ bytes: await bob.encryptMessage(GROUP, utf8(`answer ${round}`)), id: `answer ${round}` });
  }
  const late = await bob.encryptMessage(GROUP, utf8('late'));
  const commit = await alice.selfUpdate(GROUP);
  await alice.mergePendingCommit(GROUP);
  await bob.processMessage(commit.bytes ?? new Uint8Array());
  const present = await bob.encryptMessage(GROUP, utf8('present'));
  await alice.deleteGroup(LEFT);
  await alice.sendMessage(GROUP, utf8('not sent yet'));
  await alice.close();
  // What arrives while a client is opening goes through the durable queue; this one never gets to open.
  alice = new CoreCryptoClient(options);
  const waits = await bob.encryptMessage(GROUP, utf8('waits'));
  await alice.receiveMessage({ bytes: waits, id: 'waits' });
  await alice.close();
  await bob.close();
  const { version, stores } = await dumped(name);
  // Said of a copy: opening it changes it.
  const copy = freshName();
  await restore(copy, version, stores);
  return { version, sealed, stores, unread: [late, present].map(toPlain), about: await about({ ...options, name: copy }) };
}

/** What a user finds. */
async function about(options: CoreCryptoOptions): Promise<unknown> {
  const client = await CoreCryptoClient.open(options);
  const info = await client.groupInfo(GROUP);
  const found = {
    origin: client.origin,
    identity: text((await client.identity())?.identity ?? new Uint8Array()),
    groups: (await client.groupSummaries()).groups.map((group) => [text(group.groupId), text(group.name), group.memberCount]),
    epoch: String(info.epoch),
    members: info.members.map((member) => text(member.identity)),
    authenticator: toPlain(info.epochAuthenticator),
    inbox: (await client.inbox()).map((item) => [item.id, item.kind === 'message' ? text(item.plaintext) : item.kind]),
    outbox: (await client.outbox()).map((entry) => [entry.kind, toPlain(entry.bytes)]),
    // How many, not which state: they expire, and a fixture is for ever.
    keyPackages: (await client.keyPackages()).length,
    psks: (await client.externalPsks()).map((id) => text(id)),
  };
  await client.close();
  return found;
}

/** A fixture as it was, opened by this version, and worked with. */
async function opens(fixture: Fixture): Promise<void> {
  const name = freshName();
  await restore(name, fixture.version, fixture.stores);
  const options: CoreCryptoOptions = fixture.sealed ? { name, vault: { unlock: KEY } } : { name };
  equal(await about(options), fixture.about, 'what is found');
  const client = await CoreCryptoClient.open(options);
  const read = [];
  for (const bytes of fixture.unread) {
    const message = await client.processMessage(fromPlain(bytes) as Uint8Array);
    read.push(message.kind === 'message' ? text(message.plaintext) : message.kind);
  }
  equal(read, ['late', 'present'], 'messages that were not read yet');
  await client.encryptMessage(GROUP, utf8('on and on'));
  const commit = await client.selfUpdate(GROUP);
  await client.mergePendingCommit(GROUP);
  equal((commit.bytes?.length ?? 0) > 0, true, 'a commit');
  await client.close();
  const again = await CoreCryptoClient.open(options);
  await again.encryptMessage(GROUP, utf8('once more'));
  await again.close();
  // What was a record of its own up to layout 4 is stored with others now, and not where it was any more.
  const { stores } = await dumped(name);
  const records = (of: Fixture['stores'], store: string): number => of[store]?.entries.length ?? 0;
  for (const store of ['group_state', 'group_context', 'epoch_key_pairs']) {
    equal(records(stores, store), Math.max(0, records(fixture.stores, store) - 1), `${store}: records`);
  }
  equal(records(stores, 'epoch_records') > 0, true, 'records that are stored together');
}

async function dumped(name: string): Promise<Pick<Fixture, 'version' | 'stores'>> {
  const database = await connect(name);
  const stores: Record<string, Fixture['stores'][string]> = {};
  for (const store of database.objectStoreNames) {
    const objects = database.transaction(store).objectStore(store);
    const [keys, values] = await Promise.all([result(objects.getAllKeys()), result(objects.getAll() as IDBRequest<unknown[]>)]);
    stores[store] = { autoIncrement: objects.autoIncrement, entries: keys.map((key, index) => [toPlain(key), toPlain(values[index])] as const) };
  }
  const { version } = database;
  database.close();
  return { version, stores };
}

function restore(name: string, version: number, stores: Fixture['stores']): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(name, version);
    request.onupgradeneeded = () => {
      for (const [store, { autoIncrement, entries }] of Object.entries(stores)) {
        const objects = request.result.createObjectStore(store, { autoIncrement });
        for (const [key, value] of entries) {
          objects.put(fromPlain(value), fromPlain(key) as IDBValidKey);
        }
      }
    };
    request.onerror = () => reject(request.error ?? new Error('cannot restore'));
    request.onsuccess = () => {
      request.result.close();
      resolve();
    };
  });
}

function toPlain(value: unknown): Plain {
  if (value instanceof Uint8Array) {
    return { bytes: btoa(String.fromCharCode(...value)) };
  }
  if (Array.isArray(value)) {
    return value.map(toPlain);
  }
  if (typeof value === 'bigint') {
    return { bigint: String(value) };
  }
  return typeof value === 'object' && value !== null
    ? Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined).map(([key, field]) => [key, toPlain(field)]))
    : value;
}

function fromPlain(value: Plain): unknown {
  if (typeof value !== 'object' || value === null) {
    return value;
  }
  if (Array.isArray(value)) {
    return value.map(fromPlain);
  }
  const { bytes, bigint } = value as { readonly bytes?: string; readonly bigint?: string };
  if (typeof bytes === 'string' && Object.keys(value).length === 1) {
    return Uint8Array.from(atob(bytes), (character) => character.charCodeAt(0));
  }
  if (typeof bigint === 'string' && Object.keys(value).length === 1) {
    return BigInt(bigint);
  }
  return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, fromPlain(field)]));
}

/** One scenario for each fixture there is. */
export function fixtureScenarios(names: readonly string[]): Record<string, Scenario> {
  return Object.fromEntries(
    names.map((name) => [
      name,
      async () => opens((await (await fetch(`/ts-tests/fixtures/${name}.json`)).json()) as Fixture),
    ]),
  );
}

Object.assign(window, { makeFixture });
