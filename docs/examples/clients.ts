/** Opening and closing a client, and what it tells meanwhile. */

import { CoreCryptoClient, CoreCryptoError } from 'openmls-wasm';
import { bytes } from './support.js';

// One client per user and device, in a database of its own. The first time it is created; then it has no identity yet.
const alice = await CoreCryptoClient.open({ name: 'clients-alice' });
if (alice.origin === 'created') await alice.createIdentity(bytes('alice'));
console.log(alice.state, new TextDecoder().decode((await alice.identity())!.identity)); // → open alice

// A database has one writer: whoever comes second is told so, and has changed nothing.
const second = await CoreCryptoClient.open({ name: 'clients-alice' }).catch((error: CoreCryptoError) => error.code);
console.log(second); // → already-open

// Listeners hear of what is written, and of what goes wrong.
const stop = alice.on('saved', ({ records }) => console.log('saved:', records > 0));
await alice.createGroup(); // → saved: true
stop();

// What was called without waiting for it is durable when `flush` settles; `close` waits for it too.
void alice.createGroup();
await alice.flush();
await alice.close();
console.log(alice.state); // → closed

// Made with `new`, a client can be listened to before it opens: here, to what was left in its queue by the last page.
const again = new CoreCryptoClient({ name: 'clients-alice', mustExist: true });
again.on('incoming-failed', ({ kind, code }) => console.log('could not be processed:', kind, code));
await again.open();
console.log(again.origin, (await again.listGroups()).length); // → restored 2
await again.close();
