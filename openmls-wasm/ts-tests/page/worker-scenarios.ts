/** A client in a worker: the same promises, behind the same methods. */

import { CoreCryptoClient, CoreCryptoError, type InboxItem } from 'openmls-wasm';
import { createInWorker, openInWorker, type WorkerClientOptions } from 'openmls-wasm/in-worker';
import { codeOf, dump, equal, freshName, type Scenario } from './support.js';
import * as support from './support.js';

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

async function person(options: Partial<WorkerClientOptions> = {}): Promise<{ client: CoreCryptoClient; name: string }> {
  const name = options.name ?? freshName();
  const client = await openInWorker({ ...options, name });
  if ((await client.identity()) === undefined) {
    await client.createIdentity(utf8(name));
  }
  return { client, name };
}

const worker: Record<string, Scenario> = {
  'two clients in workers talk, and what they were told is durable': async () => {
    const [alice, bob] = [await person(), await person()];
    equal([alice.client.state, alice.client.origin], ['open', 'created'], 'state and origin');
    const [keyPackage] = await bob.client.generateKeyPackages(1);
    const group = await alice.client.createGroup();
    const commit = await alice.client.addMembers(group, keyPackage === undefined ? [] : [keyPackage]);
    await alice.client.mergePendingCommit(group);
    await bob.client.joinGroup(commit.welcome ?? new Uint8Array());
    const items: InboxItem[] = [];
    bob.client.on('inbox', (event) => items.push(...event.items));
    const sent = await Promise.all([1, 2, 3].map((n) => alice.client.encryptMessage(group, utf8(`message ${n}`))));
    for (const bytes of sent) {
      await bob.client.receiveMessage({ bytes });
    }
    equal(items.map((item) => item.kind === 'message' && text(item.plaintext)), ['message 1', 'message 2', 'message 3'], 'in order');
    const info = await bob.client.groupInfo(group);
    equal([String(info.epoch), info.members.length], ['1', 2], 'the group');
    const before = await dump(bob.name);
    await bob.client.close();
    equal(bob.client.state, 'closed', 'the state afterwards');
    equal(await dump(bob.name), before, 'the database after closing');
    const again = await openInWorker({ name: bob.name });
    equal(again.origin, 'restored', 'the origin');
    equal((await again.inbox()).length, 3, 'what was handed over and not acknowledged');
    await Promise.all([again.close(), alice.client.close()]);
  },

  'a snapshot leaves a worker as a stream, and is taken in by another': async () => {
    const [alice, bob] = [await person(), await person()];
    const group = await alice.client.createGroup();
    const commit = await alice.client.addMembers(group, await bob.client.generateKeyPackages(1));
    await alice.client.mergePendingCommit(group);
    await bob.client.joinGroup(commit.welcome ?? new Uint8Array());
    const passphrase = 'correct horse battery staple';
    const key = await alice.client.snapshotKey(passphrase);
    const stream = await alice.client.exportSnapshot({ passphrase: key, appData: new Blob(['history']) });
    const file = await new Response(stream as BodyInit).blob();
    const again = await openInWorker({ name: freshName() });
    const report = await again.importSnapshot(file, { passphrase });
    equal([report.added.length, await report.appData?.text()], [1, 'history'], 'the report');
    const joining = await again.joinByExternalCommit(await bob.client.exportGroupInfo(group));
    await bob.client.processMessage(joining.bytes ?? new Uint8Array());
    await again.acceptExternalJoin(joining.id);
    const read = await bob.client.processMessage(await again.encryptMessage(group, utf8('I am back')));
    equal(read.kind === 'message' && text(read.plaintext), 'I am back', 'what was read');
    await Promise.all([alice.client.close(), bob.client.close(), again.close()]);
  },

  'a removal waits for what the page does before it': async () => {
    const [alice, bob] = [await person(), await person()];
    const group = await alice.client.createGroup();
    await alice.client.addMembers(group, await bob.client.generateKeyPackages(1));
    await alice.client.mergePendingCommit(group);
    const members: number[] = [];
    const look = async (): Promise<void> => void members.push((await alice.client.groupInfo(group)).members.length);
    const end = alice.client.beforeRemovals(async () => {
      await look();
      throw new Error('passed over');
    });
    const other = alice.client.beforeRemovals(() => {
      throw new Error('passed over too');
    });
    await alice.client.removeMembers(group, [1]);
    await alice.client.clearPendingCommit(group);
    equal(members, [2], 'the hook ran once, before the commit');
    end();
    other();
    await alice.client.removeMembers(group, [1]);
    equal(members, [2], 'not any more');
    await Promise.all([alice.client.close(), bob.client.close()]);
  },

  'a refusal is an error of the package, with its code': async () => {
    const { client, name } = await person();
    const error = await client.groupInfo(Uint8Array.of(1)).then(() => undefined, (reason: unknown) => reason);
    equal([error instanceof CoreCryptoError, (error as CoreCryptoError).code], [true, 'group-not-found'], 'the error');
    equal(await codeOf(client.createGroup('no bytes' as unknown as Uint8Array)), 'invalid-argument', 'a wrong argument');
    equal(await codeOf(client.createGroup((() => 0) as unknown as Uint8Array)), 'invalid-argument', 'what cannot be cloned');
    equal(await codeOf(openInWorker({ name })), 'already-open', 'a second one');
    equal(await codeOf(CoreCryptoClient.open({ name })), 'already-open', 'one on the page');
    await client.close();
    equal(await codeOf(client.identity()), 'closed', 'after closing');
    const onPage = await CoreCryptoClient.open({ name });
    equal(text((await onPage.identity())?.identity ?? new Uint8Array()), name, 'the same database');
    await onPage.close();
  },

  'events and handing in before opening': async () => {
    const name = freshName();
    const client = createInWorker({ name });
    const seen: string[] = [];
    client.on('incoming-failed', ({ code }) => seen.push(code));
    client.on('saved', () => seen.push('saved'));
    equal(client.state, 'opening', 'the state');
    const handedIn = client.receiveWelcome({ bytes: Uint8Array.of(0, 1, 0, 3), position: 1 });
    await client.open();
    equal(await handedIn, undefined, 'what was handed in');
    await client.createIdentity(utf8(name));
    equal(seen.includes('saved'), true, 'an event');
    await client.close();
  },

  'the app on the page is asked about credentials': async () => {
    const asked: string[] = [];
    const bob = await person();
    const alice = await person({
      validateCredential: async ({ identity }) => {
        asked.push(text(identity));
        if (asked.length === 1) {
          throw new Error('not now');
        }
        return asked.length > 2;
      },
    });
    const group = await alice.client.createGroup();
    const [keyPackage] = await bob.client.generateKeyPackages(1);
    const add = (): Promise<unknown> => alice.client.addMembers(group, keyPackage === undefined ? [] : [keyPackage]);
    equal(await codeOf(add()), 'validator-failed', 'a validator that throws');
    equal(await codeOf(add()), 'credential-rejected', 'a refusal');
    await add();
    equal(asked, [bob.name, bob.name, bob.name], 'who was asked about');
    await Promise.all([alice.client.close(), bob.client.close()]);
  },

  'a worker that cannot be loaded is told': async () => {
    const broken = new Worker('/dist/no-such-file.js', { type: 'module' });
    equal(await codeOf(openInWorker({ name: freshName(), worker: broken })), 'worker-failed', 'the code');
  },

  'the page is not blocked while the worker works': async () => {
    const { client } = await person();
    const longest = { ms: 0 };
    const observer = new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) {
        longest.ms = Math.max(longest.ms, duration);
      }
    });
    observer.observe({ type: 'longtask' });
    await client.generateKeyPackages(1000);
    observer.disconnect();
    equal(longest.ms > 50, false, `a task of ${longest.ms} ms on the page`);
    await client.close();
  },
};

window.scenarios = { worker };
window.support = support;
