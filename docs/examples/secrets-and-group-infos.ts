/** What a group gives to the world outside: secrets for other uses, and what others need to join it. */

import { bytes, groupOf, person, text } from './support.js';

const [alice, bob] = [await person('secrets-alice'), await person('secrets-bob')];
const group = await groupOf(alice, bob);
const equal = (one: Uint8Array, other: Uint8Array) => one.join() === other.join();

// A secret that all members of this epoch have, and nobody else: for instance for the call they are in.
const [here, there] = [await alice.exportSecret(group, 'call', bytes('4711'), 32), await bob.exportSecret(group, 'call', bytes('4711'), 32)];
console.log(here.length, equal(here, there)); // → 32 true

// One that can be derived once: afterwards the epoch does not contain it any more, whoever gets hold of the device.
const once = await alice.safeExportSecret(group, 0x8001);
const twice = await alice.safeExportSecret(group, 0x8001).catch((error) => error.code);
console.log(equal(once, await bob.safeExportSecret(group, 0x8001)), twice); // → true secret-consumed

// The same for the epoch that a commit of one's own leads to, before it has been accepted.
const update = await alice.selfUpdate(group);
const next = await alice.safeExportPendingSecret(group, 0x8001);
await bob.processMessage(update.bytes!);
await alice.mergePendingCommit(group);
console.log(equal(next, await bob.safeExportSecret(group, 0x8001))); // → true

// What somebody needs to join by an external commit. Whoever stores it can see what it says, but not verify it.
const groupInfo = await alice.exportGroupInfo(group);
const details = await bob.inspectGroupInfo(groupInfo);
console.log(text(details.groupId) === text(group), details.epoch, details.hasRatchetTree); // → true 2n true

// In a large group the tree is better stored on its own.
const [small, tree] = [await alice.exportGroupInfo(group, false), await alice.exportRatchetTree(group)];
console.log(small.length < groupInfo.length, tree.length > 0); // → true true
