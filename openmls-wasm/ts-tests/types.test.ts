/** What the types let an app do, and what they keep it from: checked by the compiler; only their size is a test that runs. */

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { CoreCryptoClient, CoreCryptoError, CoreCryptoErrorCode, InboxItem, OutboxEntry } from 'openmls-wasm';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
/** Compiles only for types that are the same. */
function same<A, B>(..._proof: Equal<A, B> extends true ? [] : [never]): void {}

/** Never called. */
export async function uses(client: CoreCryptoClient, group: Uint8Array, item: InboxItem): Promise<void> {
  // An item tells by its kind what it has.
  if (item.kind === 'message') {
    same<typeof item.plaintext, Uint8Array>();
    same<typeof item.epoch, bigint>();
  }
  if (item.kind === 'failed') {
    // @ts-expect-error nothing was decrypted
    void item.plaintext;
  }

  // What is not encrypted yet cannot be uploaded by mistake.
  const entry = await client.sendMessage(group, group);
  same<typeof entry, OutboxEntry>();
  same<typeof entry.bytes, Uint8Array | null>();

  // Codes are a closed set.
  same<string extends CoreCryptoErrorCode ? 'open' : 'closed', 'closed'>();
  await client.groupInfo(group).catch((error: CoreCryptoError) => {
    // @ts-expect-error no such code
    void (error.code === 'group-not-fuond');
  });

  // Text is not bytes, and a group is named by its id.
  // @ts-expect-error
  await client.encryptMessage(group, 'Hello');
  // @ts-expect-error
  await client.groupInfo('a group');
  // @ts-expect-error
  await client.receiveMessage({ id: 'without bytes' });

  // An app that forgets that there may be no identity is told so.
  const identity = await client.identity();
  // @ts-expect-error
  void identity.ciphersuite;

  // Every kind of proposal has its own parts.
  await client.propose(group, { kind: 'remove', leafIndex: 1 });
  // @ts-expect-error an addition needs a key package
  await client.propose(group, { kind: 'add', leafIndex: 1 });
  // @ts-expect-error no commit of OpenMLS contains a ReInit
  await client.propose(group, { kind: 're-init', groupId: group });
  for (const { proposal, sender } of await client.pendingProposals(group)) {
    if (proposal.kind === 'app-defined') same<typeof proposal.payload, Uint8Array>();
    if (sender.kind === 'external') same<typeof sender.index, number>();
    // @ts-expect-error an external sender has no leaf
    if (sender.kind === 'external') void sender.leafIndex;
  }
  // A group is configured with all settings, begun with some.
  await client.createGroup(undefined, { settings: { paddingSize: 32 } });
  // @ts-expect-error
  await client.configureGroup(group, { paddingSize: 32 });

  // Events and their contents go together.
  client.on('inbox', ({ items }) => same<typeof items, readonly InboxItem[]>());
  // @ts-expect-error
  client.on('mail', () => undefined);

  // What the write-behind loop uses is not an app's.
  // @ts-expect-error
  void client.session;
  // @ts-expect-error
  void client.change(() => undefined);
}

test('the declarations that an app loads stay small', async () => {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const { reachableDeclarations } = (await import(new URL('../../../scripts/lib/declarations.mjs', import.meta.url).href)) as {
    readonly reachableDeclarations: (packageDir: string) => string[];
  };
  const files = reachableDeclarations(root);
  const sizes = await Promise.all(files.map(async (file) => (await readFile(file)).length));
  const total = sizes.reduce((sum, size) => sum + size, 0);
  assert.ok(total > 50_000 && total < 150_000, `${total} bytes in ${files.length} files`);
});
