/** Scenarios of the app's decision on credentials. */

import type { CoreCryptoOptions, CredentialContext, CredentialToValidate } from 'openmls-wasm';
import { ENTRANT, HEADER, IN_ORDER, JUNK, REMOVAL } from './fake-engine.js';
import { codeOf, dump, encrypt, equal, gate, GROUP, isSettled, make, open, type Fixture, type Scenario } from './support.js';

const OTHER = Uint8Array.of(9, 9, 9, 9);

interface Entry {
  readonly bytes: Uint8Array;
  readonly id: string;
  readonly position?: number;
}

/** An entry of a group's log, framed so that its group can be told from it. */
function entry(id: string, position: number | undefined, group: Uint8Array, ...rest: number[]): Entry {
  const bytes = Uint8Array.of(...HEADER, ...group, ...rest);
  return position === undefined ? { bytes, id } : { bytes, id, position };
}

const entrant = (id: string, position: number, identity: number): Entry => entry(id, position, GROUP, ENTRANT, identity);
const harmless = (id: string, position: number): Entry => entry(id, position, GROUP, 0);

/** A validator that the test answers, question by question. */
class App {
  readonly asked: { identity: number; epoch: string; answer: (verdict: boolean) => void; fail: (error: Error) => void }[] = [];
  readonly validateCredential = (credential: CredentialToValidate, context: CredentialContext): Promise<boolean> =>
    new Promise((answer, fail) => {
      this.asked.push({ identity: credential.identity[0] ?? -1, epoch: String(context.epoch), answer, fail });
    });

  identities(): number[] {
    return this.asked.map(({ identity }) => identity);
  }

  last(): App['asked'][number] {
    const last = this.asked.at(-1);
    if (last === undefined) {
      throw new Error('the app was not asked');
    }
    return last;
  }
}

async function openWith(options: Partial<CoreCryptoOptions> = {}): Promise<Fixture & { app: App }> {
  const app = new App();
  const fixture = await open({ validateCredential: app.validateCredential, ...options });
  return { ...fixture, app };
}

/** Lets everything go on that can. */
async function rest(): Promise<void> {
  for (let turn = 0; turn < 10; turn += 1) {
    await isSettled(new Promise(() => undefined));
  }
}

/** Lets everything go on until the app has been asked so often. */
async function asked(app: App, times: number): Promise<void> {
  while (app.asked.length < times) {
    await isSettled(new Promise(() => undefined));
  }
}

export const validation: Record<string, Scenario> = {
  'the app is asked about who enters, and about nothing else': async () => {
    const { client, app } = await openWith();
    equal((await client.receiveMessage(harmless('a', 1)))?.kind, 'message', 'a message');
    const received = client.receiveMessage(entrant('b', 2, 7));
    await asked(app, 1);
    equal([app.identities(), app.last().epoch, await isSettled(received)], [[7], '0', false], 'question');
    equal(await client.deliveryCursor(GROUP), 1, 'the cursor meanwhile');
    app.last().answer(true);
    equal([(await received)?.kind, await client.deliveryCursor(GROUP)], ['message', 2], 'item, cursor');
    await client.close();
  },

  'what is refused is a failed item, and the cursor moves on': async () => {
    const { client, app } = await openWith();
    const received = client.receiveMessage(entrant('a', 1, 7));
    await asked(app, 1);
    app.last().answer(false);
    equal([(await received)?.kind, await client.deliveryCursor(GROUP)], ['failed', 1], 'item, cursor');
    equal((await client.inbox()).map(({ id, kind }) => [id, kind]), [['a', 'failed']], 'inbox');
    equal(await encrypt(client), 1, 'the epoch is what it was');
    await client.close();
  },

  'an answer that is not true is a refusal, an exception is none and changes nothing': async () => {
    const { client, app } = await openWith();
    const bytes = entrant('a', 1, 7).bytes;
    const first = client.processMessage(bytes);
    await asked(app, 1);
    app.last().answer('yes' as unknown as boolean);
    equal(await codeOf(first), 'credential-rejected', 'an answer of another type');
    const second = client.processMessage(bytes).catch((error: unknown) => error as Error);
    await asked(app, 2);
    app.last().fail(new Error('no such user'));
    const error = await second;
    equal([(error as Error & { code: string }).code, ((error as Error).cause as Error).message], ['validator-failed', 'no such user'], 'the error');
    const throwing = await open({
      validateCredential: () => {
        throw new Error('at once');
      },
    });
    equal(await codeOf(throwing.client.processMessage(bytes)), 'validator-failed', 'one that throws');
    const received = client.receiveMessage(entrant('a', 1, 7));
    await asked(app, 3);
    app.last().fail(new Error('offline'));
    equal(await codeOf(received), 'validator-failed', 'a received message');
    equal([(await client.inbox()).length, (await client.deliveryCursor(GROUP)) ?? null], [0, null], 'inbox, cursor');
    equal(await encrypt(client), 1, 'the epoch is what it was');
    const again = client.receiveMessage(entrant('a', 1, 7));
    await asked(app, 4);
    app.last().answer(true);
    equal((await again)?.kind, 'message', 'handed in again');
    await Promise.all([client.close(), throwing.client.close()]);
  },

  'calls for one group keep their order while the app thinks, other groups go on': async () => {
    const { client, app } = await openWith();
    await client.createGroup(OTHER);
    const order: string[] = [];
    const note = (name: string) => (): number => order.push(name);
    const first = client.receiveMessage(entrant('a', 1, 7)).then(note('a'));
    const second = client.receiveMessage(harmless('b', 2)).then(note('b'));
    const third = client.processMessage(harmless('c', 3).bytes).then(note('c'));
    const other = client.receiveMessage(entry('other', 1, OTHER, 0)).then(note('other'));
    await other;
    await asked(app, 1);
    await rest();
    equal(order, ['other'], 'done while the app thinks');
    equal(await encrypt(client), 1, 'and what cannot ask does not wait');
    app.last().answer(true);
    // The message of its own that was sent meanwhile ended the epoch of the inspection.
    await asked(app, 2);
    app.last().answer(true);
    await Promise.all([first, second, third]);
    equal(order, ['other', 'a', 'b', 'c'], 'the order');
    await client.close();
  },

  'if the group has moved on meanwhile, the app is asked again': async () => {
    const { client, app } = await openWith();
    const accepted = client.receiveMessage(entrant('a', 1, 7));
    await asked(app, 1);
    await encrypt(client);
    app.last().answer(true);
    await asked(app, 2);
    equal(app.asked.map(({ epoch }) => epoch), ['0', '1'], 'epochs asked about');
    app.last().answer(true);
    equal((await accepted)?.kind, 'message', 'the first');
    const refused = client.receiveMessage(entrant('b', 2, 8));
    await asked(app, 3);
    await encrypt(client);
    app.last().answer(false);
    await asked(app, 4);
    app.last().answer(false);
    equal([(await refused)?.kind, app.identities()], ['failed', [7, 7, 8, 8]], 'the second');
    await client.close();
  },

  'a Welcome waits for the app, and messages to its group for the Welcome': async () => {
    const { client, app } = await openWith();
    const joined = client.receiveWelcome({ bytes: Uint8Array.of(...OTHER, 3), id: 'w' });
    const message = client.receiveMessage(entry('a', undefined, OTHER, 0));
    await asked(app, 1);
    equal([await isSettled(joined), await isSettled(message)], [false, false], 'settled while the app thinks');
    app.last().answer(true);
    equal([(await joined)?.kind, (await message)?.kind], ['joined', 'message'], 'items');
    const again = client.receiveWelcome({ bytes: Uint8Array.of(6, 6, 6, 6, 4), id: 'x' });
    await asked(app, 2);
    app.last().answer(false);
    equal((await again)?.kind, 'failed', 'one that is refused');
    equal((await client.listGroups()).length, 2, 'groups');
    await client.close();
  },

  'a Welcome handed in behind the removal that comes before it is received after it': async () => {
    const { client, app } = await openWith();
    const entered = client.receiveMessage(entrant('a', 1, 7));
    const removed = client.receiveMessage(entry('removal', 2, GROUP, REMOVAL));
    const joined = client.receiveWelcome({ bytes: GROUP, id: 'w' });
    await asked(app, 1);
    app.last().answer(true);
    equal(
      (await Promise.all([entered, removed, joined])).map((item) => item?.kind),
      ['message', 'commit', 'joined'],
      'items',
    );
    await client.close();
  },

  'the app is asked about those whom it adds itself': async () => {
    const { client, app } = await openWith();
    const refused = client.addMembers(GROUP, [Uint8Array.of(1), Uint8Array.of(2)]);
    await asked(app, 1);
    app.last().answer(true);
    await asked(app, 2);
    app.last().answer(false);
    equal([await codeOf(refused), app.identities(), app.last().epoch], ['credential-rejected', [1, 2], 'undefined'], 'refused');
    const added = client.addMembers(GROUP, [Uint8Array.of(3)], 'x');
    await asked(app, 3);
    app.last().answer(true);
    equal([(await added).id, await encrypt(client)], ['x', 2], 'entry, number: one commit was made');
    equal(await codeOf(client.addMembers(GROUP, ['x' as unknown as Uint8Array])), 'invalid-argument', 'a wrong argument');
    await client.close();
  },

  'the durable queue asks too, and keeps what the app was thinking about when the page went away': async () => {
    const { client: before, name } = await open();
    await before.close();
    const app = new App();
    const first = make({ name, validateCredential: app.validateCredential });
    void first.client.receiveMessage(entrant('a', 1, 7));
    void first.client.receiveMessage(harmless('b', 2));
    const opened = codeOf(first.client.open());
    await asked(app, 1);
    await first.client.close();
    equal(await opened, 'closed', 'opening');
    const queued = Object.keys(await dump(name)).filter((key) => key.startsWith('incoming/'));
    equal(queued.length, 2, 'entries in the queue');

    const second = make({ name, validateCredential: app.validateCredential });
    const opening = second.client.open();
    await asked(app, 2);
    app.last().answer(false);
    await opening;
    equal((await second.client.inbox()).map(({ id, kind }) => [id, kind]), [['a', 'failed'], ['b', 'message']], 'inbox');
    const left = Object.keys(await dump(name)).filter((key) => key.startsWith('incoming/'));
    equal(left, [], 'entries in the queue afterwards');
    await second.client.close();
  },

  'what is in the durable queue stays there as long as the validator fails, however often': async () => {
    const { client: before, name } = await open();
    await before.close();
    const queued = async (): Promise<number> =>
      Object.keys(await dump(name)).filter((key) => key.startsWith('incoming/')).length;
    for (let opening = 0; opening < 5; opening += 1) {
      const offline = make({ name, validateCredential: () => Promise.reject(new Error('offline')) });
      if (opening === 0) {
        void offline.client.receiveMessage(entrant('a', 1, 7));
        void offline.client.receiveMessage(entry('b', 2, GROUP, IN_ORDER));
      }
      const told: unknown[] = [];
      offline.client.on('incoming-failed', ({ id, code, kept }) => told.push([id, code, kept]));
      await offline.client.open();
      await offline.client.close();
      equal([told, await queued()], [[['a', 'validator-failed', true], ['b', 'position-gap', true]], 2], 'events, queue');
    }
    const online = make({ name, validateCredential: () => true });
    await online.client.open();
    equal([(await online.client.inbox()).map(({ id }) => id), await queued()], [['a', 'b'], 0], 'inbox, queue');
    await online.client.close();
  },

  'the validator may query the client, while it is opening and when it is open': async () => {
    const { client: before, name } = await open();
    await before.close();
    const seen: string[] = [];
    const { client } = make({
      name,
      validateCredential: async (_, { groupId }) => {
        seen.push(String((await client.groupInfo(groupId)).epoch), String((await client.listGroups()).length));
        return true;
      },
    });
    void client.receiveMessage(entrant('a', 1, 7));
    const opened = client.open();
    // A call of the app that waits for opening is not passed by what the validator needs.
    const written = client.createGroup(OTHER);
    await opened;
    await written;
    await client.receiveMessage(entrant('b', 2, 8));
    equal([seen, (await client.inbox()).map(({ id }) => id)], [['0', '1', '1', '2'], ['a', 'b']], 'seen, inbox');
    await client.close();
  },

  'what needs no answer does not wait for one, even if it leads to a new epoch': async () => {
    const { client, app } = await openWith();
    const received = client.receiveMessage(entrant('a', 1, 7));
    await asked(app, 1);
    await client.mergePendingCommit(GROUP);
    equal(await isSettled(received), false, 'the question is open');
    app.last().answer(true);
    await received;
    await client.close();
  },

  'a Welcome that is not for this client waits for nobody, and nobody for it': async () => {
    const { client, app } = await openWith();
    await client.createGroup(OTHER);
    const received = client.receiveMessage(entrant('a', 1, 7));
    const junk = client.receiveWelcome({ bytes: Uint8Array.of(JUNK, 0, 0, 0), id: 'junk' });
    const other = client.receiveMessage(entry('other', 1, OTHER, 0));
    equal([(await junk)?.kind, (await other)?.kind], ['failed', 'message'], 'items while the app thinks');
    await asked(app, 1);
    equal(await isSettled(received), false, 'the question is open');
    app.last().answer(true);
    await received;
    await client.close();
  },

  'whom the app cannot be asked about is not added': async () => {
    const { client, app } = await openWith();
    equal(await codeOf(client.addMembers(GROUP, [Uint8Array.of(JUNK)])), 'invalid-key-package', 'the code');
    equal([app.asked.length, await encrypt(client)], [0, 1], 'asked, number: no commit was made');
    await client.close();
  },

  'closing does not wait for the app': async () => {
    const { client, app, name } = await openWith();
    const received = codeOf(client.receiveMessage(entrant('a', 1, 7)));
    await asked(app, 1);
    await client.close();
    equal(await received, 'closed', 'the call');
    const records = await dump(name);
    equal(Object.keys(records).filter((key) => key.startsWith('cursor/')), [], 'cursors');
  },

  'nothing can come between the question and what needs none': async () => {
    const held = gate();
    const { client } = await openWith({ validateCredential: () => held.opened.then(() => true) });
    const first = client.receiveMessage(entrant('a', 1, 7));
    const second = client.receiveMessage(entrant('b', 2, 8));
    held.open();
    equal([(await first)?.kind, (await second)?.kind], ['message', 'message'], 'items');
    equal((await client.inbox()).map(({ id }) => id), ['a', 'b'], 'the order');
    await client.close();
  },
};
