/** A sealed database: opening, locking, the ways to unlock it, and what to do about damage. */

import { CoreCryptoClient, CoreCryptoError, vaultInfo, type VaultUnlock } from 'openmls-wasm';
import { bytes, text } from './support.js';

// A database that does not exist is made a vault, by what then unlocks it.
const passphrase: VaultUnlock = { kind: 'passphrase', passphrase: 'correct horse battery staple' };
const alice = await CoreCryptoClient.open({ name: 'vault-alice', vault: { unlock: passphrase } });
if ((await alice.identity()) === undefined) await alice.createIdentity(bytes('alice'));
const group = await alice.createGroup();

// Without a secret anybody can see which ways there are to unlock it, and nothing else: ask the user for the right one.
console.log((await vaultInfo('vault-alice'))?.unlocks.map(({ kind }) => kind).join()); // → passphrase

// Locked, a client forgets its keys. Calls are refused; messages that arrive wait in the database, sealed.
await alice.lock();
const refused = await alice.groupInfo(group).catch((error: CoreCryptoError) => error.code);
console.log(alice.state, refused); // → locked vault-locked

// Another passphrase changes nothing.
const wrong = await alice.unlock({ kind: 'passphrase', passphrase: 'a guess' }).catch((error: CoreCryptoError) => error.code);
await alice.unlock(passphrase);
console.log(wrong, alice.state, (await alice.listGroups()).length); // → unlock-failed open 1

// Another passphrase in the place of the first; no record is rewritten. The present one is asked for once more.
const better: VaultUnlock = { kind: 'passphrase', passphrase: 'a better one, and longer' };
await alice.changeVaultUnlock(passphrase, better);

// A second way beside it: a key that the app keeps on its server, for a user who forgets.
const recovery: VaultUnlock = { kind: 'key', key: crypto.getRandomValues(new Uint8Array(32)) };
await alice.addVaultUnlock(better, recovery);
const ways = await alice.vaultUnlocks();
console.log(ways.map(({ kind }) => kind).join()); // → passphrase,key

// One that is not wanted any more.
await alice.removeVaultUnlock(better, ways.find(({ kind }) => kind === 'key')!.id);
console.log((await alice.vaultUnlocks()).length); // → 1

// What the app keeps in a database of its own can be sealed too; it opens at the same place only.
const sealed = await alice.sealAppData('history/17', bytes('what Bob said'));
console.log(text(await alice.openAppData('history/17', sealed))); // → what Bob said

// Records that cannot be read cost their group; this looks for such groups.
console.log((await alice.findDamagedGroups()).length); // → 0

// Puts a damaged group aside, so that it can be joined anew; one that is whole is left alone.
console.log(await alice.quarantineGroup(group).catch((error: CoreCryptoError) => error.code)); // → invalid-argument
await alice.close();
