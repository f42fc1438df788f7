/** A database that is put back as a whole: the delivery service has seen a newer state, and tells. */

import type { OutboxEntry } from 'openmls-wasm';
import { bytes, person } from './support.js';

const [alice, bob] = [await person('older-alice'), await person('older-bob')];
const group = await alice.createGroup();
const [keyPackage] = await bob.generateKeyPackages(1);
const { welcome } = await alice.addMembers(group, [keyPackage!]);
await alice.mergePendingCommit(group);
await bob.joinGroup(welcome!);

// What the delivery service keeps of Alice in this group: the link of the upload that it accepted last.
let accepted: Uint8Array | undefined;
const same = (one?: Uint8Array, other?: Uint8Array) => one?.join() === other?.join();
async function upload(entry: OutboxEntry): Promise<boolean> {
  const upload = await alice.uploadLink(entry.id);
  if (upload === undefined || !same(upload.previous, accepted)) return false; // 409: state-rolled-back
  accepted = upload.link;
  return true;
}

// At every sign-in, before anything is uploaded. From the first time on the group is watched.
console.log(await alice.checkWitness(group, accepted)); // → true
const hello = await alice.sendMessage(group, bytes('Hello'));
console.log(await upload(hello)); // → true
await alice.acknowledgeOutbox(hello.id);
console.log(await alice.checkWitness(group, accepted)); // → true

// What the service has refused for good leaves no link behind.
const refused = await alice.sendMessage(group, bytes('x'.repeat(1000)));
await alice.rejectOutbox(refused.id);
console.log(await alice.checkWitness(group, accepted)); // → true

// A link that this database does not know of: it was put back. Nothing is sent by it any more.
accepted = new Uint8Array(32).fill(7);
console.log(await alice.checkWitness(group, accepted)); // → false
console.log(await alice.sendMessage(group, bytes('again')).catch((error) => error.code)); // → rolled-back-state

// An external commit gives this client keys that no other state of it ever had, and begins a new chain.
const commit = await alice.joinByExternalCommit(await bob.exportGroupInfo(group));
accepted = undefined;
console.log(await upload(commit)); // → true
await alice.processMessage(commit.bytes!);
await bob.processMessage(commit.bytes!);
console.log(await alice.checkWitness(group, accepted)); // → true
console.log(await upload(await alice.sendMessage(group, bytes('Here again')))); // → true
