/** Scenarios of a panic: the engine is replaced, and the database decides what has happened. */

import { PANIC } from './fake-engine.js';
import { everybody } from './opening.js';
import { codeOf, dump, encrypt, equal, gate, GROUP, isSettled, make, next, open, steered, type Scenario } from './support.js';

export const panic: Record<string, Scenario> = {
  'a panic rejects its call; the next one goes on from what was saved': async () => {
    const { client, host, events, name } = await open();
    equal(await encrypt(client), 1, 'the number before');
    const before = await dump(name);
    events.length = 0;
    const failed = codeOf(client.encryptMessage(GROUP, Uint8Array.of(PANIC)));
    const meanwhile = [encrypt(client), encrypt(client)];
    equal(await failed, 'engine-panicked', 'the code');
    equal(await dump(name), before, 'the database');
    equal(await Promise.all(meanwhile), [2, 3], 'the numbers after');
    equal(events, ['engine-restarted', 'saved'], 'events');
    equal([host.started, host.discarded], [2, 1], 'engines started and discarded');
    await client.close();
    equal(host.discarded, 2, 'engines discarded after close');
  },

  'an engine after a panic is told what the first one was told': async () => {
    const { client, host } = await open({ groupSettings: { maxPastEpochs: 3 }, capabilities: { proposals: [0xf001] } });
    const first = host.client;
    equal(await codeOf(client.encryptMessage(GROUP, Uint8Array.of(PANIC))), 'engine-panicked', 'the code');
    equal(await encrypt(client), 1, 'the number after');
    equal(host.client === first, false, 'the engine is the first one');
    const told = (host.client?.told ?? []) as { maxPastEpochs?: number; proposals?: number[] }[];
    equal(told.map(({ maxPastEpochs, proposals }) => maxPastEpochs ?? proposals), [3, [0xf001]], 'what it was told');
    equal(first?.told, host.client?.told, 'what both were told');
    await client.close();
  },

  'calls of the transaction in flight are released, those after it reject': async () => {
    const { name, persister } = steered();
    const { client } = await open({ name, persister });
    const hold = gate();
    const writing = gate();
    persister.onWrite = async (_, commit) => {
      writing.open();
      await hold.opened;
      await commit();
    };
    const inFlight = encrypt(client);
    await writing.opened;
    const unconfirmed = codeOf(encrypt(client));
    const panicking = codeOf(client.encryptMessage(GROUP, Uint8Array.of(PANIC)));
    const meanwhile = encrypt(client);
    equal(await isSettled(Promise.race([inFlight, unconfirmed, panicking, meanwhile])), false, 'any is settled');
    hold.open();
    equal(
      [await inFlight, await unconfirmed, await panicking, await meanwhile],
      [1, 'engine-panicked', 'engine-panicked', 2],
      'outcomes',
    );
    await client.close();
  },

  'a transaction in flight that fails after a panic rejects its calls too': async () => {
    const { name, persister } = steered();
    const { client } = await open({ name, persister });
    const hold = gate();
    const writing = gate();
    persister.onWrite = async () => {
      writing.open();
      await hold.opened;
      throw new Error('no');
    };
    const inFlight = codeOf(encrypt(client));
    await writing.opened;
    const panicking = codeOf(client.encryptMessage(GROUP, Uint8Array.of(PANIC)));
    hold.open();
    equal([await inFlight, await panicking], ['engine-panicked', 'engine-panicked'], 'outcomes');
    persister.onWrite = undefined;
    equal(await encrypt(client), 1, 'the next number');
    await client.close();
  },

  'a panic between two attempts ends the wait': async () => {
    const { name, persister } = steered();
    const { client } = await open({ name, persister, retry: { firstDelayMs: 3_600_000, maxDelayMs: 3_600_000 } });
    persister.onWrite = () => Promise.reject(new Error('no'));
    const waiting = codeOf(encrypt(client));
    await next(client, 'storage-error');
    persister.onWrite = undefined;
    const panicking = codeOf(client.encryptMessage(GROUP, Uint8Array.of(PANIC)));
    equal([await waiting, await panicking, await encrypt(client)], ['engine-panicked', 'engine-panicked', 1], 'outcomes');
    await client.close();
  },

  'a panic in a read restarts as well': async () => {
    const { client, host } = await open();
    const fake = host.client;
    if (fake !== undefined) {
      fake.groupInfo = () => {
        throw new WebAssembly.RuntimeError('unreachable');
      };
    }
    equal(await codeOf(client.groupInfo(GROUP)), 'engine-panicked', 'the code');
    equal(String((await client.groupInfo(GROUP)).epoch), '0', 'the read after');
    await client.close();
  },

  'a restart that cannot read the database is tried again by the next call': async () => {
    const { name, persister } = steered();
    const { client } = await open({ name, persister });
    const load = persister.load.bind(persister);
    persister.load = () => Promise.reject(new Error('cannot read'));
    const panicking = codeOf(client.encryptMessage(GROUP, Uint8Array.of(PANIC)));
    const meanwhile = codeOf(encrypt(client));
    equal([await panicking, await meanwhile], ['engine-panicked', 'engine-panicked'], 'outcomes while it cannot read');
    persister.load = load;
    equal(await encrypt(client), 1, 'the number after');
    await client.close();
  },

  'a restart after another client has taken over loads nothing of what that one wrote': async () => {
    const { client, name, host } = await open({ requestWriter: everybody });
    const second = make({ name, requestWriter: everybody });
    await second.client.open();
    equal(await encrypt(second.client), 1, 'the second');
    const panicking = codeOf(client.encryptMessage(GROUP, Uint8Array.of(PANIC)));
    const meanwhile = codeOf(client.groupInfo(GROUP));
    equal([await panicking, await meanwhile, client.state], ['engine-panicked', 'writer-lost', 'failed'], 'the first');
    equal([host.client?.records().length, await encrypt(second.client)], [0, 2], 'records loaded, the second goes on');
    await Promise.all([client.close(), second.client.close()]);
  },

  'two clients in one page: a panic of one does not touch the other': async () => {
    const one = await open();
    const other = await open();
    await codeOf(one.client.encryptMessage(GROUP, Uint8Array.of(PANIC)));
    equal([await encrypt(one.client), await encrypt(other.client), other.host.started], [1, 1, 1], 'numbers, engines');
    await Promise.all([one.client.close(), other.client.close()]);
  },
};
