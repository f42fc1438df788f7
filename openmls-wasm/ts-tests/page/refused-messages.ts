/** What others may send, or the delivery service hand over, and the client does not take. */

import type { CoreCryptoClient } from 'openmls-wasm';
import { altered, some, utf8, type Refusal } from './refusals.js';

/** The Welcome to a new group. */
async function invited(inviting: CoreCryptoClient, keyPackages: readonly Uint8Array[]): Promise<Uint8Array> {
  const group = await inviting.createGroup();
  const { welcome } = await inviting.addMembers(group, keyPackages);
  await inviting.mergePendingCommit(group);
  return some(welcome);
}

/** A group of both whose handshakes are PublicMessages. */
async function sharedInTheClear(first: CoreCryptoClient, second: CoreCryptoClient): Promise<Uint8Array> {
  const settings = { wireFormatPolicy: 'pure-plaintext' } as const;
  const group = await first.createGroup(undefined, { settings });
  const { welcome } = await first.addMembers(group, await second.generateKeyPackages(1));
  await first.mergePendingCommit(group);
  return second.joinGroup(some(welcome), { settings });
}

export const refusedMessages: Record<string, Refusal> = {
  'what is no message': ['malformed-message', async ({ alice }) => () => alice.processMessage(utf8('not a message'))],
  'a Welcome as a message': ['wrong-kind', async ({ bob, welcome }) => () => bob.processMessage(welcome)],
  'a Welcome for somebody else': ['no-matching-key-package', async ({ carol, welcome }) => () => carol.joinGroup(welcome)],
  'an altered Welcome': [
    'invalid-welcome',
    async ({ alice, carol, group }) => {
      const { welcome } = await alice.addMembers(group, await carol.generateKeyPackages(1));
      return () => carol.joinGroup(altered(some(welcome)));
    },
  ],
  'an altered message': [
    'undecryptable',
    async ({ alice, bob, group }) => {
      const message = await alice.encryptMessage(group, utf8('x'));
      return () => bob.processMessage(altered(message));
    },
  ],
  'a message twice': [
    'duplicate-message',
    async ({ alice, bob, group }) => {
      const message = await alice.encryptMessage(group, utf8('x'));
      await bob.processMessage(message);
      return () => bob.processMessage(message);
    },
  ],
  'a message that six others have overtaken': [
    'too-far-out-of-order',
    async ({ alice, bob, group }) => {
      const late = await alice.encryptMessage(group, utf8('late'));
      const rest = await Promise.all(Array.from({ length: 6 }, () => alice.encryptMessage(group, utf8('x'))));
      await bob.processMessage(some(rest.at(-1)));
      return () => bob.processMessage(late);
    },
  ],
  'a message of an epoch that is over': [
    'past-epoch',
    async ({ alice, bob, group }) => {
      const { settings } = await bob.groupInfo(group);
      await bob.configureGroup(group, { ...settings, maxPastEpochs: 0 });
      const message = await alice.encryptMessage(group, utf8('x'));
      await bob.processMessage(some((await alice.selfUpdate(group)).bytes));
      return () => bob.processMessage(message);
    },
  ],
  'a message of an epoch to come': [
    'future-epoch',
    async ({ alice, bob, group }) => {
      await alice.selfUpdate(group);
      await alice.mergePendingCommit(group);
      const message = await alice.encryptMessage(group, utf8('x'));
      return () => bob.processMessage(message);
    },
  ],
  'an entry of the log before the one before it': [
    'position-gap',
    async ({ alice, bob, group }) => {
      const [one, two] = [await alice.encryptMessage(group, utf8('1')), await alice.encryptMessage(group, utf8('2'))];
      await bob.receiveMessage({ bytes: one, id: '1', position: 1 });
      return () => bob.receiveMessage({ bytes: two, id: '3', position: 3 });
    },
  ],
  'an altered handshake in the clear': [
    'invalid-message',
    async ({ alice, bob }) => {
      const group = await sharedInTheClear(alice, bob);
      const { bytes } = await alice.selfUpdate(group);
      return () => bob.processMessage(altered(some(bytes)));
    },
  ],
  'a message that was inspected in another epoch': [
    'epoch-changed',
    async ({ alice, bob, group }) => {
      const message = await alice.encryptMessage(group, utf8('x'));
      const { groupEpoch } = await bob.inspectMessage(message);
      return () => bob.processMessage(message, { inspectedEpoch: groupEpoch - 1n });
    },
  ],
  'more early messages than are kept': [
    'too-many-early-messages',
    async ({ alice, bob, group }) => {
      await alice.selfUpdate(group);
      await alice.mergePendingCommit(group);
      const early = await Promise.all(Array.from({ length: 1001 }, () => alice.encryptMessage(group, utf8('x'))));
      await Promise.all(early.slice(1).map((bytes) => bob.receiveMessage({ bytes })));
      return () => bob.receiveMessage({ bytes: some(early[0]) });
    },
  ],
  'a second Welcome for a key package': [
    'key-package-used',
    async ({ alice, carol }) => {
      const keyPackages = await carol.generateKeyPackages(1);
      const [first, second] = [await invited(alice, keyPackages), await invited(alice, keyPackages)];
      await carol.joinGroup(first);
      return () => carol.joinGroup(second);
    },
  ],
  'a Welcome for another device': [
    'key-package-of-other-client',
    async ({ alice, bob, carol }) => {
      const keyPackages = await carol.generateKeyPackages(1);
      await bob.noteKeyPackagesOfOtherClients(keyPackages);
      const welcome = await invited(alice, keyPackages);
      return () => bob.joinGroup(welcome);
    },
  ],
  'a Welcome once more, after the group was deleted': [
    'stale-welcome',
    async ({ alice, carol }) => {
      const welcome = await invited(alice, [await carol.generateLastResortKeyPackage()]);
      await carol.deleteGroup(await carol.joinGroup(welcome));
      return () => carol.joinGroup(welcome);
    },
  ],
};
