/** Who a client is, and what it publishes so that others can add it to groups. */

import { CoreCryptoClient } from 'openmls-wasm';
import { certificateAuthority, certificationRequestInfo } from './certificates.js';
import { bytes, text } from './support.js';

const bob = await CoreCryptoClient.open({ name: 'identity-bob' });

// An identity is whatever bytes your service knows the user's device by. Ciphersuite 1 is the one that MLS requires.
const created = await bob.createIdentity(bytes('bob@example.org/laptop'), 1);
console.log(created.ciphersuite, created.signaturePublicKey.length); // → 1 32

// It is there whenever the client is opened again.
const identity = await bob.identity();
console.log(text(identity!.identity)); // → bob@example.org/laptop

// Proves to your server that the signature key is at hand: the server made the challenge.
const signature = await bob.signWithLabel('example.org login', bytes('challenge 4711'));
console.log(signature.length); // → 64

// The backup: whoever has the private key can pose as this client, so keep it where only its user gets at it.
const backup = { identity: identity!, signaturePrivateKey: await bob.exportSignaturePrivateKey() };
const restored = await CoreCryptoClient.open({ name: 'identity-bob-restored' });
await restored.restoreIdentity(backup.identity, backup.signaturePrivateKey);
console.log(text((await restored.identity())!.identity)); // → bob@example.org/laptop

// An identity by certificate: first the key, then your certificate authority, which answers with a chain.
// (`certificationRequestInfo` and `certificateAuthority` stand for a library and a server of yours.)
const carol = await CoreCryptoClient.open({ name: 'identity-carol' });
console.log((await carol.supportedCiphersuites()).includes(1)); // → true
const signatureKey = await carol.generateSignatureKey(1);
const info = certificationRequestInfo('carol@example.org', signatureKey);
const request = await carol.signCertificationRequest(info);
const chain = certificateAuthority('carol@example.org', signatureKey, request);
const certified = await carol.createIdentityWith({ kind: 'x509', certificates: chain });
console.log(certified.certificates.length, certified.identity.length); // → 1 0

// One key package for each group that others may add him to; upload them.
const keyPackages = await bob.generateKeyPackages(3);
console.log(keyPackages.length); // → 3

// And one for when they have run out, which may be used more than once.
const lastResort = await bob.generateLastResortKeyPackage();
console.log(lastResort.length > 0); // → true

// How they stand, and until when they can be used.
const made = await bob.keyPackages();
const ends = made.map(({ notAfter }) => new Date(Number(notAfter) * 1000));
console.log(made.filter(({ state }) => state === 'available').length, ends.every((end) => end > new Date())); // → 4 true

// The simplest way to keep a stock: what comes back is to be uploaded, now or again. Say so when the server has it.
const toUpload = await bob.replenishKeyPackages(10);
const details = await Promise.all(toUpload.map((keyPackage) => bob.inspectKeyPackage(keyPackage)));
await bob.markKeyPackagesGivenOut(details.map(({ reference }) => reference));
console.log(toUpload.length, (await bob.replenishKeyPackages(10)).length); // → 10 0

// For a guest link: good for an hour, for groups with ChaCha20-Poly1305, with an extension of the app's own.
const guest = await bob.generateKeyPackagesWith({
  lifetime: 3600,
  ciphersuite: 3,
  extensions: [{ extensionType: 0xf001, data: bytes('guest') }],
});
const inspected = await carol.inspectKeyPackage(guest[0]!);
console.log(inspected.lifetime, inspected.credential.kind, inspected.capabilities.credentials.join()); // → valid basic 1,2

// Those of the user's other devices: a Welcome that was sent here by mistake then says so.
await restored.noteKeyPackagesOfOtherClients(toUpload);

// When the link is withdrawn, its key package goes with its private keys; so do, from time to time, expired ones.
await bob.deleteKeyPackages([inspected.reference]);
console.log((await bob.purgeExpiredKeyPackages()).length); // → 0

// In a group, two people read this to each other, or scan it: if it is the same on both sides, nobody is between them.
const group = await carol.createGroup();
const invitation = await carol.addMembers(group, [toUpload[0]!]);
await carol.mergePendingCommit(group);
await bob.joinGroup(invitation.welcome!);
console.log((await bob.safetyNumber(group, 0)) === (await carol.safetyNumber(group, 1))); // → true
console.log((await bob.fingerprint(group, 0)).length); // → 30
