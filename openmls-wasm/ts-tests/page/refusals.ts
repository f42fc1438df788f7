/** Calls over the real engine that are refused: the code an app sees, and databases that are as they were. */

import { CoreCryptoClient, type MlsErrorCode } from 'openmls-wasm';
import { codeOf, dump, equal, freshName, type Scenario } from './support.js';

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const nowhere = utf8('no such group');

/** Three people of whom Alice and Bob share a group, and one who has no identity yet. */
interface People {
  readonly alice: CoreCryptoClient;
  readonly bob: CoreCryptoClient;
  readonly carol: CoreCryptoClient;
  readonly nobody: CoreCryptoClient;
  readonly names: readonly string[];
  readonly group: Uint8Array;
  readonly welcome: Uint8Array;
}

async function people(): Promise<People> {
  const names = Array.from({ length: 4 }, freshName);
  const [alice, bob, carol, nobody] = await Promise.all(names.map((name) => CoreCryptoClient.open({ name })));
  if (!alice || !bob || !carol || !nobody) {
    throw new Error('there are not four clients');
  }
  await Promise.all([alice, bob, carol].map((client, index) => client.createIdentity(utf8(`person ${index}`))));
  const group = await alice.createGroup();
  const { welcome } = await alice.addMembers(group, await bob.generateKeyPackages(1));
  await alice.mergePendingCommit(group);
  await bob.joinGroup(some(welcome));
  return { alice, bob, carol, nobody, names, group, welcome: some(welcome) };
}

function some<T>(value: T | null | undefined): T {
  if (value === null || value === undefined) {
    throw new Error('there is none');
  }
  return value;
}

const altered = (bytes: Uint8Array, fromEnd = 1): Uint8Array =>
  bytes.map((byte, index) => (index === bytes.length - fromEnd ? byte ^ 1 : byte));

/** What is refused, and how it comes to that: `prepare` returns the call. */
type Refusal = readonly [code: MlsErrorCode, prepare: (here: People) => Promise<() => Promise<unknown>>];

const refusals: Record<string, Refusal> = {
  'a second identity': ['identity-exists', async ({ alice }) => () => alice.createIdentity(utf8('again'))],
  'a ciphersuite that is not built in': ['unsupported-ciphersuite', async ({ nobody }) => () => nobody.createIdentity(utf8('x'), 7)],
  'key packages without an identity': ['no-identity', async ({ nobody }) => () => nobody.generateKeyPackages(1)],
  'a signature under a label of MLS': ['reserved-label', async ({ alice }) => () => alice.signWithLabel('KeyPackageTBS', utf8('x'))],
  'deleting a key package that is none': ['unknown-key-package', async ({ alice }) => () => alice.deleteKeyPackages([utf8('x')])],
  'adding by an altered key package': [
    'invalid-key-package',
    async ({ alice, carol, group }) => {
      const [keyPackage] = await carol.generateKeyPackages(1);
      return () => alice.addMembers(group, [altered(some(keyPackage))]);
    },
  ],
  'adding somebody twice': [
    'commit-rejected',
    async ({ alice, bob, group }) => {
      const keyPackages = await bob.generateKeyPackages(1);
      return () => alice.addMembers(group, keyPackages);
    },
  ],
  'removing nobody': ['unknown-member', async ({ alice, group }) => () => alice.removeMembers(group, [99])],
  'removing oneself': ['cannot-remove-self', async ({ alice, group }) => () => alice.removeMembers(group, [0])],
  'a group id twice': ['group-exists', async ({ alice, group }) => () => alice.createGroup(group)],
  'a message to no group': ['group-not-found', async ({ alice }) => () => alice.sendMessage(nowhere, utf8('x'))],
  'a second commit': [
    'pending-commit',
    async ({ alice, group }) => {
      await alice.selfUpdate(group);
      return () => alice.selfUpdate(group);
    },
  ],
  'merging without a commit': ['no-pending-commit', async ({ alice, group }) => () => alice.mergePendingCommit(group)],
  'committing without a proposal': ['nothing-to-commit', async ({ alice, group }) => () => alice.commitPendingProposals(group)],
  'encrypting while a proposal waits': [
    'pending-proposals',
    async ({ alice, bob, group }) => {
      await alice.processMessage(some((await bob.leaveGroup(group)).bytes));
      return () => alice.encryptMessage(group, utf8('x'));
    },
  ],
  'leaving twice': [
    'leave-pending',
    async ({ bob, group }) => {
      await bob.leaveGroup(group);
      return () => bob.leaveGroup(group);
    },
  ],
  'writing after a removal': [
    'group-inactive',
    async ({ alice, bob, group }) => {
      await bob.processMessage(some((await alice.removeMembers(group, [1])).bytes));
      return () => bob.sendMessage(group, utf8('x'));
    },
  ],
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
  'an id twice': [
    'duplicate-id',
    async ({ alice, group }) => {
      await alice.sendMessage(group, utf8('x'), 'the id');
      return () => alice.sendMessage(group, utf8('y'), 'the id');
    },
  ],
  'an entry that is not in the outbox': ['unknown-outbox-entry', async ({ alice }) => () => alice.acknowledgeOutbox('x')],
  'a secret twice that is there once': [
    'secret-consumed',
    async ({ alice, group }) => {
      await alice.safeExportSecret(group, 0x8001);
      return () => alice.safeExportSecret(group, 0x8001);
    },
  ],
  'joining by an altered group info': [
    'invalid-group-info',
    async ({ alice, carol, group }) => {
      const groupInfo = await alice.exportGroupInfo(group);
      return () => carol.joinByExternalCommit(altered(groupInfo));
    },
  ],
  'joining without the tree': [
    'ratchet-tree-missing',
    async ({ alice, carol, group }) => {
      const groupInfo = await alice.exportGroupInfo(group, false);
      return () => carol.joinByExternalCommit(groupInfo);
    },
  ],
  'joining with a pre-shared key that is not there': [
    'unknown-psk',
    async ({ alice, carol, group }) => {
      const groupInfo = await alice.exportGroupInfo(group);
      return () => carol.joinByExternalCommit(groupInfo, { externalPsks: [utf8('x')] });
    },
  ],
};

const all = ({ alice, bob, carol, nobody }: People): CoreCryptoClient[] => [alice, bob, carol, nobody];

function scenario([code, prepare]: Refusal): Scenario {
  return async () => {
    const here = await people();
    const call = await prepare(here);
    await Promise.all(all(here).map((client) => client.flush()));
    const before = await Promise.all(here.names.map(dump));
    equal(await codeOf(call()), code, 'the code');
    // Also what the call had left in memory only would be written now.
    await Promise.all(all(here).map((client) => client.close()));
    equal(await Promise.all(here.names.map(dump)), before, 'the databases');
    const again = await Promise.all(here.names.map((name) => CoreCryptoClient.open({ name })));
    await Promise.all(again.map((client) => client.close()));
  };
}

export const refused: Record<string, Scenario> = Object.fromEntries(
  Object.entries(refusals).map(([name, refusal]) => [`${name}: ${refusal[0]}`, scenario(refusal)]),
);
