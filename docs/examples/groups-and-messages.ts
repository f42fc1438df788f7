/** A group, and messages in it, for an app that orders and stores messages in its own way. */

import { bytes, person, text } from './support.js';

const [alice, bob] = [await person('groups-alice'), await person('groups-bob')];

// A group begins with its creator alone; its id is random unless you choose one.
const group = await alice.createGroup();

// Adding somebody is a commit: it takes effect when your server has accepted it as the next one of the group.
const [keyPackage] = await bob.generateKeyPackages(1);
const commit = await alice.addMembers(group, [keyPackage!]);
await alice.mergePendingCommit(group);

// The Welcome goes to whom it added.
const joined = await bob.joinGroup(commit.welcome!);
console.log((await bob.listGroups()).length, text(joined) === text(group)); // → 1 true

// Everybody sees the same members. The epoch authenticator is equal if all that the group agrees on is.
const [here, there] = [await alice.groupInfo(group), await bob.groupInfo(group)];
console.log(here.members.map(({ identity }) => text(identity)).join(', ')); // → groups-alice, groups-bob
console.log(here.epoch, text(here.epochAuthenticator) === text(there.epochAuthenticator)); // → 1n true

// A ciphertext is for all other members of the epoch; nobody can decrypt their own.
const ciphertext = await alice.encryptMessage(group, bytes('Hello Bob'));
const processed = await bob.processMessage(ciphertext);
if (processed.kind === 'message') console.log(text(processed.sender.identity), text(processed.plaintext)); // → groups-alice Hello Bob

// A list of conversations reads a part of all groups, and loads none of them. The name is for this client only.
await alice.setGroupName(group, bytes('Alice and Bob'));
const { groups, next } = await alice.groupSummaries({ limit: 50 });
for (const { name, memberCount, epoch, role } of groups) console.log(text(name), memberCount, epoch, role); // → Alice and Bob 2 1n member
console.log(next); // → undefined

// What the other members do not learn of: tell them first, by leaving.
await bob.deleteGroup(group);
console.log((await bob.listGroups()).length); // → 0
