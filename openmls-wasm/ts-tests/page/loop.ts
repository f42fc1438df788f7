/** Scenarios of the write-behind loop: group commit, order, failed writes, give-up. */

import { PersisterError } from 'openmls-wasm';
import {
  abortSoon,
  codeOf,
  connect,
  dump,
  encrypt,
  equal,
  gate,
  GROUP,
  isSettled,
  make,
  next,
  open,
  steered,
  withTransactions,
  type Scenario,
} from './support.js';

/** A delay that no test waits for. */
const NEVER_MS = 3_600_000;

export const loop: Record<string, Scenario> = {
  'one awaited call is one transaction': async () => {
    const { client } = await open();
    for (let expected = 1; expected <= 3; expected += 1) {
      let transactions = 0;
      const number = await withTransactions(() => (transactions += 1), () => encrypt(client));
      equal([number, transactions], [expected, 1], 'number and transactions');
    }
    await client.close();
  },

  'a thousand calls in one tick are one transaction, settled in order': async () => {
    const { client } = await open();
    let transactions = 0;
    const settled: number[] = [];
    await withTransactions(
      () => (transactions += 1),
      () => Promise.all(Array.from({ length: 1000 }, () => encrypt(client).then((number) => settled.push(number)))),
    );
    equal(settled, Array.from({ length: 1000 }, (_, index) => index + 1), 'numbers in order of settling');
    equal(transactions, 1, 'transactions');
    await client.close();
  },

  'calls made while a transaction is in flight share the next one; nothing is released early': async () => {
    const { name, persister } = steered();
    const { client } = await open({ name, persister });
    const hold = gate();
    persister.onWrite = async (_, commit) => {
      await hold.opened;
      await commit();
    };
    const before = persister.writes;
    const first = encrypt(client);
    equal(await isSettled(first), false, 'the first is settled');
    const others = [encrypt(client), encrypt(client), encrypt(client)];
    equal(await isSettled(Promise.race([first, ...others])), false, 'any is settled while the write is held');
    hold.open();
    equal(await Promise.all([first, ...others]), [1, 2, 3, 4], 'the numbers');
    equal(persister.writes - before, 2, 'writes');
    await client.close();
  },

  'reads do not wait; a query about what may leave the device does': async () => {
    const { name, persister } = steered();
    const { client } = await open({ name, persister });
    const hold = gate();
    persister.onWrite = (_, commit) => hold.opened.then(commit);
    const sent = encrypt(client);
    equal(String((await client.groupInfo(GROUP)).epoch), '1', 'epoch in memory');
    const inbox = client.inbox();
    equal(await isSettled(inbox), false, 'inbox() is settled');
    hold.open();
    equal([await sent, await inbox], [1, []], 'results');
    await client.close();
  },

  'a call that changes nothing settles without a transaction': async () => {
    const { name, persister } = steered();
    const { client, events } = await open({ name, persister });
    const before = persister.writes;
    await client.inbox();
    await client.flush();
    equal([persister.writes - before, events], [0, []], 'writes and events');
    await client.close();
  },

  'a refusal rejects in order, and changes nothing': async () => {
    const { name, persister } = steered();
    const { client } = await open({ name, persister });
    const hold = gate();
    persister.onWrite = (_, commit) => hold.opened.then(commit);
    equal(await codeOf(client.encryptMessage(Uint8Array.of(9), GROUP)), 'group-not-found', 'refusal with nothing before it');
    const created = client.createGroup(Uint8Array.of(7));
    const again = codeOf(client.createGroup(Uint8Array.of(7)));
    equal(await isSettled(again), false, 'the refusal that rests on an unconfirmed group is settled');
    hold.open();
    equal([[...(await created)], await again], [[7], 'group-exists'], 'outcomes');
    await client.close();
  },

  'a wrong argument is refused, and is no panic': async () => {
    const { client, host } = await open();
    equal(await codeOf(client.encryptMessage(GROUP, 'text' as unknown as Uint8Array)), 'invalid-argument', 'a string');
    equal(await codeOf(client.receiveMessage(undefined as unknown as { bytes: Uint8Array })), 'invalid-argument', 'none');
    equal([await encrypt(client), host.started], [1, 1], 'number, engines');
    await client.close();
  },

  'an aborted transaction is repeated; calls get their own results': async () => {
    const { client, events, name } = await open({ retry: { firstDelayMs: 1 } });
    let transactions = 0;
    const failed = next(client, 'storage-error');
    const numbers = await withTransactions(
      (transaction) => {
        transactions += 1;
        if (transactions <= 2) {
          abortSoon(transaction);
        }
      },
      async () => {
        const first = encrypt(client);
        const error = await failed;
        equal([error.reason, error.attempt, error.retryInMs], ['aborted', 1, 1], 'the event');
        return Promise.all([first, encrypt(client)]);
      },
    );
    equal([numbers, transactions], [[1, 2], 3], 'numbers, transactions');
    equal(events, ['storage-error', 'storage-error', 'storage-recovered', 'saved'], 'events');
    equal((await dump(name))['counter/01020304'], '0,2', 'the counter in the database');
    await client.close();
  },

  'flush ends the wait between two attempts': async () => {
    const { client } = await open({ retry: { firstDelayMs: NEVER_MS, maxDelayMs: NEVER_MS } });
    let aborted = false;
    const number = withTransactions(
      (transaction) => {
        if (!aborted) {
          aborted = true;
          abortSoon(transaction);
        }
      },
      () => encrypt(client),
    );
    await next(client, 'storage-error');
    equal(await isSettled(number), false, 'the call is settled');
    await client.flush();
    equal(await number, 1, 'the number');
    await client.close();
  },

  'a listener that flushes has the write repeated at once': async () => {
    const { client } = await open({ retry: { firstDelayMs: NEVER_MS, maxDelayMs: NEVER_MS } });
    let flushed: Promise<void> | undefined;
    client.on('storage-error', () => {
      flushed = client.flush();
    });
    let transactions = 0;
    const number = await withTransactions(
      (transaction) => {
        transactions += 1;
        if (transactions === 1) {
          abortSoon(transaction);
        }
      },
      () => encrypt(client),
    );
    await flushed;
    equal([number, transactions], [1, 2], 'number, transactions');
    await client.close();
  },

  'after the last attempt all is rolled back, then all calls reject, and the client goes on': async () => {
    const { client, events, name, host } = await open({ retry: { attempts: 2, firstDelayMs: 1 } });
    equal(await encrypt(client), 1, 'the number before');
    const before = await dump(name);
    events.length = 0;
    let rolledBack: number | undefined;
    client.on('rolled-back', ({ rejected }) => {
      rolledBack = rejected;
      equal(host.client?.hasUnconfirmed(), false, 'unconfirmed state when calls are about to reject');
    });
    const codes = await withTransactions(abortSoon, () => Promise.all([1, 2, 3].map(() => codeOf(encrypt(client)))));
    equal(codes, ['storage-failed', 'storage-failed', 'storage-failed'], 'codes');
    equal([events, rolledBack], [['storage-error', 'storage-error', 'rolled-back'], 3], 'events');
    equal(await dump(name), before, 'the database');
    equal([client.state, await encrypt(client)], ['open', 2], 'state, and the next number');
    await client.close();
    const again = make({ name });
    await again.client.open();
    equal(await encrypt(again.client), 3, 'the number after a reload');
    await again.client.close();
  },

  'a connection that is closed under the client is opened again': async () => {
    const { client, name } = await open({ retry: { firstDelayMs: 1 } });
    await withTransactions((_, database) => database.close(), () => encrypt(client));
    equal([await encrypt(client), await encrypt(client)], [2, 3], 'numbers');
    equal((await dump(name))['counter/01020304'], '0,3', 'the counter in the database');
    await client.close();
  },

  'a connection that is opened again ends the wait between two attempts': async () => {
    const { client } = await open({ retry: { firstDelayMs: NEVER_MS, maxDelayMs: NEVER_MS } });
    let connection: IDBDatabase | undefined;
    const number = withTransactions(
      (transaction, database) => {
        if (connection === undefined) {
          connection = database;
          abortSoon(transaction);
        }
      },
      () => encrypt(client),
    );
    await next(client, 'storage-error');
    connection?.close();
    connection?.dispatchEvent(new Event('close'));
    equal(await number, 1, 'the number');
    await client.close();
  },

  'a transaction that gets no answer before its connection closes is not waited for': async () => {
    const { client, name } = await open({ retry: { firstDelayMs: 1 } });
    let transactions = 0;
    const number = await withTransactions(
      (transaction, database) => {
        transactions += 1;
        if (transactions === 1) {
          const silent = { get: () => null, set: () => undefined };
          Object.defineProperties(transaction, { oncomplete: silent, onabort: silent });
          transaction.addEventListener('complete', () => {
            database.close();
            database.dispatchEvent(new Event('close'));
          });
        }
      },
      () => encrypt(client),
    );
    equal([number, transactions], [1, 2], 'number, transactions');
    equal((await dump(name))['counter/01020304'], '0,1', 'the counter in the database');
    await client.close();
  },

  'a lost write that was committed after all releases its calls, and no others': async () => {
    const { name, persister } = steered();
    const { client, events, host } = await open({ name, persister, retry: { attempts: 2, firstDelayMs: 1 } });
    let attempt = 0;
    persister.onWrite = async (_, commit) => {
      attempt += 1;
      if (attempt === 1) {
        await commit();
      }
      throw new PersisterError('connection-lost', 'unknown', 'lost');
    };
    const committed = encrypt(client);
    await next(client, 'storage-error');
    const lost = codeOf(encrypt(client));
    const outcomes = [await committed, await lost];
    persister.onWrite = undefined;
    equal(outcomes, [1, 'storage-failed'], 'outcomes');
    equal(await encrypt(client), 2, 'the next number');
    equal(host.started, 2, 'engines started');
    equal(events.includes('engine-restarted'), true, 'an engine-restarted event');
    await client.close();
  },

  'a lost write that was not committed rejects its calls; memory is the database': async () => {
    const { name, persister } = steered();
    const { client } = await open({ name, persister, retry: { attempts: 2, firstDelayMs: 1 } });
    persister.onWrite = () => Promise.reject(new PersisterError('connection-lost', 'unknown', 'lost'));
    equal(await codeOf(encrypt(client)), 'storage-failed', 'the outcome');
    persister.onWrite = undefined;
    equal([await encrypt(client), (await dump(name))['counter/01020304']], [1, '0,1'], 'number, database');
    await client.close();
  },

  'a listener that throws disturbs nothing': async () => {
    const { client } = await open();
    const reported: string[] = [];
    const listen = (event: ErrorEvent): void => {
      reported.push(event.message);
      event.preventDefault();
    };
    addEventListener('error', listen);
    client.on('saved', () => {
      throw new Error('from the app');
    });
    equal([await encrypt(client), await encrypt(client)], [1, 2], 'numbers');
    await isSettled(Promise.resolve());
    removeEventListener('error', listen);
    equal(reported.length, 2, 'errors reported to the app');
    await client.close();
  },

  'close waits for what is under way; afterwards everything rejects': async () => {
    const { client, name } = await open();
    const last = encrypt(client);
    await client.close();
    equal([await last, client.state], [1, 'closed'], 'number, state');
    equal(await codeOf(encrypt(client)), 'closed', 'a call after close');
    equal(await codeOf(client.listGroups()), 'closed', 'a read after close');
    await client.close();
    const again = make({ name });
    await again.client.open();
    equal(await encrypt(again.client), 2, 'the number after opening again');
    await again.client.close();
  },

  'a database deleted under the client is reported, not created anew': async () => {
    const { client, name } = await open();
    await new Promise<void>((resolve, reject) => {
      const request = indexedDB.deleteDatabase(name);
      request.onsuccess = () => resolve();
      request.onerror = () => reject(request.error ?? new Error('cannot delete'));
    });
    equal([await codeOf(encrypt(client)), client.state], ['database-missing', 'failed'], 'code, state');
    equal((await indexedDB.databases()).some((info) => info.name === name), false, 'the database exists');
    const fresh = await connect(name);
    fresh.close();
    await client.close();
  },
};
