/** Everything that can be chosen for a group: what all its members must support, and how this client treats its messages. */

import { CoreCryptoClient } from 'openmls-wasm';
import { bytes, text } from './support.js';

// The app has a type of extension of its own. Key packages and groups say so.
const TOPIC = 0xf001;
const capabilities = { extensions: [TOPIC] };
const [alice, bob] = [
  await CoreCryptoClient.open({ name: 'settings-alice', capabilities }),
  await CoreCryptoClient.open({ name: 'settings-bob', capabilities, groupSettings: { maxPastEpochs: 3 } }),
];
for (const [client, name] of [[alice, 'alice'], [bob, 'bob']] as const) {
  if ((await client.identity()) === undefined) await client.createIdentity(bytes(name));
}

// A group with a topic, which every member must understand, and whose messages are padded.
const group = await alice.createGroup(undefined, {
  settings: { paddingSize: 64, wireFormatPolicy: 'mixed-plaintext' },
  ciphersuite: 1,
  extensions: [
    { kind: 'required-capabilities', extensionTypes: [TOPIC], proposalTypes: [], credentialTypes: [1] },
    { kind: 'other', extensionType: TOPIC, data: bytes('gardening') },
  ],
});
const commit = await alice.addMembers(group, await bob.generateKeyPackages(1));
await alice.mergePendingCommit(group);
await bob.joinGroup(commit.welcome!, { settings: { maxPastEpochs: 3, wireFormatPolicy: 'mixed-ciphertext' } });
const { extensions, ciphersuite, settings } = await bob.groupInfo(group);
for (const extension of extensions) if (extension.kind === 'other') console.log(text(extension.data), ciphersuite); // → gardening 1
console.log(settings.maxPastEpochs, settings.wireFormatPolicy); // → 3 mixed-ciphertext

// Data beside the text: in the clear, and authenticated with it.
const labelled = await alice.encryptMessage(group, bytes('hello'), bytes('greeting'));
const read = await bob.processMessage(labelled);
if (read.kind === 'message') console.log(text(read.plaintext), text(read.authenticatedData)); // → hello greeting

// Settings can be changed, and secrets of past epochs deleted before their time.
await bob.configureGroup(group, { ...settings, maxPastEpochs: 1 });
console.log((await bob.groupInfo(group)).settings.maxPastEpochs); // → 1
const late = await alice.encryptMessage(group, bytes('late'));
const update = await bob.selfUpdate(group);
await bob.mergePendingCommit(group);
await alice.processMessage(update.bytes!);
await bob.deletePastEpochSecrets(group, { olderThan: 3600 });
const stillRead = await bob.processMessage(late);
console.log(stillRead.kind); // → message
await bob.deletePastEpochSecrets(group);
