/** Everything a member can propose, by itself or inside a commit, and what becomes of proposals that wait. */

import { bytes, groupOf, person, text } from './support.js';

const [alice, bob] = [await person('every-kind-alice'), await person('every-kind-bob')];
const group = await groupOf(alice, bob);

// Bob proposes new keys for his leaf. The proposal waits, with him and with everyone who receives it.
const update = await bob.propose(group, { kind: 'update', newSignatureKey: true }, { authenticatedData: bytes('monthly') });
await alice.processMessage(update.bytes!);
const [waiting] = await alice.pendingProposals(group);
console.log(waiting!.proposal.kind, waiting!.sender.kind); // → update member

// Alice commits it, together with a key that both were given by another way.
for (const client of [alice, bob]) await client.storeExternalPsk(bytes('spoken'), bytes('a secret over the phone'));
const commit = await alice.commit(group, { proposals: [{ kind: 'external-psk', pskId: bytes('spoken') }] });
const seen = await bob.processMessage(commit.bytes!);
await alice.mergePendingCommit(group);
console.log(seen.kind, (await bob.groupInfo(group)).epoch); // → commit 2n
console.log((await alice.externalPsks()).map(text).join()); // → spoken
await alice.deleteExternalPsk(bytes('spoken'));

// A commit that leaves out what waits: whatever it leaves out is gone with the epoch.
await alice.propose(group, { kind: 'remove', leafIndex: 1 });
const moved = await alice.commit(group, { includePending: false, forceSelfUpdate: true, leaf: { credential: { kind: 'basic', identity: bytes('alice, at work') } } });
await bob.processMessage(moved.bytes!);
await alice.mergePendingCommit(group);
const { members } = await bob.groupInfo(group);
console.log(members.map(({ identity }) => text(identity)).join(' and ')); // → alice, at work and every-kind-bob

// Proposals that were not sent yet can be taken back, one or all.
const first = await bob.propose(group, { kind: 'update' }, { id: 'first' });
await bob.propose(group, { kind: 'update' }, { id: 'second' });
await bob.removePendingProposal(group, first.proposalReference!);
console.log((await bob.outbox()).filter(({ kind }) => kind === 'proposal').map(({ id }) => id)[1]); // → second
await bob.clearPendingProposals(group);
console.log((await bob.groupInfo(group)).pendingProposals); // → 0

// What no commit could contain is refused.
await alice.propose(group, { kind: 'resumption-psk', epoch: 99n }).catch((error) => console.log(error.code)); // → unknown-psk
