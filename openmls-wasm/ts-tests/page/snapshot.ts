/** Snapshots: what is in the file, what becomes of it elsewhere, and who may send afterwards. */

import {
  CoreCryptoClient,
  CoreCryptoError,
  inspectSnapshot,
  opfsSink,
  restoreDatabase,
  SnapshotSchedule,
  type CoreCryptoOptions,
  type SnapshotKey,
  type SnapshotSink,
  type VaultUnlock,
} from 'openmls-wasm';
import { codeOf, connect, dump, equal, freshName, result, tamper, type Scenario } from './support.js';

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const PASSPHRASE = 'correct horse battery staple';
const KEY: VaultUnlock = { kind: 'key', key: new Uint8Array(32).fill(7) };
const GROUP = utf8('a group whose name is known');
const HEADER = 90;
const CHUNK = 64 * 1024 + 16;

/** Alice, whose snapshots these are, and Bob in a group. */
interface Pair {
  readonly name: string;
  readonly alice: CoreCryptoClient;
  readonly bob: CoreCryptoClient;
}

async function person(name: string, identity: string, options: Partial<CoreCryptoOptions> = {}): Promise<CoreCryptoClient> {
  const client = await CoreCryptoClient.open({ ...options, name });
  if ((await client.identity()) === undefined && identity !== '') {
    await client.createIdentity(utf8(identity));
  }
  return client;
}

async function pair(options: Partial<CoreCryptoOptions> = {}): Promise<Pair> {
  const name = freshName();
  const [alice, bob] = [await person(name, 'alice', options), await person(freshName(), 'bob')];
  await addGroup(alice, bob, GROUP);
  return { name, alice, bob };
}

async function addGroup(alice: CoreCryptoClient, bob: CoreCryptoClient, group: Uint8Array): Promise<void> {
  await alice.createGroup(group);
  const commit = await alice.addMembers(group, await bob.generateKeyPackages(1));
  await alice.mergePendingCommit(group);
  await alice.acknowledgeOutbox(commit.id).catch(() => undefined);
  await bob.joinGroup(commit.welcome ?? new Uint8Array());
}

async function talk(from: CoreCryptoClient, to: CoreCryptoClient, words: string, group: Uint8Array = GROUP): Promise<void> {
  const read = await to.processMessage(await from.encryptMessage(group, utf8(words)));
  equal(read.kind === 'message' && text(read.plaintext), words, `what was read of "${words}"`);
}

/** One run of Argon2id for all of them; the passphrase's own test has another. */
let made: Promise<SnapshotKey> | undefined;

async function keyOf(client: CoreCryptoClient): Promise<SnapshotKey> {
  made ??= client.snapshotKey(PASSPHRASE);
  return made;
}

async function fileOf(stream: ReadableStream<Uint8Array>): Promise<Blob> {
  return new Response(stream as BodyInit).blob();
}

async function backup(client: CoreCryptoClient, options: { groups?: Uint8Array[]; appData?: Blob } = {}): Promise<Blob> {
  return fileOf(await client.exportSnapshot({ ...options, passphrase: await keyOf(client) }));
}

async function rejoin(client: CoreCryptoClient, member: CoreCryptoClient, group: Uint8Array = GROUP): Promise<Uint8Array> {
  const commit = await client.joinByExternalCommit(await member.exportGroupInfo(group));
  await member.processMessage(commit.bytes ?? new Uint8Array());
  await client.acceptExternalJoin(commit.id);
  return commit.bytes ?? new Uint8Array();
}

async function recordsOf(name: string): Promise<Record<string, string>> {
  return Object.fromEntries(Object.entries(await dump(name)).filter(([key]) => !/^meta\//.test(key)));
}

async function bytesOf(file: Blob): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await file.arrayBuffer());
}

/** Random, so that it does not become smaller anywhere, and has an end of its own. */
function randomBlob(size: number): Blob {
  const parts = Array.from({ length: Math.ceil(size / 65_536) }, (_, index) =>
    crypto.getRandomValues(new Uint8Array(Math.min(65_536, size - index * 65_536))),
  );
  return new Blob(parts);
}

async function same(one: Blob | undefined, other: Blob): Promise<boolean> {
  const hash = async (blob: Blob): Promise<string> => [...new Uint8Array(await crypto.subtle.digest('SHA-256', await blob.arrayBuffer()))].join();
  return one !== undefined && (await hash(one)) === (await hash(other));
}

export const snapshot: Record<string, Scenario> = {
  'a restored group is read, sends only after it was joined anew, and the old device learns of it': async () => {
    const { alice, bob } = await pair();
    await alice.setGroupName(GROUP, utf8('friends'));
    await alice.receiveMessage({ bytes: await bob.encryptMessage(GROUP, utf8('not saved yet')), id: 'one' });
    const history = new Blob(['what the app', ' has kept']);
    const file = await backup(alice, { appData: history });
    const info = await inspectSnapshot(file);
    equal([info.version, info.kind, info.size], [1, 'backup', file.size], 'what anybody may see');
    equal(Math.abs(Date.now() - info.createdAt) < 60_000, true, 'the date');
    const content = text(await bytesOf(file));
    equal(['friends', 'alice', 'not saved yet', 'what the app'].filter((word) => content.includes(word)), [], 'and no more');

    const name = freshName();
    const again = await person(name, '');
    const report = await again.importSnapshot(file, { passphrase: PASSPHRASE });
    equal([report.added.map(text), report.untouched.length, report.unreadable.length], [[text(GROUP)], 0, 0], 'the report');
    equal(await report.appData?.text(), 'what the app has kept', 'what the app had added');
    equal(await again.identity(), await alice.identity(), 'the identity');
    const [group] = (await again.groupSummaries()).groups;
    equal([group && text(group.name), group?.role, group?.memberCount], ['friends', 'inert', 2], 'the group in the list');
    equal((await again.inbox()).map((item) => item.kind === 'message' && text(item.plaintext)), ['not saved yet'], 'the inbox');
    const calls: Record<string, () => Promise<unknown>> = {
      sendMessage: () => again.sendMessage(GROUP, utf8('x')),
      encryptMessage: () => again.encryptMessage(GROUP, utf8('x')),
      selfUpdate: () => again.selfUpdate(GROUP),
      removeMembers: () => again.removeMembers(GROUP, [1]),
      leaveGroup: () => again.leaveGroup(GROUP),
      groupInfo: () => again.groupInfo(GROUP),
      receiveMessage: async () => again.receiveMessage({ bytes: await bob.encryptMessage(GROUP, utf8('x')) }),
    };
    for (const [what, call] of Object.entries(calls)) {
      equal(await codeOf(call()), 'group-inert', what);
    }

    const commit = await rejoin(again, bob);
    equal((await bob.groupInfo(GROUP)).members.length, 2, 'the old leaf is gone');
    await talk(again, bob, 'I am back');
    await talk(bob, again, 'welcome back');
    const learned = await alice.receiveMessage({ bytes: commit });
    const own = (await alice.identity())?.signaturePublicKey ?? new Uint8Array();
    equal(
      learned?.kind === 'commit' && [learned.selfRemoved, learned.external, learned.added.map((party) => [...party.signatureKey].join())],
      [true, true, [[...own].join()]],
      'what the old device learns',
    );
    equal(await codeOf(alice.sendMessage(GROUP, utf8('x'))), 'group-inactive', 'the old device');
    await again.close();
    const reopened = await person(name, '');
    await talk(reopened, bob, 'after a restart');
    await Promise.all([alice.close(), bob.close(), reopened.close()]);
  },

  'import changes no group that is live': async () => {
    const { name, alice, bob } = await pair();
    const other = utf8('another group');
    await addGroup(alice, bob, other);
    const file = await backup(alice);
    await talk(alice, bob, 'newer');
    await alice.deleteGroup(other);
    const ofGroup = async (): Promise<Record<string, string>> => {
      const id = [...GROUP].map((byte) => byte.toString(16).padStart(2, '0')).join('');
      return Object.fromEntries(Object.entries(await recordsOf(name)).filter(([key]) => key.includes(id)));
    };
    const before = await ofGroup();
    equal(Object.keys(before).length > 4, true, 'there is a group');
    const report = await alice.importSnapshot(file, { passphrase: PASSPHRASE });
    equal([report.untouched.map(text), report.added.map(text)], [[text(GROUP)], [text(other)]], 'the report');
    equal(await ofGroup(), before, 'the records of the live group');
    await talk(alice, bob, 'and on');
    equal(await codeOf(alice.sendMessage(other, utf8('x'))), 'group-inert', 'the other one');
    // Once more is as good as once.
    const whole = await recordsOf(name);
    const second = await alice.importSnapshot(file, { passphrase: PASSPHRASE });
    equal([second.added.length, second.untouched.length], [0, 2], 'the second report');
    equal(await recordsOf(name), whole, 'the database after the second import');
    await alice.deleteGroup(other);
    equal((await alice.listGroups()).length, 1, 'an inert group can be deleted');
    await Promise.all([alice.close(), bob.close()]);
  },

  'no key package comes back': async () => {
    const alice = await person(freshName(), 'alice');
    const bob = await person(freshName(), 'bob');
    const [keyPackage] = await bob.generateKeyPackages(1);
    const early = await backup(bob);
    await alice.createGroup(GROUP);
    const { welcome } = await alice.addMembers(GROUP, keyPackage === undefined ? [] : [keyPackage]);
    await alice.mergePendingCommit(GROUP);
    await bob.joinGroup(welcome ?? new Uint8Array());
    const late = await backup(bob);
    for (const [what, file, code] of [['early', early, 'no-matching-key-package'], ['late', late, 'key-package-used']] as const) {
      const again = await person(freshName(), '');
      await again.importSnapshot(file, { passphrase: PASSPHRASE });
      equal((await again.keyPackages()).filter(({ state }) => state === 'available').length, 0, `${what}: key packages`);
      equal(await codeOf(again.joinGroup(welcome ?? new Uint8Array())), code, `${what}: the Welcome`);
      await again.close();
    }
    await Promise.all([alice.close(), bob.close()]);
  },

  'a file that was changed anywhere is refused, and nothing of it is imported': async () => {
    const { alice, bob } = await pair();
    // Several chunks.
    const file = await backup(alice, { appData: randomBlob(200_000) });
    const whole = await bytesOf(file);
    const chunks = Math.ceil((whole.length - HEADER) / CHUNK);
    equal(chunks > 3, true, `${chunks} chunks`);
    const chunk = (index: number): Uint8Array<ArrayBuffer> => whole.slice(HEADER + index * CHUNK, HEADER + (index + 1) * CHUNK);
    const header = whole.slice(0, HEADER);
    const flipped = (at: number): Blob => new Blob([whole.slice(0, at), Uint8Array.of((whole[at] ?? 0) ^ 1), whole.slice(at + 1)]);
    const damaged: Record<string, Blob> = {
      'cut off in the last chunk': file.slice(0, file.size - 1),
      'cut off behind a chunk': file.slice(0, HEADER + 2 * CHUNK),
      'cut off in a chunk': file.slice(0, HEADER + 2 * CHUNK + 100),
      'the header alone': file.slice(0, HEADER),
      'half a header': file.slice(0, 50),
      nothing: new Blob([]),
      'something else': new Blob(['{"a": "file"}']),
      'one byte more': new Blob([file, Uint8Array.of(0)]),
      'one chunk more': new Blob([file, chunk(0)]),
      'two chunks exchanged': new Blob([header, chunk(1), chunk(0), ...Array.from({ length: chunks - 2 }, (_, index) => chunk(index + 2))]),
      'one chunk twice': new Blob([header, chunk(0), chunk(0), ...Array.from({ length: chunks - 2 }, (_, index) => chunk(index + 2))]),
      'one chunk left out': new Blob([header, chunk(0), ...Array.from({ length: chunks - 2 }, (_, index) => chunk(index + 2))]),
    };
    // The kind, the date; every part of a chunk.
    for (const at of [10, 17, HEADER, HEADER + 1000, HEADER + CHUNK - 1, HEADER + 2 * CHUNK + 5, whole.length - 17, whole.length - 1]) {
      damaged[`byte ${at} of ${whole.length}`] = flipped(at);
    }
    const name = freshName();
    const again = await person(name, '');
    const before = await recordsOf(name);
    for (const [what, blob] of Object.entries(damaged)) {
      equal(await codeOf(again.importSnapshot(blob, { passphrase: PASSPHRASE })), 'snapshot-damaged', what);
    }
    for (const [what, blob] of [['salt of Argon2id', flipped(30)], ['salt of the file', flipped(50)], ['check', flipped(80)]] as const) {
      equal(await codeOf(again.importSnapshot(blob, { passphrase: PASSPHRASE })), 'unlock-failed', what);
    }
    const costly = whole.slice();
    new DataView(costly.buffer).setUint32(18, 4 * 1024 * 1024);
    equal(await codeOf(again.importSnapshot(new Blob([costly]), { passphrase: PASSPHRASE })), 'snapshot-damaged', 'asking for 4 GiB');
    const newer = whole.slice();
    newer[8] = 2;
    equal(await codeOf(inspectSnapshot(new Blob([newer]))), 'newer-format', 'of a newer version');
    equal(await codeOf(again.importSnapshot(file, { passphrase: 'another' })), 'unlock-failed', 'another passphrase');
    equal(await codeOf(again.importSnapshot('x' as unknown as Blob, { passphrase: PASSPHRASE })), 'invalid-argument', 'no Blob');
    equal(await recordsOf(name), before, 'the database');
    const report = await again.importSnapshot(file, { passphrase: PASSPHRASE });
    equal([report.added.length, report.appData?.size], [1, 200_000], 'and the file itself');
    await Promise.all([alice.close(), bob.close(), again.close()]);
  },

  'every length of content, around the end of a chunk': async () => {
    const alice = await person(freshName(), 'alice');
    const again = await person(freshName(), '');
    const { size } = await backup(alice, { appData: new Blob([new Uint8Array(1)]) });
    // So that the content ends just before, at, and just behind the end of the second chunk.
    const room = 2 * CHUNK + HEADER - size;
    for (const more of [-1, 0, 1, 2]) {
      const appData = randomBlob(1 + room + more - 16);
      const file = await backup(alice, { appData });
      const { appData: back } = await again.importSnapshot(file, { passphrase: PASSPHRASE });
      equal(await same(back, appData), true, `${file.size - HEADER - 2 * CHUNK} bytes beyond two chunks`);
    }
    await Promise.all([alice.close(), again.close()]);
  },

  'another identity is refused': async () => {
    const { alice, bob } = await pair();
    equal(await codeOf(bob.importSnapshot(await backup(alice), { passphrase: PASSPHRASE })), 'identity-conflict', 'the import');
    await talk(bob, alice, 'as before');
    await Promise.all([alice.close(), bob.close()]);
  },

  'chosen groups only, sealed databases, and a group that is damaged': async () => {
    const { name, alice, bob } = await pair({ vault: { unlock: KEY } });
    const [other, third] = [utf8('another group'), utf8('a third group')];
    await addGroup(alice, bob, other);
    await addGroup(alice, bob, third);
    const chosen = await backup(alice, { groups: [GROUP, third] });
    const again = await person(freshName(), '', { vault: { unlock: KEY } });
    const report = await again.importSnapshot(chosen, { passphrase: PASSPHRASE });
    equal(report.added.map(text).sort(), [text(third), text(GROUP)].sort(), 'the groups');
    await rejoin(again, bob);
    await talk(again, bob, 'from a sealed one');
    await alice.close();
    const database = await connect(name);
    const [key] = await result(database.transaction('epoch_records').objectStore('epoch_records').getAllKeys());
    database.close();
    await tamper(name, 'epoch_records', (store) => store.put(new Uint8Array(100), key ?? ''));
    const damaged = await person(name, '', { vault: { unlock: KEY } });
    const rest = await person(freshName(), '');
    const partly = await rest.importSnapshot(await backup(damaged), { passphrase: PASSPHRASE });
    equal([partly.added.length, partly.unreadable.length], [2, 1], 'the group that cannot be read keeps no other out');
    await Promise.all([damaged.close(), bob.close(), again.close(), rest.close()]);
  },

  'moving: the old database sends no more, the new one goes on': async () => {
    for (const [from, to] of [[undefined, undefined], [{ unlock: KEY }, undefined], [undefined, { unlock: KEY }]]) {
      const { name, alice, bob } = await pair(from === undefined ? {} : { vault: from });
      await talk(alice, bob, 'before');
      const appData = randomBlob(1000);
      const file = await fileOf(await alice.exportSnapshot({ passphrase: PASSPHRASE, kind: 'full', appData }));
      const refused: Record<string, () => Promise<unknown>> = {
        sendMessage: () => alice.sendMessage(GROUP, utf8('x')),
        encryptMessage: () => alice.encryptMessage(GROUP, utf8('x')),
        selfUpdate: () => alice.selfUpdate(GROUP),
        generateKeyPackages: () => alice.generateKeyPackages(1),
        deleteGroup: () => alice.deleteGroup(GROUP),
      };
      for (const [what, call] of Object.entries(refused)) {
        equal(await codeOf(call()), 'moved-away', what);
      }
      equal((await alice.groupInfo(GROUP)).members.length, 2, 'it can be read');
      await alice.close();
      const old = await person(name, '', from === undefined ? {} : { vault: from });
      equal(await codeOf(old.sendMessage(GROUP, utf8('x'))), 'moved-away', 'after a restart');
      await old.close();

      const where = freshName();
      const task = { name: where, file, passphrase: PASSPHRASE, vault: to };
      equal(await codeOf(restoreDatabase({ ...task, passphrase: 'another' })), 'unlock-failed', 'another passphrase');
      equal(await codeOf(restoreDatabase({ ...task, file: file.slice(0, file.size - 1) })), 'snapshot-damaged', 'cut short');
      const report = await restoreDatabase(task);
      equal(await same(report.appData, appData), true, 'what the app had added');
      equal(await codeOf(restoreDatabase(task)), 'database-exists', 'once more');
      const moved = await person(where, '', to === undefined ? {} : { vault: to });
      equal(moved.origin, 'restored', 'the origin');
      await talk(moved, bob, 'from the new one');
      await talk(bob, moved, 'to the new one');
      equal(await codeOf(moved.importSnapshot(file, { passphrase: PASSPHRASE })), 'invalid-argument', 'a full export is no backup');
      await Promise.all([moved.close(), bob.close()]);
    }
  },

  'what waits in the durable queue moves too': async () => {
    for (const [from, to, replace] of [[{}, {}, false], [{ vault: { unlock: KEY } }, {}, true], [{}, { vault: { unlock: KEY } }, true]] as const) {
      const { name, alice, bob } = await pair(from);
      const [one, two] = [await bob.encryptMessage(GROUP, utf8('one')), await bob.encryptMessage(GROUP, utf8('two'))];
      await alice.close();
      // The second message is there and the first is not: it is refused, and kept.
      const opening = new CoreCryptoClient({ ...from, name });
      await opening.receiveMessage({ bytes: two, id: 'two', position: 2 });
      await opening.open();
      equal(await opening.inbox(), [], 'nothing was read yet');
      const file = await fileOf(await opening.exportSnapshot({ passphrase: await keyOf(opening), kind: 'full' }));
      await opening.close();
      const where = freshName();
      if (replace) {
        await (await person(where, 'somebody else', to)).close();
      }
      await restoreDatabase({ name: where, file, passphrase: PASSPHRASE, replace, ...to });
      const moved = new CoreCryptoClient({ ...to, name: where });
      await moved.receiveMessage({ bytes: one, id: 'one', position: 1 });
      await moved.open();
      equal((await moved.inbox()).map((item) => [item.id, item.kind === 'message' && text(item.plaintext)]), [['one', 'one'], ['two', 'two']], 'both');
      await Promise.all([moved.close(), bob.close()]);
    }
  },

  'a move that is cancelled has moved nothing': async () => {
    const { alice, bob } = await pair();
    const stream = await alice.exportSnapshot({ passphrase: await keyOf(alice), kind: 'full', appData: randomBlob(300_000) });
    await talk(alice, bob, 'before anything is read');
    const reader = stream.getReader();
    await reader.read();
    await reader.read();
    equal(await codeOf(alice.encryptMessage(GROUP, utf8('x'))), 'moved-away', 'while it is read');
    await reader.cancel();
    await talk(alice, bob, 'after it was cancelled');
    const key = await keyOf(alice);
    const [one, other] = await Promise.all([1, 2].map(() => alice.exportSnapshot({ passphrase: key, kind: 'full' })));
    const reading = one?.getReader();
    await reading?.read();
    equal(await codeOf(other?.getReader().read() ?? Promise.resolve()), 'invalid-argument', 'a second one meanwhile');
    equal(await codeOf(alice.encryptMessage(GROUP, utf8('x'))), 'moved-away', 'the first one goes on');
    await reading?.cancel();
    // A file without its end is of no use.
    const parts: Uint8Array<ArrayBuffer>[] = [];
    const second = (await alice.exportSnapshot({ passphrase: await keyOf(alice), kind: 'full', appData: randomBlob(300_000) })).getReader();
    for (let index = 0; index < 4; index += 1) {
      parts.push((await second.read()).value as Uint8Array<ArrayBuffer>);
    }
    await second.cancel();
    equal(
      await codeOf(restoreDatabase({ name: freshName(), file: new Blob(parts), passphrase: PASSPHRASE })),
      'snapshot-damaged',
      'restoring what there is of it',
    );
    await talk(alice, bob, 'and on');
    await Promise.all([alice.close(), bob.close()]);
  },

  'replacing keeps the old database until the new one is whole': async () => {
    const { alice, bob } = await pair();
    const file = await fileOf(await alice.exportSnapshot({ passphrase: PASSPHRASE, kind: 'full' }));
    await alice.close();
    const name = freshName();
    await (await person(name, 'somebody else')).close();
    const before = await dump(name);
    const task = { name, file, passphrase: PASSPHRASE };
    equal(await codeOf(restoreDatabase(task)), 'database-exists', 'without replace');
    equal(await dump(name), before, 'the database after that');
    let interrupted = 0;
    for (let nth = 1; ; nth += 1) {
      const code = await codeOf(withAborted(nth, () => restoreDatabase({ ...task, replace: true })));
      if (code === 'resolved') {
        break;
      }
      interrupted += 1;
      const opened = CoreCryptoClient.open({ name });
      const outcome = await codeOf(opened);
      if (outcome === 'resolved') {
        const client = await opened;
        equal(text((await client.identity())?.identity ?? new Uint8Array()), 'somebody else', `${nth}: the old one`);
        await client.close();
      } else {
        equal(outcome, 'restore-unfinished', `${nth}: what is not whole is not opened`);
      }
    }
    equal(interrupted > 5, true, `interrupted ${interrupted} times`);
    const moved = await person(name, '');
    await talk(moved, bob, 'from the new one');
    equal((await indexedDB.databases()).some((one) => one.name === `${name} (restoring)`), false, 'nothing is left beside it');
    await moved.close();
    // It has gone on: what the file holds is older now, and would use keys again.
    await restoreDatabase({ ...task, replace: true });
    const again = await person(name, '');
    await talk(again, bob, 'not put back');
    await Promise.all([again.close(), bob.close()]);
  },

  'snapshots by themselves, and the oldest go': async () => {
    const { alice, bob } = await pair();
    const files = new Map<string, Blob>();
    const sink: SnapshotSink = {
      save: async (name, content) => void files.set(name, await fileOf(content)),
      list: async () => [...files.keys()],
      remove: async (name) => void files.delete(name),
    };
    files.set('a file of somebody else', new Blob([]));
    const errors: unknown[] = [];
    const schedule = await SnapshotSchedule.start(alice, {
      passphrase: await keyOf(alice),
      sink,
      everyCommits: 2,
      beforeRemoval: true,
      keep: 2,
      appData: () => new Blob(['history']),
      onError: (error) => errors.push(error),
    });
    const count = (): number => files.size - 1;
    for (let commit = 0; commit < 4; commit += 1) {
      await bob.processMessage((await alice.selfUpdate(GROUP)).bytes ?? new Uint8Array());
      await alice.mergePendingCommit(GROUP);
    }
    await schedule.stop();
    equal([count(), errors.map(String)], [2, []], 'after four commits');
    await alice.selfUpdate(GROUP);
    await alice.clearPendingCommit(GROUP);
    const before = await SnapshotSchedule.start(alice, { passphrase: await keyOf(alice), sink, beforeRemoval: true, keep: 2 });
    await alice.outbox();
    const known = [...files.keys()];
    const removed = alice.removeMembers(GROUP, [1]);
    await removed.catch(() => undefined);
    equal([count(), [...files.keys()].filter((name) => !known.includes(name)).length], [2, 1], 'before a removal');
    await before.take();
    await before.stop();
    equal([count(), files.has('a file of somebody else')], [2, true], 'the oldest are gone, and no others');
    const again = await person(freshName(), '');
    const newest = [...files.keys()].filter((name) => name.startsWith('snapshot ')).sort().at(-1) ?? '';
    const report = await again.importSnapshot(files.get(newest) ?? new Blob([]), { passphrase: PASSPHRASE });
    equal(report.added.length, 1, 'what is in the newest');
    equal(await codeOf(SnapshotSchedule.start(alice, { passphrase: PASSPHRASE, sink, everyMs: 0 })), 'invalid-argument', 'a period of nothing');
    await Promise.all([alice.close(), bob.close(), again.close()]);
  },

  'a file of the private file system': async () => {
    const { alice, bob } = await pair();
    const sink = opfsSink(`snapshots ${crypto.randomUUID()}`);
    const schedule = await SnapshotSchedule.start(alice, { passphrase: await keyOf(alice), sink, keep: 1 });
    await schedule.take();
    await new Promise((resolve) => setTimeout(resolve, 5));
    await schedule.take();
    const names = (await sink.list?.()) ?? [];
    equal(names.length, 1, 'files');
    await sink.remove?.(names[0] ?? '');
    await sink.save('by hand', await alice.exportSnapshot({ passphrase: await keyOf(alice) }));
    await sink
      .save('fails', new ReadableStream({ pull: (controller) => controller.error(new Error('broken')) }))
      .then(() => equal(true, false, 'a stream that fails'), () => undefined);
    equal(await sink.list?.(), ['by hand'], 'what has failed is not there');
    await schedule.stop();
    await Promise.all([alice.close(), bob.close()]);
  },

  'a large database is read as the file is asked for, and takes little more than reading it': async () => {
    const name = freshName();
    await (await person(name, 'bob')).close();
    await fill(name, MEBIBYTES);
    const raw = await fastest(() => readRaw(name));
    const client = await person(name, '');
    const key = await keyOf(client);
    const counted = await withCountedReads(async (read) => {
      const reader = (await client.exportSnapshot({ passphrase: key, kind: 'full' })).getReader();
      let most = 0;
      for (let written = 0, part = await reader.read(); part.done !== true; part = await reader.read()) {
        written += part.value.length;
        most = Math.max(most, read() - written);
      }
      return most;
    });
    equal(counted < 8 * 1024 * 1024, true, `${counted} bytes read ahead of the file, at most`);
    const exported = await fastest(async () => {
      const reader = (await client.exportSnapshot({ passphrase: key, kind: 'full' })).getReader();
      while ((await reader.read()).done !== true) {
        // Thrown away.
      }
    });
    console.info(`full export of ${MEBIBYTES} MiB: ${Math.round(exported)} ms, raw read ${Math.round(raw)} ms`);
    equal(exported < 3 * raw, true, `${exported} ms to export what takes ${raw} ms to read`);
    await client.close();
  },

  'arguments that cannot be': async () => {
    const { alice, bob } = await pair();
    const wrong: Record<string, object | undefined> = {
      'no options': undefined,
      'an empty passphrase': { passphrase: '' },
      'no passphrase': {},
      'another kind': { passphrase: PASSPHRASE, kind: 'half' },
      'chosen groups of all': { passphrase: PASSPHRASE, kind: 'full', groups: [GROUP] },
      'app data that is text': { passphrase: PASSPHRASE, appData: 'text' },
    };
    for (const [what, options] of Object.entries(wrong)) {
      equal(await codeOf(alice.exportSnapshot(options as { passphrase: string })), 'invalid-argument', what);
    }
    equal(await codeOf(alice.snapshotKey('x', { memoryKiB: 8, iterations: 1 })), 'invalid-argument', 'too cheap');
    const file = await backup(alice);
    equal(await codeOf(restoreDatabase({ name: freshName(), file, passphrase: PASSPHRASE })), 'invalid-argument', 'restoring a backup');
    await Promise.all([alice.close(), bob.close()]);
    const stream = alice.exportSnapshot({ passphrase: PASSPHRASE });
    equal(await codeOf(stream), 'closed', 'of a client that is closed');
  },
};

const MEBIBYTES = Number(new URLSearchParams(location.search).get('mebibytes') ?? 32);
const RECORD = 4096;

/** Fills a store that opening does not read. */
async function fill(name: string, mebibytes: number): Promise<void> {
  const database = await connect(name);
  const value = crypto.getRandomValues(new Uint8Array(RECORD));
  for (let at = 0; at < mebibytes; at += 1) {
    const transaction = database.transaction('message_secrets', 'readwrite');
    for (let index = 0; index < (1024 * 1024) / RECORD; index += 1) {
      transaction.objectStore('message_secrets').put(value, `${at.toString(16).padStart(8, '0')}/${index.toString(16).padStart(16, '0')}`);
    }
    await new Promise((resolve) => (transaction.oncomplete = resolve));
  }
  database.close();
}

/** Reads every record of a database, page by page, and does nothing with them. */
async function readRaw(name: string): Promise<void> {
  const database = await connect(name);
  for (const store of database.objectStoreNames) {
    for (let after: IDBValidKey | undefined, more = true; more; ) {
      const range = after === undefined ? null : IDBKeyRange.lowerBound(after, true);
      const objects = database.transaction(store).objectStore(store);
      const [keys, values] = await Promise.all([result(objects.getAllKeys(range, 128)), result(objects.getAll(range, 128))]);
      after = keys.at(-1);
      more = values.length === 128;
    }
  }
  database.close();
}

/** Milliseconds, of the fastest of three. */
async function fastest(body: () => Promise<void>): Promise<number> {
  const times: number[] = [];
  for (let run = 0; run < 3; run += 1) {
    const start = performance.now();
    await body();
    times.push(performance.now() - start);
  }
  return Math.min(...times);
}

/** Tells how many bytes of records were read so far. */
async function withCountedReads<T>(body: (read: () => number) => Promise<T>): Promise<T> {
  const real = IDBObjectStore.prototype.getAll;
  let bytes = 0;
  IDBObjectStore.prototype.getAll = function (...args: Parameters<typeof real>): IDBRequest<unknown[]> {
    const request = real.apply(this, args);
    request.addEventListener('success', () => {
      bytes += request.result.reduce<number>((sum, value) => sum + (value instanceof Uint8Array ? value.length : 0), 0);
    });
    return request;
  };
  try {
    return await body(() => bytes);
  } finally {
    IDBObjectStore.prototype.getAll = real;
  }
}

/** Runs `body` with the `nth` read-write transaction aborted, and all after it. */
async function withAborted<T>(nth: number, body: () => Promise<T>): Promise<T> {
  const real = IDBDatabase.prototype.transaction;
  let count = 0;
  IDBDatabase.prototype.transaction = function (stores, mode, options): IDBTransaction {
    const transaction = real.call(this, stores, mode, options);
    if (mode === 'readwrite') {
      count += 1;
      if (count >= nth) {
        queueMicrotask(() => transaction.abort());
      }
    }
    return transaction;
  };
  try {
    return await body();
  } catch (error) {
    throw error instanceof CoreCryptoError ? error : new CoreCryptoError('storage-failed', String(error));
  } finally {
    IDBDatabase.prototype.transaction = real;
  }
}
