/** Who a client is, and what it publishes so that others can add it to groups. */

import { CoreCryptoClient } from 'openmls-wasm';
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

// One key package for each group that others may add him to; upload them.
const keyPackages = await bob.generateKeyPackages(3);
console.log(keyPackages.length); // → 3

// And one for when they have run out, which may be used more than once.
const lastResort = await bob.generateLastResortKeyPackage();
console.log(lastResort.length > 0); // → true

// Which of them are still unused, and until when they can be used.
const unused = await bob.keyPackages();
const ends = unused.map(({ notAfter }) => new Date(Number(notAfter) * 1000));
console.log(unused.filter(({ lastResort }) => !lastResort).length, ends.every((end) => end > new Date())); // → 3 true

// Those that were never uploaded, or that are replaced, go with their private keys.
await bob.deleteKeyPackages(unused.slice(0, 1).map(({ reference }) => reference));
console.log((await bob.keyPackages()).length); // → 3
