/** Secrets that the members have by another way: who does not have them, does not get into the next epoch. */

import { bytes, groupOf, person } from './support.js';

const [alice, bob] = [await person('psk-alice'), await person('psk-bob')];
const group = await groupOf(alice, bob);

// Both have read a secret from the same poster on the wall.
const pskId = bytes('poster');
for (const member of [alice, bob]) await member.storeExternalPsk(pskId, bytes('a secret of 32 bytes, or of more'));

// Alice mixes it into the next epoch: a thief of all other keys is left behind.
const commit = await alice.commit(group, { proposals: [{ kind: 'external-psk', pskId }] });
await bob.processMessage(commit.bytes!);
await alice.mergePendingCommit(group);
console.log((await bob.groupInfo(group)).epoch); // → 2n

// What is not needed any more is deleted.
await bob.deleteExternalPsk(pskId);
console.log((await bob.externalPsks()).length); // → 0

// A commit that asks for a key which is not there is refused, and changes nothing: with the key, it can be followed.
const again = await alice.commit(group, { proposals: [{ kind: 'external-psk', pskId }] });
const refused = await bob.receiveMessage({ bytes: again.bytes!, position: 3 }).catch((error) => error.code);
await bob.storeExternalPsk(pskId, bytes('a secret of 32 bytes, or of more'));
const followed = await bob.receiveMessage({ bytes: again.bytes!, position: 3 });
console.log(refused, followed?.kind); // → unknown-psk commit
