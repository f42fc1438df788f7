/** Scenarios of the durable queue: what is handed in before the client is open. */

import type { InboxItem } from 'openmls-wasm';
import { IN_ORDER, PANIC, REMOVAL } from './fake-engine.js';
import { codeOf, dump, encrypt, equal, GROUP, make, open, type Fixture, type Scenario } from './support.js';

function message(id: string, position: number, ...rest: number[]): { bytes: Uint8Array; id: string; position: number } {
  return { bytes: Uint8Array.of(...GROUP, ...rest), id, position };
}

const ids = (items: readonly InboxItem[]): string[] => items.map((item) => item.id);

async function queued(name: string): Promise<string[]> {
  return Object.keys(await dump(name)).filter((key) => key.startsWith('incoming/'));
}

/** A closed database with the group. */
async function withGroup(): Promise<string> {
  const { client, name } = await open();
  await client.close();
  return name;
}

export const incoming: Record<string, Scenario> = {
  'a Welcome and three messages, handed in while opening, are processed in order, once': async () => {
    const { client, name } = make();
    const announced: string[] = [];
    client.on('inbox', ({ items }) => announced.push(...ids(items)));
    const settled = [
      client.receiveWelcome({ bytes: GROUP, id: 'w' }),
      client.receiveMessage(message('a', 1)),
      client.receiveMessage(message('b', 2)),
    ];
    const opened = client.open();
    settled.push(client.receiveMessage(message('c', 3)), client.receiveMessage(message('b', 2)));
    equal(await Promise.all(settled), [null, null, null, null, null], 'what they settle with');
    await opened;
    equal([announced, ids(await client.inbox())], [['w', 'a', 'b', 'c'], ['w', 'a', 'b', 'c']], 'inbox, announced and kept');
    equal(await queued(name), [], 'the queue');
    equal((await client.receiveMessage(message('c', 3))) ?? null, null, 'a duplicate after opening');
    await client.close();
  },

  'what is in the queue when the page goes away is processed at the next open': async () => {
    const name = await withGroup();
    const early = make({ name });
    await Promise.all([early.client.receiveMessage(message('a', 1)), early.client.receiveMessage(message('b', 2))]);
    equal((await queued(name)).length, 2, 'entries in the queue');
    await early.client.close(); // It was never opened.
    const { client } = make({ name });
    await client.open();
    equal([ids(await client.inbox()), await queued(name)], [['a', 'b'], []], 'inbox, queue');
    await client.close();
  },

  'a tab that is refused keeps what it was handed for the next open': async () => {
    const first = await open();
    const second = make({ name: first.name });
    const kept = second.client.receiveMessage(message('a', 1));
    equal([await codeOf(second.client.open()), (await kept) ?? null], ['already-open', null], 'second');
    await second.client.close();
    await first.client.close();
    const { client } = make({ name: first.name });
    await client.open();
    equal(ids(await client.inbox()), ['a'], 'inbox');
    await client.close();
  },

  'a message that came before its Welcome is processed after it, before newer ones': async () => {
    const { client, events } = make();
    void client.receiveMessage(message('a', 1));
    void client.receiveWelcome({ bytes: GROUP, id: 'w' });
    void client.receiveMessage(message('b', 2));
    await client.open();
    equal(ids(await client.inbox()), ['w', 'a', 'b'], 'inbox');
    equal(events.includes('incoming-failed'), false, 'an incoming-failed event');
    await client.close();
  },

  'a Welcome that came before the removal from its group is processed after it, before newer messages': async () => {
    const name = await withGroup();
    const { client, events } = make({ name });
    void client.receiveWelcome({ bytes: GROUP, id: 'w' });
    void client.receiveMessage(message('removal', 1, REMOVAL));
    void client.receiveMessage(message('a', 2));
    await client.open();
    equal(ids(await client.inbox()), ['removal', 'w', 'a'], 'inbox');
    equal([events.includes('incoming-failed'), await queued(name)], [false, []], 'an incoming-failed event, queue');
    await client.close();
  },

  'messages that came in the wrong order are processed in the right one': async () => {
    const name = await withGroup();
    const { client, events } = make({ name });
    for (const position of [4, 3, 2, 1, 6, 5]) {
      void client.receiveMessage(message(`m${position}`, position, IN_ORDER));
    }
    await client.open();
    equal(ids(await client.inbox()), ['m1', 'm2', 'm3', 'm4', 'm5', 'm6'], 'inbox');
    equal(events.includes('incoming-failed'), false, 'an incoming-failed event');
    await client.close();
  },

  'an entry that is refused is kept for three opens, and told': async () => {
    const { client, name } = make();
    void client.receiveMessage(message('a', 1));
    const told: boolean[] = [];
    const listen = (fixture: Pick<Fixture, 'client'>): unknown =>
      fixture.client.on('incoming-failed', ({ id, code, kept }) => {
        equal([id, code], ['a', 'group-not-found'], 'the event');
        told.push(kept);
      });
    listen({ client });
    await client.open();
    await client.close();
    for (let run = 0; run < 3; run += 1) {
      const again = make({ name });
      listen(again);
      await again.client.open();
      await again.client.close();
    }
    equal([told, await queued(name)], [[true, true, false], []], 'events, queue');
  },

  'an entry on which the engine panics does not keep the client from opening': async () => {
    const name = await withGroup();
    const { client, host } = make({ name });
    void client.receiveMessage(message('a', 1));
    void client.receiveMessage(message('bad', 2, PANIC));
    void client.receiveMessage(message('c', 3));
    await client.open();
    equal([ids(await client.inbox()), host.started], [['a', 'c'], 2], 'inbox, engines');
    equal([await encrypt(client), (await queued(name)).length], [1, 1], 'number, entries kept');
    await client.close();
  },

  'a wrong argument does not reach the queue': async () => {
    const { client, name } = make();
    equal(await codeOf(client.receiveMessage({ bytes: 'x' as unknown as Uint8Array })), 'invalid-argument', 'the code');
    await client.open();
    equal(await queued(name), [], 'the queue');
    await client.close();
  },
};
