/** Changes that somebody outside a group asks for: a server that the group trusts that far, or a client that wants in. */

import { groupOf, person, text } from './support.js';

const [alice, bob, server] = [await person('outside-alice'), await person('outside-bob'), await person('outside-server')];
const group = await groupOf(alice, bob);
const members = [alice, bob];

// The group lists whom it takes proposals from. A proposal is not more than that: a member commits it, or not.
const { identity, signaturePublicKey } = (await server.identity())!;
const senders = [{ identity, certificates: [], signatureKey: signaturePublicKey }];
const listing = await alice.commit(group, {
  proposals: [{ kind: 'group-context-extensions', extensions: [{ kind: 'external-senders', senders }] }],
});
await bob.processMessage(listing.bytes!);
await alice.mergePendingCommit(group);

// The server proposes, as the first of the list: to add Carol, whose key package it has, and to remove Bob.
const carol = await person('outside-carol');
const [keyPackage] = await carol.generateKeyPackages(1);
const target = { groupId: group, epoch: (await alice.groupInfo(group)).epoch };
const addition = await server.proposeExternalAdd(target, 0, keyPackage!);
const removal = await server.proposeExternalRemove(target, 0, 1);
for (const member of members) {
  await member.processMessage(addition.bytes!);
  await member.processMessage(removal.bytes!);
}

// Dave asks for himself; he must know no more of the group than its id and epoch.
const dave = await person('outside-dave');
const [own] = await dave.generateKeyPackages(1);
const request = await dave.proposeJoin(target, own!);
for (const member of members) await member.processMessage(request.bytes!);

// Alice looks at what waits, and commits it.
const waiting = await alice.pendingProposals(group);
console.log(waiting.map(({ sender, proposal }) => `${sender.kind}: ${proposal.kind}`).join(', ')); // → external: add, external: remove, new-member-proposal: add
const commit = await alice.commitPendingProposals(group);
await alice.mergePendingCommit(group);
for (const newcomer of [carol, dave]) await newcomer.joinGroup(commit.welcome!);
const { members: now } = await dave.groupInfo(group);
console.log(now.map(({ identity }) => text(identity)).sort().join(', ')); // → outside-alice, outside-carol, outside-dave

// The server's last service: it proposes that the group lists it no longer.
const next = { groupId: group, epoch: (await alice.groupInfo(group)).epoch };
const farewell = await server.proposeExternalGroupContextExtensions(next, 0, []);
for (const member of [alice, carol, dave]) await member.processMessage(farewell.bytes!);
await alice.commitPendingProposals(group);
await alice.mergePendingCommit(group);
console.log((await alice.groupInfo(group)).extensions.length); // → 0
