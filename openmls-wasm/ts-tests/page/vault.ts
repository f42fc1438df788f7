/** The vault: what it keeps out of the database, what unlocks it, and what becomes of a database that somebody has changed. */

import {
  CoreCryptoClient,
  IndexedDbPersister,
  rotateDataKey,
  sealDatabase,
  unsealDatabase,
  vaultInfo,
  type CoreCryptoOptions,
  type StorageRecord,
  type VaultHeader,
  type VaultUnlock,
} from 'openmls-wasm';
import { codeOf, connect, dump, equal, freshName, next, result, tamper, type Scenario } from './support.js';

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const hexOf = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');

/** Fast: everything but the passphrase's own tests uses it. */
const KEY: VaultUnlock = { kind: 'key', key: new Uint8Array(32).fill(7) };
const OTHER_KEY: VaultUnlock = { kind: 'key', key: new Uint8Array(32).fill(8) };
const PASSPHRASE: VaultUnlock = { kind: 'passphrase', passphrase: 'correct horse battery staple' };
const GROUP = utf8('a group whose name is known');
const IDENTITY = utf8('an identity that is known');
const WORDS = 'words that are known';

interface Talk {
  readonly name: string;
  readonly alice: CoreCryptoClient;
  readonly bob: CoreCryptoClient;
}

async function person(name: string, options: Partial<CoreCryptoOptions>): Promise<CoreCryptoClient> {
  const client = await CoreCryptoClient.open({ ...options, name });
  if ((await client.identity()) === undefined) {
    await client.createIdentity(IDENTITY);
  }
  return client;
}

/** Alice's database is the one under test; Bob's is in the clear. */
async function talk(options: Partial<CoreCryptoOptions> = { vault: { unlock: KEY } }): Promise<Talk> {
  const name = freshName();
  const [alice, bob] = [await person(name, options), await person(freshName(), {})];
  const [keyPackage] = await bob.generateKeyPackages(1);
  await alice.createGroup(GROUP);
  const commit = await alice.addMembers(GROUP, keyPackage === undefined ? [] : [keyPackage]);
  await alice.mergePendingCommit(GROUP);
  await bob.joinGroup(commit.welcome ?? new Uint8Array());
  return { name, alice, bob };
}

async function hear({ alice, bob }: Pick<Talk, 'alice' | 'bob'>, words: string): Promise<void> {
  const [there, back] = [await alice.encryptMessage(GROUP, utf8(words)), await bob.encryptMessage(GROUP, utf8(words))];
  const read = [await bob.processMessage(there), await alice.processMessage(back)];
  equal(read.map((one) => one.kind === 'message' && text(one.plaintext)), [words, words], 'what each read');
}

function open(name: string, unlock: VaultUnlock = KEY): Promise<CoreCryptoClient> {
  return CoreCryptoClient.open({ name, vault: { unlock } });
}

/** What of these is found in a database: in keys, in bytes, and in what of it is text. */
async function found(name: string, known: Readonly<Record<string, Uint8Array>>): Promise<string[]> {
  const content = Object.entries(await dump(name)).map(([key, value]) => `${key}\n${value}`).join('\n');
  const forms = (bytes: Uint8Array): string[] => [hexOf(bytes), [...bytes].join(), text(bytes)];
  return Object.entries(known).flatMap(([what, bytes]) => (forms(bytes).some((form) => content.includes(form)) ? [what] : []));
}

const KNOWN = { group: GROUP, identity: IDENTITY, words: utf8(WORDS) };

async function records(name: string): Promise<Record<string, string>> {
  return Object.fromEntries(Object.entries(await dump(name)).filter(([key]) => !/^meta\//.test(key)));
}

export const vault: Record<string, Scenario> = {
  'nothing known is in a sealed database; all of it is in one in the clear': async () => {
    for (const [options, expected] of [
      [{}, ['group', 'identity', 'words']],
      [{ vault: { unlock: KEY } }, []],
    ] as const) {
      const here = await talk(options);
      await hear(here, WORDS);
      await here.alice.setGroupName(GROUP, utf8(WORDS));
      const sent = await here.alice.sendMessage(GROUP, utf8(WORDS));
      equal(await found(here.name, KNOWN), expected, `found with ${JSON.stringify(Object.keys(options))}`);
      // No integer in the clear either.
      const isBlinded = (key: string): boolean => /^[^/]+(\/[0-9a-f]{32})+$/.test(key);
      const keys = Object.keys(await records(here.name));
      equal(keys.length > 10 && keys.every(isBlinded), expected.length === 0, 'every part of a key is blinded');
      await here.alice.close();
      const again = await CoreCryptoClient.open({ ...options, name: here.name });
      equal((await again.outbox()).map(({ id }) => id), [sent.id], 'the outbox after opening again');
      equal((await again.groupSummaries()).groups.map((group) => text(group.name)), [WORDS], 'the groups');
      await hear({ alice: again, bob: here.bob }, 'and on');
      await Promise.all([again.close(), here.bob.close()]);
    }
  },

  'what unlocks a vault unlocks it, and nothing else does': async () => {
    const raw = crypto.getRandomValues(new Uint8Array(32));
    const hkdf = await crypto.subtle.importKey('raw', raw, 'HKDF', false, ['deriveKey']);
    const aes = await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']);
    const ways: [string, VaultUnlock, VaultUnlock][] = [
      ['a passphrase', PASSPHRASE, { kind: 'passphrase', passphrase: 'correct horse battery stable' }],
      ['a key', { kind: 'key', key: raw }, OTHER_KEY],
      ['a CryptoKey for HKDF', { kind: 'key', key: hkdf }, OTHER_KEY],
      ['a CryptoKey of AES-GCM', { kind: 'key', key: aes }, { kind: 'key', key: hkdf }],
      ['no secret', { kind: 'device' }, KEY],
      ['a passkey', { kind: 'passkey', credentialId: utf8('a'), secret: raw }, { kind: 'passkey', credentialId: utf8('b'), secret: raw }],
    ];
    for (const [what, right, wrong] of ways) {
      const name = freshName();
      const client = await person(name, { vault: { unlock: right } });
      await client.createGroup(GROUP);
      await client.close();
      const before = await dump(name);
      equal(await codeOf(open(name, wrong)), 'unlock-failed', `${what}: another`);
      equal(await codeOf(CoreCryptoClient.open({ name })), 'vault-locked', `${what}: none`);
      equal(await dump(name), before, `${what}: the database`);
      const again = await open(name, right);
      equal(text((await again.identity())?.identity ?? new Uint8Array()), text(IDENTITY), `${what}: the identity`);
      equal((await again.groupInfo(GROUP)).members.length, 1, `${what}: the group`);
      await again.close();
    }
  },

  'a database in the clear is not opened as a vault, and stays as it is': async () => {
    const name = freshName();
    await (await person(name, {})).close();
    const before = await dump(name);
    equal(await codeOf(open(name)), 'not-sealed', 'with vault');
    equal(await dump(name), before, 'the database');
    const client = await CoreCryptoClient.open({ name });
    equal(await codeOf(client.lock()), 'not-sealed', 'lock');
    equal(await codeOf(client.vaultUnlocks()), 'not-sealed', 'the ways to unlock');
    await client.close();
  },

  'what ends with an epoch is deleted, in part by ranges, and nothing beside it': async () => {
    const here = await talk();
    const others: CoreCryptoClient[] = [];
    for (let count = 0; count < 9; count += 1) {
      others.push(await person(freshName(), {}));
    }
    const keyPackages = await Promise.all(others.map(async (other) => (await other.generateKeyPackages(1))[0] ?? new Uint8Array()));
    const added = await here.alice.addMembers(GROUP, keyPackages);
    await here.alice.mergePendingCommit(GROUP);
    const last = others[8] ?? here.bob;
    await here.bob.processMessage(added.bytes ?? new Uint8Array());
    await last.joinGroup(added.welcome ?? new Uint8Array());
    // Of neighbours on both sides, whose keys are in another order when they are sealed.
    for (const name of ['a group', 'b group', 'z group']) {
      await here.alice.createGroup(utf8(name));
    }
    // The ratchets of the first and of the last member are in different parts.
    await hear(here, WORDS);
    await hear({ alice: here.alice, bob: last }, WORDS);
    const ranges: IDBKeyRange[] = [];
    const real = IDBObjectStore.prototype.delete;
    IDBObjectStore.prototype.delete = function (key): IDBRequest<undefined> {
      if (key instanceof IDBKeyRange) {
        ranges.push(key);
      }
      return real.call(this, key);
    };
    const commit = await here.alice.selfUpdate(GROUP);
    try {
      await here.alice.mergePendingCommit(GROUP);
      // Of the epoch that is over the handshake ratchets have gone, and now the rest of it does.
      await here.alice.deletePastEpochSecrets(GROUP);
    } finally {
      IDBObjectStore.prototype.delete = real;
    }
    equal(ranges.length > 0, true, 'something was deleted by a range');
    await Promise.all([here.bob, last].map((one) => one.processMessage(commit.bytes ?? new Uint8Array())));
    await here.alice.close();
    // The digest of each group counts its records: too many are told as well as too few.
    const alice = await open(here.name);
    await hear({ alice, bob: here.bob }, 'and on');
    await hear({ alice, bob: last }, 'and on');
    for (const name of ['a group', 'b group', 'z group']) {
      equal((await alice.groupInfo(utf8(name))).members.length, 1, name);
    }
    await Promise.all([alice, here.bob, ...others].map((one) => one.close()));
  },

  'ways to unlock are added, changed and removed without rewriting a record': async () => {
    const here = await talk();
    const before = await records(here.name);
    equal((await here.alice.addVaultUnlock(KEY, PASSPHRASE)).map(({ kind }) => kind), ['key', 'passphrase'], 'two ways');
    equal(await codeOf(here.alice.addVaultUnlock(OTHER_KEY, { kind: 'device' })), 'unlock-failed', 'with a wrong one');
    const next: VaultUnlock = { kind: 'passphrase', passphrase: 'another', argon2: { memoryKiB: 80 * 1024, iterations: 4 } };
    equal((await here.alice.changeVaultUnlock(PASSPHRASE, next)).map(({ kind }) => kind), ['key', 'passphrase'], 'another one');
    equal(await records(here.name), before, 'the records');
    await here.alice.close();
    equal(await codeOf(open(here.name, PASSPHRASE)), 'unlock-failed', 'the old passphrase');
    const alice = await open(here.name, next);
    const [byKey, byPassphrase] = await alice.vaultUnlocks();
    equal((await vaultInfo(here.name))?.unlocks.map(({ id }) => id), [byKey?.id, byPassphrase?.id], 'what anybody may see');
    await alice.removeVaultUnlock(next, byKey?.id ?? '');
    equal(await codeOf(alice.removeVaultUnlock(next, byPassphrase?.id ?? '')), 'invalid-argument', 'the last one');
    await alice.close();
    equal(await codeOf(open(here.name)), 'unlock-failed', 'the key that was removed');
    const again = await open(here.name, next);
    await hear({ alice: again, bob: here.bob }, 'still here');
    await Promise.all([again.close(), here.bob.close()]);
  },

  'while locked, calls are refused and what arrives waits, out of sight': async () => {
    const here = await talk();
    const sent = await here.bob.encryptMessage(GROUP, utf8('while you were away'));
    const underWay = here.alice.encryptMessage(GROUP, utf8('under way'));
    await here.alice.lock();
    equal((await underWay).length > 0, true, 'what was under way has come to its end');
    equal(here.alice.state, 'locked', 'the state');
    equal(await codeOf(here.alice.groupInfo(GROUP)), 'vault-locked', 'a query');
    equal(await codeOf(here.alice.encryptMessage(GROUP, utf8('no'))), 'vault-locked', 'a message');
    equal(await here.alice.receiveMessage({ bytes: sent, id: 'the id of the message' }), undefined, 'a message that arrives');
    equal(await found(here.name, { ...KNOWN, sent, id: utf8('the id of the message') }), [], 'what is found');
    const before = await dump(here.name);
    equal(await codeOf(here.alice.unlock(OTHER_KEY)), 'unlock-failed', 'a wrong key');
    equal([here.alice.state, await dump(here.name)], ['locked', before], 'what has changed by it');
    await here.alice.lock();
    const items = next(here.alice, 'inbox');
    await here.alice.unlock(KEY);
    const [item] = (await items).items;
    equal(item?.kind === 'message' && text(item.plaintext), 'while you were away', 'what had arrived');
    equal([here.alice.state, item?.id], ['open', 'the id of the message'], 'the state, and the id');
    equal(await codeOf(here.alice.unlock(KEY)), 'invalid-argument', 'unlocked twice');
    await hear(here, 'back');
    await Promise.all([here.alice.close(), here.bob.close()]);
    equal(await codeOf(here.alice.unlock(KEY)), 'closed', 'after closing');
  },

  'a record that was moved does not open': async () => {
    const [here, other] = [await talk(), await talk()];
    await hear(here, WORDS);
    await here.alice.generateKeyPackages(6);
    await Promise.all([here.alice.close(), here.bob.close(), other.alice.close(), other.bob.close()]);
    const [own, foreign] = [await allRecords(here.name), await allRecords(other.name)];
    let refused = 0;
    const moves = own.flatMap((target) => own.concat(foreign).map((source) => ({ target, source })));
    const real = moves.filter(({ target, source }) => target !== source);
    for (const { target, source } of real) {
      const persister = new MovedRecords(here.name, target, source.value);
      const client = new CoreCryptoClient({ name: here.name, vault: { unlock: KEY }, persister });
      const code = await codeOf(client.open().then(() => Promise.all([client.groupInfo(GROUP), client.keyPackages()])));
      equal(code, 'damaged-record', `${source.category}/${source.key} at ${target.category}/${target.key}`);
      refused += 1;
      await client.close();
    }
    equal(refused > 500, true, `${refused} moves`);
    const client = await open(here.name);
    equal((await client.groupInfo(GROUP)).members.length, 2, 'the group, unmoved');
    await client.close();
  },

  'a database is sealed, its key rotated, and unsealed, and all is there': async () => {
    const here = await talk({});
    await here.alice.setGroupName(GROUP, utf8(WORDS));
    await here.alice.close();
    const clear = await records(here.name);
    const steps: string[] = [];
    const task = { name: here.name, unlock: KEY, onProgress: ({ state }: { state: string }) => steps.push(state) };
    equal(await codeOf(rotateDataKey(task)), 'not-sealed', 'nothing to rotate');
    await sealDatabase(task);
    equal(await codeOf(sealDatabase(task)), 'invalid-argument', 'sealed twice');
    equal(await found(here.name, KNOWN), [], 'what is found');
    const first = await records(here.name);
    equal(await codeOf(rotateDataKey({ ...task, unlock: OTHER_KEY })), 'unlock-failed', 'with a wrong key');
    equal(await records(here.name), first, 'the records after that');
    await rotateDataKey(task);
    const second = await records(here.name);
    equal(Object.keys(second).length, Object.keys(first).length, 'as many records');
    equal(Object.values(second).filter((value) => Object.values(first).includes(value)), [], 'records as they were');
    const alice = await open(here.name);
    await alice.close();
    await unsealDatabase(task);
    equal([await vaultInfo(here.name), await records(here.name)], [undefined, clear], 'in the clear again');
    equal([...new Set(steps)], ['sealing', 'rotating', 'unsealing'], 'progress');
    const again = await CoreCryptoClient.open({ name: here.name });
    await hear({ alice: again, bob: here.bob }, 'all the same');
    await Promise.all([again.close(), here.bob.close()]);
  },

  'a conversion that is interrupted goes on, wherever it was': async () => {
    for (const interrupted of [1, 2, 3, 5, 8]) {
      for (const what of ['sealing', 'rotating', 'unsealing'] as const) {
        const here = await talk(what === 'sealing' ? {} : undefined);
        await here.alice.close();
        const task = { name: here.name, unlock: KEY };
        const convert = { sealing: sealDatabase, rotating: rotateDataKey, unsealing: unsealDatabase }[what];
        equal(await codeOf(withAborted(interrupted, () => convert(task))) !== 'resolved', true, `${what}, ${interrupted}: interrupted`);
        const info = await vaultInfo(here.name);
        if (what === 'unsealing') {
          const outcome = info?.state === 'unsealing' ? 'not-sealed' : 'resolved';
          const opened = open(here.name);
          equal(await codeOf(opened), outcome, `${what}, ${interrupted}: open`);
          await opened.then((client) => client.close(), () => undefined);
        }
        const sealed = what === 'unsealing' ? (await vaultInfo(here.name)) !== undefined : what === 'rotating' || info !== undefined;
        const alice = sealed ? await open(here.name) : await CoreCryptoClient.open({ name: here.name });
        equal((await vaultInfo(here.name))?.state, sealed ? 'sealed' : undefined, `${what}, ${interrupted}: the state`);
        equal((await found(here.name, KNOWN)).length > 0, !sealed, `${what}, ${interrupted}: in the clear`);
        await hear({ alice, bob: here.bob }, 'all the same');
        await Promise.all([alice.close(), here.bob.close()]);
      }
    }
  },

  'a header that somebody has changed does not unlock, and costs nothing': async () => {
    const here = await talk();
    await Promise.all([here.alice.close(), here.bob.close()]);
    const whole = await headerOf(here.name);
    const { unlocks, dataKeys, intake } = whole;
    const changes: Record<string, VaultHeader> = {
      'told to unseal': { ...whole, state: 'unsealing' },
      'of another vault': { ...whole, id: new Uint8Array(16) },
      'with another data key': { ...whole, dataKeys: dataKeys.map((key) => ({ ...key, wrapped: key.wrapped.map((byte) => byte ^ 1) })) },
      'without a data key': { ...whole, dataKeys: [] },
      'with another intake': { ...whole, intake: { ...intake, publicKey: intake.publicKey.map((byte) => byte ^ 1) } },
      'with a way to unlock twice': { ...whole, unlocks: [...unlocks, ...unlocks] },
      'asking for another state': { ...whole, state: 'nothing' as 'sealed' },
    };
    const before = await records(here.name);
    for (const [what, header] of Object.entries(changes)) {
      await tamper(here.name, 'meta', (meta) => meta.put(header, 'vault'));
      equal(/^(damaged-record|unlock-failed)$/.test(await codeOf(open(here.name))), true, what);
      equal(await records(here.name), before, `${what}: the records`);
    }
    await tamper(here.name, 'meta', (meta) => meta.put({ ...whole, version: 2 }, 'vault'));
    equal(await codeOf(open(here.name)), 'newer-format', 'of a newer version');
    await tamper(here.name, 'meta', (meta) => meta.put(whole, 'vault'));
    await (await open(here.name)).close();
  },

  'a header cannot ask for more than a passphrase may cost, nor a caller for less': async () => {
    const name = freshName();
    await (await person(name, { vault: { unlock: PASSPHRASE } })).close();
    const whole = await headerOf(name);
    for (const argon2 of [{ memoryKiB: 4 * 1024 * 1024, iterations: 3 }, { memoryKiB: 65_536, iterations: 1_000_000 }, { memoryKiB: 8, iterations: 1 }]) {
      const unlocks = whole.unlocks.map((unlock) => ({ ...unlock, argon2 }));
      await tamper(name, 'meta', (meta) => meta.put({ ...whole, unlocks }, 'vault'));
      equal(await codeOf(open(name, PASSPHRASE)), 'damaged-record', JSON.stringify(argon2));
      equal(await codeOf(open(freshName(), { ...PASSPHRASE, argon2 } as VaultUnlock)), 'invalid-argument', `new: ${JSON.stringify(argon2)}`);
    }
    for (const unlock of [{ kind: 'passphrase', passphrase: '' }, { kind: 'key', key: new Uint8Array(31) }, { kind: 'magic' }, undefined]) {
      equal(await codeOf(Promise.resolve().then(() => open(freshName(), unlock as VaultUnlock ?? null))), 'invalid-argument', JSON.stringify(unlock));
    }
  },

  'where a browser cannot keep a CryptoKey, no plain database is made instead': async () => {
    const name = freshName();
    const withKey = await person(freshName(), { vault: { unlock: KEY } });
    const put = IDBObjectStore.prototype.put;
    // As private windows of some browsers do.
    IDBObjectStore.prototype.put = function (value: unknown, key?: IDBValidKey) {
      if ((value as Partial<VaultHeader>).unlocks?.some(({ deviceKey }) => deviceKey instanceof CryptoKey) === true) {
        throw new DOMException('a CryptoKey cannot be cloned', 'DataCloneError');
      }
      return put.call(this, value, key);
    };
    try {
      equal(await codeOf(open(name, { kind: 'device' })), 'key-storage-unavailable', 'a new vault');
      equal(await codeOf(withKey.addVaultUnlock(KEY, { kind: 'device' })), 'key-storage-unavailable', 'one more way');
    } finally {
      IDBObjectStore.prototype.put = put;
    }
    equal((await withKey.vaultUnlocks()).map(({ kind }) => kind), ['key'], 'the ways of the other');
    await withKey.close();
    const client = await open(name, KEY);
    equal(client.origin, 'created', 'nothing was begun');
    await client.close();
  },

  'what the app keeps opens with the vault, in its place only, also when the data key was rotated': async () => {
    const here = await talk();
    const sealed = await here.alice.sealAppData('history/17', utf8(WORDS));
    equal([text(sealed).includes(WORDS), sealed.length], [false, WORDS.length + 49], 'what is to be seen of it');
    equal(text(await here.alice.openAppData('history/17', sealed)), WORDS, 'what was sealed');
    equal(await codeOf(here.alice.openAppData('history/18', sealed)), 'damaged-record', 'in another place');
    await Promise.all([here.alice.close(), here.bob.close()]);
    await rotateDataKey({ name: here.name, unlock: KEY });
    const alice = await open(here.name);
    equal(text(await alice.openAppData('history/17', sealed)), WORDS, 'after the rotation');
    await alice.close();
  },

  'no nonce is used twice with a key, not by a database that was put back either': async () => {
    const used = new Set<string>();
    const keys = new Map<CryptoKey, string>();
    let sealed = 0;
    const { encrypt, deriveKey } = SubtleCrypto.prototype;
    const bytesOf = (source: BufferSource): Uint8Array => (source instanceof ArrayBuffer ? new Uint8Array(source) : new Uint8Array(source.buffer, source.byteOffset, source.byteLength));
    SubtleCrypto.prototype.deriveKey = async function (algorithm, base, ...rest) {
      const key = await deriveKey.call(this, algorithm, base, ...rest);
      // What the key follows from, beside the data key.
      const { salt, info } = algorithm as HkdfParams;
      keys.set(key, `${hexOf(bytesOf(salt))}/${hexOf(bytesOf(info))}`);
      return key;
    };
    SubtleCrypto.prototype.encrypt = async function (algorithm, key, data) {
      const { iv, additionalData } = algorithm as AesGcmParams;
      if (additionalData !== undefined && text(bytesOf(additionalData)).startsWith('openmls-wasm record')) {
        used.add(`${keys.get(key) ?? 'not derived'} ${hexOf(bytesOf(iv))}`);
        sealed += 1;
      }
      return encrypt.call(this, algorithm, key, data);
    };
    try {
      const here = await talk();
      await here.alice.close();
      const old = await snapshot(here.name);
      for (let round = 0; round < 5; round += 1) {
        const alice = await open(here.name);
        for (let message = 0; message < 20; message += 1) {
          await alice.encryptMessage(GROUP, utf8('again and again'));
        }
        await alice.close();
        await putBack(here.name, old);
      }
      await here.bob.close();
    } finally {
      Object.assign(SubtleCrypto.prototype, { encrypt, deriveKey });
    }
    equal([used.size, sealed > 200], [sealed, true], 'nonces, and records that were sealed');
    equal([...used].filter((one) => one.startsWith('not derived') || one.startsWith('/')), [], 'keys without a salt');
    equal(new Set([...used].map((one) => one.split('/')[0])).size, 6, 'salts, one a session');
  },

  'records in the clear do not become genuine by a rotation, and what does not open keeps its key': async () => {
    const here = await talk();
    await hear(here, WORDS);
    await Promise.all([here.alice.close(), here.bob.close()]);
    const before = await headerOf(here.name);
    const [victim] = (await allRecords(here.name)).filter(({ category }) => category === 'epoch_records');
    const value = Uint8Array.from(victim?.value ?? []);
    value[value.length - 1] = (value.at(-1) ?? 0) ^ 1;
    await tamper(here.name, 'epoch_records', (store) => store.put(value, victim?.key));
    // As somebody without a key would plant it.
    await tamper(here.name, 'psk', (store) => store.put(Uint8Array.of(2, 1, 2, 3), '0000000000000001/aa'));
    let damaged = 0;
    await rotateDataKey({ name: here.name, unlock: KEY, onProgress: (progress) => (damaged = progress.damaged) });
    equal(damaged, 2, 'records that were left as they are');
    const after = await headerOf(here.name);
    equal([after.dataKeys.length, after.dataKeys[0]?.number, after.state], [2, before.dataKeys[0]?.number, 'sealed'], 'the keys');
    equal(await codeOf(open(here.name)), 'damaged-record', 'what was planted');
    const alice = await CoreCryptoClient.open({ name: here.name, vault: { unlock: KEY }, quarantineDamaged: true });
    equal(await codeOf(alice.groupInfo(GROUP)), 'damaged-group', 'the group');
    await alice.close();
    await unsealDatabase({ name: here.name, unlock: KEY });
    const content = await dump(here.name);
    equal(['meta/vault' in content, 'meta/former-vault' in content], [false, true], 'headers when it is unsealed');
    const clear = await CoreCryptoClient.open({ name: here.name });
    equal(text((await clear.identity())?.identity ?? new Uint8Array()), text(IDENTITY), 'the identity');
    await clear.close();
  },

  'a client that connected before the database was sealed writes nothing in the clear': async () => {
    const here = await talk({});
    await here.alice.close();
    const early = new CoreCryptoClient({ name: here.name });
    const [one, two] = [await here.bob.encryptMessage(GROUP, utf8('one')), await here.bob.encryptMessage(GROUP, utf8('two'))];
    await early.receiveMessage({ bytes: one });
    await sealDatabase({ name: here.name, unlock: KEY });
    equal(await codeOf(early.receiveMessage({ bytes: two })), 'vault-locked', 'a message for the queue');
    equal(await found(here.name, { ...KNOWN, one, two }), [], 'what is found');
    equal(await codeOf(early.open()), 'vault-locked', 'opening');
    const alice = await open(here.name);
    equal((await alice.inbox()).map((item) => item.kind === 'message' && text(item.plaintext)), ['one'], 'what waited');
    await Promise.all([early.close(), alice.close(), here.bob.close()]);
  },

  'a client that connected before the database was unsealed loses no message, and takes nothing for damaged': async () => {
    const here = await talk();
    await here.alice.lock();
    const [one, two] = [await here.bob.encryptMessage(GROUP, utf8('one')), await here.bob.encryptMessage(GROUP, utf8('two'))];
    await here.alice.receiveMessage({ bytes: one });
    await unsealDatabase({ name: here.name, unlock: KEY });
    equal(await codeOf(here.alice.receiveMessage({ bytes: two })), 'not-sealed', 'a message for the queue');
    equal(await codeOf(here.alice.unlock(KEY)), 'not-sealed', 'unlocking');
    await here.alice.close();
    const clear = await CoreCryptoClient.open({ name: here.name });
    equal((await clear.inbox()).map((item) => item.kind === 'message' && text(item.plaintext)), ['one'], 'what waited');
    await Promise.all([clear.close(), here.bob.close()]);
  },

  'unlocking after the database is gone makes no other': async () => {
    const here = await talk();
    await here.alice.lock();
    await new Promise<void>((resolve) => {
      indexedDB.deleteDatabase(here.name).onsuccess = () => resolve();
    });
    equal(await codeOf(here.alice.unlock(KEY)), 'database-missing', 'the right key');
    equal(await codeOf(here.alice.unlock(OTHER_KEY)), 'database-missing', 'a wrong key');
    equal((await indexedDB.databases()).some(({ name }) => name === here.name), false, 'a database');
    await Promise.all([here.alice.close(), here.bob.close()]);
  },

  'a vault has no more ways to unlock it than can be tried': async () => {
    const name = freshName();
    const client = await person(name, { vault: { unlock: KEY } });
    for (let way = 1; way < 16; way += 1) {
      await client.addVaultUnlock(KEY, { kind: 'key', key: new Uint8Array(32).fill(100 + way) });
    }
    equal(await codeOf(client.addVaultUnlock(KEY, OTHER_KEY)), 'invalid-argument', 'the seventeenth');
    await client.close();
    const header = await headerOf(name);
    await tamper(name, 'meta', (meta) => meta.put({ ...header, unlocks: [...header.unlocks, ...header.unlocks] }, 'vault'));
    equal(await codeOf(open(name)), 'damaged-record', 'a header with more');
  },
};

/** Gives out the value of another record in the place of one. */
class MovedRecords extends IndexedDbPersister {
  readonly #target: StorageRecord;
  readonly #value: Uint8Array;

  constructor(name: string, target: StorageRecord, value: Uint8Array) {
    super({ name });
    this.#target = target;
    this.#value = value;
  }

  override async load(scope?: 'client' | 'group'): Promise<StorageRecord[]> {
    return (await super.load(scope)).map((record) => this.#moved(record));
  }

  override async loadGroup(group: string): Promise<StorageRecord[]> {
    return (await super.loadGroup(group)).map((record) => this.#moved(record));
  }

  override async loadCategory(category: string): Promise<StorageRecord[]> {
    return (await super.loadCategory(category)).map((record) => this.#moved(record));
  }

  override claimWriter(accept: (records: StorageRecord[]) => void): ReturnType<IndexedDbPersister['claimWriter']> {
    return super.claimWriter((records) => accept(records.map((record) => this.#moved(record))));
  }

  #moved(record: StorageRecord): StorageRecord {
    const isTarget = record.category === this.#target.category && record.key === this.#target.key;
    return isTarget ? { ...record, value: this.#value } : record;
  }
}

async function allRecords(name: string): Promise<StorageRecord[]> {
  const database = await connect(name);
  const stores = [...database.objectStoreNames].filter((store) => store !== 'meta' && store !== 'incoming');
  const found = await Promise.all(
    stores.map(async (category) => {
      const store = database.transaction(category).objectStore(category);
      const [keys, values] = await Promise.all([result(store.getAllKeys()), result(store.getAll() as IDBRequest<Uint8Array[]>)]);
      return keys.map((key, index) => ({ category, key: String(key), value: values[index] ?? new Uint8Array() }));
    }),
  );
  database.close();
  return found.flat();
}

async function headerOf(name: string): Promise<VaultHeader> {
  const database = await connect(name);
  const header = await result(database.transaction('meta').objectStore('meta').get('vault') as IDBRequest<VaultHeader>);
  database.close();
  return header;
}

type Content = Map<string, [IDBValidKey, unknown][]>;

async function snapshot(name: string): Promise<Content> {
  const database = await connect(name);
  const content: Content = new Map();
  for (const store of database.objectStoreNames) {
    const objects = database.transaction(store).objectStore(store);
    const [keys, values] = await Promise.all([result(objects.getAllKeys()), result(objects.getAll() as IDBRequest<unknown[]>)]);
    content.set(store, keys.map((key, index) => [key, values[index]]));
  }
  database.close();
  return content;
}

async function putBack(name: string, content: Content): Promise<void> {
  for (const [store, entries] of content) {
    await tamper(name, store, (objects) => {
      objects.clear();
      for (const [key, value] of entries) {
        objects.put(value, key);
      }
    });
  }
}

/** Runs `body` with every read-write transaction from the `nth` on aborted. */
async function withAborted<T>(nth: number, body: () => Promise<T>): Promise<T> {
  const real = IDBDatabase.prototype.transaction;
  let count = 0;
  IDBDatabase.prototype.transaction = function (stores, mode, options): IDBTransaction {
    const transaction = real.call(this, stores, mode, options);
    if (mode === 'readwrite') {
      count += 1;
      if (count >= nth) {
        queueMicrotask(() => transaction.abort());
      }
    }
    return transaction;
  };
  try {
    return await body();
  } finally {
    IDBDatabase.prototype.transaction = real;
  }
}
