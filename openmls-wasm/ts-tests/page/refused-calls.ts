/** What the client does not do for the app. */

import { altered, nowhere, some, utf8, type Refusal } from './refusals.js';
import { equal } from './support.js';

export const refusedCalls: Record<string, Refusal> = {
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
  'an id twice': [
    'duplicate-id',
    async ({ alice, group }) => {
      await alice.sendMessage(group, utf8('x'), 'the id');
      return () => alice.sendMessage(group, utf8('y'), 'the id');
    },
  ],
  'an entry that is not in the outbox': ['unknown-outbox-entry', async ({ alice }) => () => alice.acknowledgeOutbox('x')],
  'sending by a state that was put back': [
    'rolled-back-state',
    async ({ alice, group }) => {
      equal(await alice.checkWitness(group, new Uint8Array(32)), false, 'the newest state');
      return () => alice.sendMessage(group, utf8('x'));
    },
  ],
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
  'an X.509 credential without a certificate': [
    'invalid-credential',
    async ({ nobody }) => () => nobody.createIdentityWith({ kind: 'x509', certificates: [] }),
  ],
  'dropping a proposal that does not wait': [
    'unknown-proposal',
    async ({ alice, group }) => () => alice.removePendingProposal(group, utf8('x')),
  ],
  'proposing to remove nobody': [
    'unknown-member',
    async ({ alice, group }) => () => alice.propose(group, { kind: 'remove', leafIndex: 99 }),
  ],
  'proposing what no leaf lists': [
    'proposal-rejected',
    async ({ alice, group }) => () => alice.propose(group, { kind: 'app-defined', proposalType: 0xf123, payload: utf8('x') }),
  ],
  'committing with a pre-shared key that is not there': [
    'unknown-psk',
    async ({ alice, group }) => () => alice.commit(group, { proposals: [{ kind: 'external-psk', pskId: utf8('x') }] }),
  ],
};
