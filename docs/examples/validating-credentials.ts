/** Deciding who may be in a group: MLS makes sure that keys belong to credentials, the app that credentials belong to people. */

import { CoreCryptoClient } from 'openmls-wasm';
import { bytes, person, text } from './support.js';

// The app's directory says by which signature key it knows whom. It is asked about every credential that enters a group.
const directory = new Map<string, string>();
const list = async (client: CoreCryptoClient) => {
  const { identity, signaturePublicKey } = (await client.identity())!;
  directory.set(text(identity), signaturePublicKey.join());
};
const bob = await CoreCryptoClient.open({
  name: 'validating-bob',
  validateCredential: async ({ identity, signatureKey }) => directory.get(text(identity)) === signatureKey.join(),
});
await bob.createIdentity(bytes('validating-bob'));
const alice = await person('validating-alice');
for (const client of [alice, bob]) await list(client);

// Everybody who is in the group that he joins is listed: he joins.
const group = await alice.createGroup();
const invitation = await alice.addMembers(group, await bob.generateKeyPackages(1));
await alice.mergePendingCommit(group);
await bob.receiveWelcome({ bytes: invitation.welcome!, position: 1, groupPosition: 1 });
console.log((await bob.groupInfo(group)).members.length); // → 2

// Somebody calls himself Carol. Bob would not add him, …
const impostor = await person('validating-carol');
const keyPackages = await impostor.generateKeyPackages(1);
console.log(await bob.addMembers(group, keyPackages).catch((error) => error.code)); // → credential-rejected

// … and does not accept that Alice does: nothing has changed, and the app can ask its user.
const commit = await alice.addMembers(group, keyPackages);
const refused = await bob.processMessage(commit.bytes!).catch((error) => error.code);
console.log(refused, (await bob.groupInfo(group)).members.length); // → credential-rejected 2

// It was her new phone: once it is listed, the same commit is accepted.
await list(impostor);
await bob.processMessage(commit.bytes!);
console.log((await bob.groupInfo(group)).members.length); // → 3
