/** Members that merged different commits and cannot read each other any more: what a delivery service that orders commits prevents. */

import { groupOf, person, text } from './support.js';

const [alice, bob, carol] = [await person('forks-alice'), await person('forks-bob'), await person('forks-carol')];
const group = await groupOf(alice, bob, carol);
const { epoch } = await alice.groupInfo(group);
const equal = (one: Uint8Array, other: Uint8Array) => one.join() === other.join();

// Nobody said which of two commits is the one: each side goes on with its own.
const [hers, his] = [await alice.selfUpdate(group), await bob.selfUpdate(group)];
await alice.mergePendingCommit(group);
await bob.mergePendingCommit(group);
await carol.processMessage(hers.bytes!);
const lost = await alice.processMessage(his.bytes!).catch((error) => error.code);
console.log(lost); // → past-epoch

// The app finds out, by comparing epoch authenticators, and decides: the larger side adds the others again.
const members = (await alice.groupInfo(group)).members;
const leafOf = (name: string) => members.find(({ identity }) => text(identity) === name)!.leafIndex;
const [keyPackage] = await bob.generateKeyPackages(1);
const recovery = await alice.recoverForkByReadding(group, [leafOf('forks-alice'), leafOf('forks-carol')], [keyPackage!]);
await carol.processMessage(recovery.bytes!);
await alice.mergePendingCommit(group);

// Those of the other side give up what they have since the last epoch that all had, and join anew.
await bob.abandonFork(group, epoch);
await bob.joinGroup(recovery.welcome!);
const [here, there] = [await alice.groupInfo(group), await bob.groupInfo(group)];
console.log(here.members.length, equal(here.epochAuthenticator, there.epochAuthenticator)); // → 3 true

// Or everybody goes on in a new group, which takes the settings and extensions of the old one.
const [again] = await bob.generateKeyPackages(1);
const reboot = await alice.rebootGroup(group, { keyPackages: [again!] });
await alice.mergePendingCommit(reboot.groupId);
await bob.joinGroup(reboot.welcome!);
console.log((await bob.groupInfo(reboot.groupId)).members.length, (await bob.listGroups()).length); // → 2 2
