/** Backups, what becomes of them in another browser, and moving there. */

import { CoreCryptoClient, inspectSnapshot, opfsSink, restoreDatabase, SnapshotSchedule } from 'openmls-wasm';
import { bytes, person, text } from './support.js';

const [alice, bob] = [await person('snapshots-alice'), await person('snapshots-bob')];
const group = await alice.createGroup();
const commit = await alice.addMembers(group, await bob.generateKeyPackages(1));
await alice.mergePendingCommit(group);
await bob.joinGroup(commit.welcome!);

// A backup is a file that opens with a passphrase only. The app may add what it keeps itself.
const history = new Blob(['what the app keeps']);
const stream = await alice.exportSnapshot({ passphrase: 'correct horse battery staple', appData: history });
const file = await new Response(stream).blob();
const { kind, version } = await inspectSnapshot(file);
console.log(kind, version); // → backup 1

// Into another browser, or one that has lost its data. The groups are in lists, and do nothing yet.
const again = await CoreCryptoClient.open({ name: 'snapshots-again' });
const { added, appData } = await again.importSnapshot(file, { passphrase: 'correct horse battery staple' });
const [restored] = (await again.groupSummaries()).groups;
console.log(added.length, restored?.role, await appData!.text()); // → 1 inert what the app keeps

// Each is joined anew, with fresh keys in the place of the old leaf. The group info comes from a member, or your server.
const joining = await again.joinByExternalCommit(await bob.exportGroupInfo(group));
await bob.processMessage(joining.bytes!);
await again.acceptExternalJoin(joining.id);
const read = await bob.processMessage(await again.encryptMessage(group, bytes('I am back')));
if (read.kind === 'message') console.log(text(read.plaintext)); // → I am back

// By themselves: Argon2id takes about a second, so its result is kept, as a key that no script can export.
const key = await again.snapshotKey('correct horse battery staple');
const sink = opfsSink('backups');
const schedule = await SnapshotSchedule.start(again, { passphrase: key, sink, everyCommits: 20, everyMs: 86_400_000, keep: 3 });
await schedule.take();
console.log((await sink.list!()).length); // → 1
await schedule.stop();

// Whatever else is to be done before this client removes somebody.
const end = again.beforeRemovals(async () => console.log('before a removal')); // → before a removal
await again.removeMembers(group, [1]);
end();

// Moving: everything, and the old database sends no more as soon as the file is whole.
await again.clearPendingCommit(group);
const all = await new Response(await again.exportSnapshot({ passphrase: key, kind: 'full' })).blob();
await again.encryptMessage(group, bytes('x')).catch((error) => console.log(error.code)); // → moved-away
await restoreDatabase({ name: 'snapshots-moved', file: all, passphrase: 'correct horse battery staple' });
const moved = await CoreCryptoClient.open({ name: 'snapshots-moved' });
console.log((await moved.groupInfo(group)).members.length); // → 2
