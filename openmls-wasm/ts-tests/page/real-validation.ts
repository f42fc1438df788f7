/** The app's decision on credentials, over the real engine. */

import { CoreCryptoClient, type CredentialToValidate, type InboxItem, type OutboxEntry } from 'openmls-wasm';
import { codeOf, equal, freshName, next, type Scenario } from './support.js';

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** What the app was asked, as `reason name`, and whom it does not let in. */
class Door {
  readonly asked: string[] = [];
  readonly closedTo = new Set<string>();
  readonly validateCredential = async ({ reason, identity, before }: CredentialToValidate): Promise<boolean> => {
    const name = text(identity);
    this.asked.push(before === undefined ? `${reason} ${name}` : `${reason} ${text(before.identity)} ${name}`);
    await undefined;
    return !this.closedTo.has(name);
  };
}

async function person(name: string, door?: Door): Promise<CoreCryptoClient> {
  const client = await CoreCryptoClient.open({
    name: freshName(),
    ...(door === undefined ? {} : { validateCredential: door.validateCredential }),
  });
  await client.createIdentity(utf8(name));
  return client;
}

async function keyPackage(client: CoreCryptoClient): Promise<Uint8Array> {
  const [made] = await client.generateKeyPackages(1);
  return made ?? new Uint8Array();
}

const bytesOf = (entry: OutboxEntry): Uint8Array => entry.bytes ?? new Uint8Array();

/** Adds by Alice, who merges at once. */
async function add(alice: CoreCryptoClient, group: Uint8Array, whom: Uint8Array): Promise<OutboxEntry> {
  const entry = await alice.addMembers(group, [whom]);
  await alice.mergePendingCommit(group);
  return entry;
}

async function members(client: CoreCryptoClient, group: Uint8Array): Promise<string[]> {
  return (await client.groupInfo(group)).members.map(({ identity }) => text(identity));
}

export const realValidation: Record<string, Scenario> = {
  'who joins, is added, comes in by an external commit or changes its name is asked about': async () => {
    const door = new Door();
    const [alice, bob, carol, dave] = [await person('alice'), await person('bob', door), await person('carol'), await person('dave')];
    const group = await alice.createGroup();
    const welcome = (await add(alice, group, await keyPackage(bob))).welcome ?? new Uint8Array();
    door.closedTo.add('alice');
    equal((await bob.receiveWelcome({ bytes: welcome, position: 1 }))?.kind, 'failed', 'the Welcome refused');
    equal(await codeOf(bob.joinGroup(welcome)), 'credential-rejected', 'the same by joinGroup');
    door.closedTo.clear();
    equal((await bob.receiveWelcome({ bytes: welcome, position: 2, groupPosition: 1 }))?.kind, 'joined', 'accepted');
    equal(door.asked, ['member alice', 'member alice', 'member alice', 'member bob'], 'asked to join');

    door.asked.length = 0;
    const added = bytesOf(await add(alice, group, await keyPackage(carol)));
    const external = bytesOf(await dave.joinByExternalCommit(await alice.exportGroupInfo(group)));
    await alice.processMessage(external);
    await alice.commit(group, { leaf: { credential: { kind: 'basic', identity: utf8('alicia') } } });
    const [renamed] = await alice.outbox().then((entries) => entries.filter(({ kind }) => kind === 'commit'));
    await alice.mergePendingCommit(group);
    const items = await Promise.all([
      bob.receiveMessage({ bytes: added, position: 2 }),
      bob.receiveMessage({ bytes: external, position: 3 }),
      bob.receiveMessage({ bytes: renamed?.bytes ?? new Uint8Array(), position: 4 }),
    ]);
    equal(items.map((item) => item?.kind), ['commit', 'commit', 'commit'], 'items');
    equal(door.asked, ['added carol', 'external-join dave', 'updated alice alicia'], 'asked');
    equal(await members(bob, group), await members(alice, group), 'members');
    await Promise.all([alice, bob, carol, dave].map((client) => client.close()));
  },

  'a refused addition leaves the group as it was, one of its own making is not made': async () => {
    const door = new Door();
    const [alice, bob, mallory] = [await person('alice'), await person('bob', door), await person('mallory')];
    const group = await alice.createGroup();
    const welcome = (await add(alice, group, await keyPackage(bob))).welcome ?? new Uint8Array();
    await bob.receiveWelcome({ bytes: welcome, position: 1, groupPosition: 1 });
    door.closedTo.add('mallory');
    const package_ = await keyPackage(mallory);
    equal(
      [
        await codeOf(bob.addMembers(group, [package_])),
        await codeOf(bob.commit(group, { proposals: [{ kind: 'add', keyPackage: package_ }] })),
        await codeOf(bob.propose(group, { kind: 'add', keyPackage: package_ })),
      ],
      ['credential-rejected', 'credential-rejected', 'credential-rejected'],
      'own additions',
    );
    equal((await bob.outbox()).length, 0, 'outbox');
    const before = await bob.groupInfo(group);
    const item = await bob.receiveMessage({ bytes: bytesOf(await add(alice, group, package_)), id: 'add', position: 2 });
    equal([item?.kind, item?.kind === 'failed' && item.code], ['failed', 'credential-rejected'], 'item');
    const after = await bob.groupInfo(group);
    equal([after.epoch === before.epoch, await bob.deliveryCursor(group)], [true, 2], 'epoch, cursor');
    equal(String(after.epochAuthenticator), String(before.epochAuthenticator), 'epoch authenticator');
    await Promise.all([alice, bob, mallory].map((client) => client.close()));
  },

  'commits that came before their epoch are asked about when it is there, messages are just read': async () => {
    const door = new Door();
    const [alice, bob, carol, mallory] = [await person('alice'), await person('bob', door), await person('carol'), await person('mallory')];
    const group = await alice.createGroup();
    const welcome = (await add(alice, group, await keyPackage(bob))).welcome ?? new Uint8Array();
    await bob.joinGroup(welcome);
    const told: string[] = [];
    const describe = (item: InboxItem): string =>
      item.kind === 'message' ? text(item.plaintext) : item.kind === 'failed' ? item.code : item.kind;
    bob.on('inbox', ({ items }) => told.push(...items.map(describe)));
    const update = bytesOf(await alice.selfUpdate(group));
    await alice.mergePendingCommit(group);
    const message = await alice.encryptMessage(group, utf8('hello'));
    const additions = [
      bytesOf(await add(alice, group, await keyPackage(carol))),
      bytesOf(await add(alice, group, await keyPackage(mallory))),
    ];
    door.asked.length = 0;
    door.closedTo.add('mallory');
    for (const bytes of [...additions.reverse(), message]) {
      equal((await bob.receiveMessage({ bytes })) ?? null, null, 'kept');
    }
    equal([(await bob.earlyMessages(group)).length, door.asked.length], [3, 0], 'kept, asked');
    await bob.receiveMessage({ bytes: update });
    equal(told, ['commit', 'hello', 'commit', 'credential-rejected'], 'items');
    equal([door.asked, await bob.earlyMessages(group)], [['added carol', 'added mallory'], []], 'asked, kept');
    equal(await members(bob, group), ['alice', 'bob', 'carol'], 'members');
    await Promise.all([alice, bob, carol, mallory].map((client) => client.close()));
  },

  'a commit that was held when the page went away is asked about after opening, or behind the next message': async () => {
    const [alice, carol] = [await person('alice'), await person('carol')];
    const name = freshName();
    let asked = 0;
    let answer = (): Promise<boolean> => Promise.resolve(true);
    const openBob = async (): Promise<CoreCryptoClient> =>
      CoreCryptoClient.open({ name, validateCredential: () => ((asked += 1), answer()) });
    let bob = await openBob();
    await bob.createIdentity(utf8('bob'));
    const group = await alice.createGroup();
    await bob.joinGroup((await add(alice, group, await keyPackage(bob))).welcome ?? new Uint8Array());
    /** Closes while the app is thinking about the commit that has just become due. */
    const dieThinking = async (): Promise<void> => {
      const update = bytesOf(await alice.selfUpdate(group));
      await alice.mergePendingCommit(group);
      const addition = bytesOf(await add(alice, group, await keyPackage(carol)));
      await bob.receiveMessage({ bytes: addition });
      const thinking = new Promise<void>((resolve) => {
        answer = () => (resolve(), new Promise(() => undefined));
      });
      void codeOf(bob.receiveMessage({ bytes: update }));
      await thinking;
      await bob.close();
    };

    await dieThinking();
    answer = () => Promise.resolve(true);
    bob = await openBob();
    await next(bob, 'inbox');
    equal([await members(bob, group), await bob.earlyMessages(group)], [['alice', 'bob', 'carol'], []], 'after opening');

    await alice.removeMembers(group, [2]);
    const [removal] = (await alice.outbox()).slice(-1);
    await alice.mergePendingCommit(group);
    await bob.processMessage(removal?.bytes ?? new Uint8Array());
    await dieThinking();
    // The app cannot answer when the client opens.
    const failed = new Promise<void>((resolve) => {
      answer = () => (resolve(), Promise.reject(new Error('offline')));
    });
    bob = await openBob();
    await failed;
    const before = asked;
    answer = () => Promise.resolve(true);
    const later = await alice.encryptMessage(group, utf8('hello'));
    equal((await bob.receiveMessage({ bytes: later })) ?? null, null, 'a message of the next epoch');
    equal([asked - before, await members(bob, group)], [1, ['alice', 'bob', 'carol']], 'asked, members');
    equal((await bob.inbox()).slice(-2).map(({ kind }) => kind), ['commit', 'message'], 'inbox');
    await Promise.all([alice, bob, carol].map((client) => client.close()));
  },

  'an app that inspects by itself is refused in another epoch, and so is one message too many for a later one': async () => {
    const alice = await person('alice');
    const bob = await CoreCryptoClient.open({ name: freshName(), maxEarlyMessages: 1 });
    await bob.createIdentity(utf8('bob'));
    const group = await alice.createGroup();
    await bob.joinGroup((await add(alice, group, await keyPackage(bob))).welcome ?? new Uint8Array());
    const update = bytesOf(await alice.selfUpdate(group));
    await alice.mergePendingCommit(group);
    const [first, second] = [await alice.encryptMessage(group, utf8('1')), await alice.encryptMessage(group, utf8('2'))];
    await bob.receiveMessage({ bytes: first });
    equal(await codeOf(bob.receiveMessage({ bytes: second })), 'too-many-early-messages', 'the second');
    const inspected = await bob.inspectMessage(update);
    equal([inspected.kind, inspected.groupEpoch === 1n, inspected.credentials], ['commit', true, []], 'inspected');
    equal(await codeOf(bob.processMessage(update, { inspectedEpoch: 0n })), 'epoch-changed', 'in another epoch');
    equal(await codeOf(bob.processMessage(update, { inspectedEpoch: 2n ** 64n })), 'invalid-argument', 'not an epoch');
    await bob.processMessage(update, { inspectedEpoch: inspected.groupEpoch });
    equal((await bob.inbox()).map(({ kind }) => kind), ['message'], 'what was kept');
    equal((await bob.receiveMessage({ bytes: second }))?.kind, 'message', 'the second, in its epoch');
    await Promise.all([alice.close(), bob.close()]);
  },
};
