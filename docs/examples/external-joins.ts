/** Joining a group by oneself, by what a member has published of it, and coming back into one that was lost. */

import { person, text } from './support.js';

const [alice, bob] = [await person('external-alice'), await person('external-bob')];
const group = await alice.createGroup();

// A member publishes the group info of each epoch, where those may fetch it who are allowed to join.
const groupInfo = await alice.exportGroupInfo(group);

// Before joining, Bob looks who is in the group: all of it is verified, nothing is changed.
const { members } = await bob.inspectExternalJoin(groupInfo);
console.log(members.map(({ identity }) => text(identity)).join(', ')); // → external-alice, external-bob

// His commit goes to the delivery service like any other. He is in the group when it has been accepted.
const join = await bob.joinByExternalCommit(groupInfo);
console.log((await bob.listGroups()).length); // → 0
await bob.acceptExternalJoin(join.id);
await alice.processMessage(join.bytes!);
console.log((await alice.groupInfo(group)).members.length, (await bob.listGroups()).length); // → 2 1

// With a log, `receiveMessage` does that. Here he has lost his keys' last state and joins anew, in the place of his old leaf.
const rejoin = await bob.joinByExternalCommit(await alice.exportGroupInfo(group, false), {
  ratchetTree: await alice.exportRatchetTree(group),
});
await alice.receiveMessage({ bytes: rejoin.bytes!, id: rejoin.id, position: 1 });
await bob.receiveMessage({ bytes: rejoin.bytes!, id: rejoin.id, position: 1 });
const [here, there] = [await alice.groupInfo(group), await bob.groupInfo(group)];
console.log(here.members.length, text(here.epochAuthenticator) === text(there.epochAuthenticator)); // → 2 true
