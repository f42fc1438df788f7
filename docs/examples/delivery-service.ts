/** With a delivery service: nothing is lost or doubled by a crash, a lost connection or a race of commits. */

import type { OutboxEntry } from 'openmls-wasm';
import { bytes, person, text } from './support.js';

const [alice, bob] = [await person('delivery-alice'), await person('delivery-bob')];

// What a delivery service is, in its simplest form: for each group a log, and of each epoch one commit only.
const log: { id: string; bytes: Uint8Array }[] = [];
let epoch = 0n;
function upload(entry: OutboxEntry): boolean {
  if (entry.epoch !== epoch) return false;
  log.push({ id: entry.id, bytes: entry.bytes! });
  if (entry.kind === 'commit') epoch += 1n;
  return true;
}

// Everyone reads the log from where they are. `receiveMessage` keeps what it produced in the inbox.
async function catchUp(client: typeof alice): Promise<void> {
  const cursor = (await client.deliveryCursor(group)) ?? 0;
  for (const [index, entry] of log.entries()) {
    if (index >= cursor) await client.receiveMessage({ ...entry, position: index + 1 });
  }
}

// A commit waits in the outbox until it comes back in the log: then it is merged.
const group = await alice.createGroup();
const [keyPackage] = await bob.generateKeyPackages(1);
const invitation = await alice.addMembers(group, [keyPackage!]);
console.log((await alice.outbox()).map(({ kind }) => kind).join(), upload(invitation)); // → commit true
await catchUp(alice);
console.log((await alice.outbox()).length, (await alice.groupInfo(group)).epoch); // → 0 1n

// The Welcome says where in the log the new member begins to read.
await bob.receiveWelcome({ bytes: invitation.welcome!, position: 1, groupPosition: 1 });
console.log(await bob.welcomeCursor(), await bob.deliveryCursor(group)); // → 1 1

// A message, and the answer of the delivery service.
const hello = await alice.sendMessage(group, bytes('Hello'));
if (upload(hello)) await alice.acknowledgeOutbox(hello.id);
await catchUp(bob);

// What was received stays in the inbox until the app has saved it.
const items = await bob.inbox();
console.log(items.map(({ kind }) => kind).join()); // → joined,message
await bob.acknowledgeInbox(items.map(({ id }) => id));
console.log((await bob.inbox()).length); // → 0

// Two commit at once: the first one wins, the other is told so, and its client goes on without it.
const [update, rival] = [await alice.selfUpdate(group), await bob.selfUpdate(group)];
console.log(upload(update), upload(rival)); // → true false
await bob.rejectCommit(rival.id);

// A message of an epoch that has ended meanwhile is encrypted anew, under the same id.
const late = await bob.sendMessage(group, bytes('Hello Alice'));
console.log(upload(late)); // → false
await catchUp(bob);
const renewed = await bob.renewOutbox(late.id);
console.log(upload(renewed), renewed.id === late.id); // → true true
await bob.acknowledgeOutbox(renewed.id);
await catchUp(alice);
const received = (await alice.inbox()).flatMap((item) => (item.kind === 'message' ? [text(item.plaintext)] : []));
console.log(received.join()); // → Hello Alice

// A Welcome for a group that one is in, and that the log explains by no removal, is passed over.
const refused = await bob.receiveWelcome({ bytes: invitation.welcome!, position: 2 });
console.log(refused?.kind); // → failed
await bob.skipWelcome(3);
console.log(await bob.welcomeCursor()); // → 3
