/** Looking at what came in before accepting it, and what comes before its time. */

import { bytes, groupOf, person, text } from './support.js';

const [alice, bob, carol] = [await person('inspection-alice'), await person('inspection-bob'), await person('inspection-carol')];

// Where does a Welcome lead? Nothing is used up by asking.
const group = await alice.createGroup();
const [keyPackage] = await bob.generateKeyPackages(1);
const invitation = await alice.addMembers(group, [keyPackage!]);
await alice.mergePendingCommit(group);
const welcome = await bob.inspectWelcome(invitation.welcome!);
console.log(text(welcome.sender!.identity), welcome.members.length, (await bob.listGroups()).length); // → inspection-alice 2 0
await bob.receiveWelcome({ bytes: invitation.welcome!, position: 1, groupPosition: 1 });

// What would a commit change? Bob's user decides; meanwhile other messages can be processed.
const [stranger] = await carol.generateKeyPackages(1);
const commit = await alice.addMembers(group, [stranger!]);
const inspected = await bob.inspectMessage(commit.bytes!);
if (inspected.kind === 'commit') console.log(inspected.added.map(({ identity }) => text(identity)).join()); // → inspection-carol

// Accepting is handing in the same bytes, and the epoch they were inspected in: if that is over, it is refused.
const accepted = await bob.receiveMessage({ bytes: commit.bytes!, position: 2, inspectedEpoch: inspected.groupEpoch });
console.log(accepted?.kind, (await bob.groupInfo(group)).epoch); // → commit 2n
await alice.mergePendingCommit(group);

// Refusing moves on past it. For a proposal that means that Bob does not commit it.
const proposal = await alice.propose(group, { kind: 'remove', leafIndex: 2 });
const refused = await bob.rejectMessage({ bytes: proposal.bytes!, position: 3 });
console.log(refused?.kind, (await bob.pendingProposals(group)).length); // → failed 0
await alice.clearPendingProposals(group);

// A Welcome can be refused, too: its key package stays for another one.
const refusedWelcome = await carol.rejectWelcome({ bytes: commit.welcome!, position: 1 });
console.log(refusedWelcome?.kind, (await carol.keyPackages()).length); // → failed 1

// Without a log, a message may come before the commit that leads to its epoch: it is kept, and read when that is there.
const [dave, erin] = [await person('inspection-dave'), await person('inspection-erin')];
const other = await groupOf(dave, erin);
const update = await dave.selfUpdate(other);
await dave.mergePendingCommit(other);
const early = await dave.encryptMessage(other, bytes('See you there'));
await erin.receiveMessage({ bytes: early });
console.log((await erin.earlyMessages(other)).length); // → 1
erin.on('inbox', ({ items }) => {
  for (const item of items) if (item.kind === 'message') console.log(text(item.plaintext)); // → See you there
});
await erin.receiveMessage({ bytes: update.bytes! });
