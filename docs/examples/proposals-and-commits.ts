/** Changing a group: members propose, and one of them commits what was proposed, or something of their own. */

import { bytes, groupOf, person, text } from './support.js';

const [alice, bob, carol] = [await person('proposals-alice'), await person('proposals-bob'), await person('proposals-carol')];
const group = await groupOf(alice, bob, carol);

// A commit of one's own new keys: whoever had stolen the old ones is out.
const update = await bob.selfUpdate(group);
for (const other of [alice, carol]) await other.processMessage(update.bytes!);
await bob.mergePendingCommit(group);
console.log((await alice.groupInfo(group)).epoch); // → 2n

// A proposal is not a change yet: it waits, with everybody, for a commit.
const dave = await person('proposals-dave');
const [keyPackage] = await dave.generateKeyPackages(1);
const proposal = await bob.propose(group, { kind: 'add', keyPackage: keyPackage! });
for (const other of [alice, carol]) await other.processMessage(proposal.bytes!);

// Alice sees who proposed what, …
const [waiting] = await alice.pendingProposals(group);
if (waiting?.sender.kind === 'member' && waiting.proposal.kind === 'add') {
  console.log(text(waiting.sender.identity), 'adds', text(waiting.proposal.added.identity)); // → proposals-bob adds proposals-dave
}

// … and commits it, together with changes of her own. Everybody who gets the commit can read the authenticated data.
const commit = await alice.commit(group, {
  proposals: [{ kind: 'group-context-extensions', extensions: [] }],
  forceSelfUpdate: true,
  authenticatedData: bytes('spring cleaning'),
});
for (const other of [bob, carol]) await other.processMessage(commit.bytes!);
await alice.mergePendingCommit(group);
await dave.joinGroup(commit.welcome!);
console.log((await dave.groupInfo(group)).members.length); // → 4

// Who wants to leave can only propose it; somebody else commits that, before the next message.
const leave = await carol.leaveGroup(group);
for (const other of [alice, bob, dave]) await other.processMessage(leave.bytes!);
const leaving = await alice.commitPendingProposals(group);
console.log(leaving.removed.map(({ identity }) => text(identity)).join()); // → proposals-carol
const seen = await carol.processMessage(leaving.bytes!);
if (seen.kind === 'commit') console.log(seen.selfRemoved, (await carol.groupInfo(group)).isActive); // → true false
for (const other of [bob, dave]) await other.processMessage(leaving.bytes!);
await alice.mergePendingCommit(group);

// A commit that the server has refused for certain is dropped. Never do that after a time-out.
await alice.selfUpdate(group);
await alice.clearPendingCommit(group);
console.log((await alice.groupInfo(group)).hasPendingCommit); // → false

// Members are removed by their place in the tree.
const { members } = await alice.groupInfo(group);
const place = members.find(({ identity }) => text(identity) === 'proposals-bob')!.leafIndex;
await alice.removeMembers(group, [place]);
await alice.mergePendingCommit(group);
console.log((await alice.groupInfo(group)).members.length); // → 2
