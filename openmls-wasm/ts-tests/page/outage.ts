/** Scenarios of a connection that goes away under a write and stays away: nobody knows what was committed, at first. */

import { PersisterError } from 'openmls-wasm';
import { everybody } from './opening.js';
import {
  codeOf,
  encrypt,
  equal,
  GROUP,
  isSettled,
  make,
  next,
  open,
  steered,
  withTransactions,
  type Scenario,
  type SteeredPersister,
} from './support.js';

/** A delay that no test waits for. */
const NEVER_MS = 3_600_000;
const RETRY = { attempts: 2, firstDelayMs: 1, maxDelayMs: 1 };

function gone<T>(outcome: 'unknown' | 'not-committed'): Promise<T> {
  return Promise.reject(new PersisterError('connection-lost', outcome, 'gone'));
}

/** Goes away with the next write, after committing it or before; `only`: the method that does not work from then on. */
function goesAway(persister: SteeredPersister, commits: boolean, only?: 'load' | 'read'): () => void {
  const { load, read } = persister;
  let writes = 0;
  persister.onWrite = async (_, commit) => {
    writes += 1;
    if (writes === 1 && commits) {
      await commit();
    }
    return gone('unknown');
  };
  persister.load = only === 'read' ? load : () => gone('not-committed');
  persister.read = only === 'load' ? read : () => gone('not-committed');
  return () => {
    persister.onWrite = undefined;
    Object.assign(persister, { load, read });
  };
}

export const outage: Record<string, Scenario> = {
  'calls of unknown outcome wait until the database can be read, then get the true one': async () => {
    for (const only of ['load', 'read'] as const) {
      for (const commits of [true, false]) {
        const { name, persister } = steered();
        const { client, events, host } = await open({ name, persister, retry: RETRY });
        const comesBack = goesAway(persister, commits, only);
        const first = encrypt(client).catch((error: unknown) => (error as { code: string }).code);
        await next(client, 'storage-error');
        const later = codeOf(encrypt(client));
        let looks = 0;
        await new Promise<void>((resolve) => {
          client.on('storage-error', ({ retryInMs }) => {
            looks += retryInMs === undefined ? 0 : 1;
            if (looks === 12) {
              resolve();
            }
          });
        });
        equal(await isSettled(Promise.race([first, later])), false, 'any is settled while the database is away');
        comesBack();
        equal([await first, await later], [commits ? 1 : 'storage-failed', 'storage-failed'], 'outcomes');
        equal(await encrypt(client), commits ? 2 : 1, 'the next number');
        equal(events.filter((event) => event === 'engine-restarted').length, 1, 'restarts told');
        await client.close();
        equal(host.discarded, host.started, 'engines discarded');
        const again = make({ name });
        await again.client.open();
        equal(await encrypt(again.client), commits ? 3 : 2, 'the number after a reload');
        await again.client.close();
      }
    }
  },

  'a connection that is opened again ends the wait for an unknown outcome': async () => {
    const { name, persister } = steered();
    const retry = { attempts: 1, firstDelayMs: NEVER_MS, maxDelayMs: NEVER_MS };
    const { client } = await open({ name, persister, retry });
    const comesBack = goesAway(persister, true);
    let connection: IDBDatabase | undefined;
    const waiting = await withTransactions(
      (_, database) => (connection = database),
      async () => {
        const number = encrypt(client);
        await next(client, 'storage-error');
        await next(client, 'storage-error');
        return { number };
      },
    );
    equal(await isSettled(waiting.number), false, 'the call is settled');
    comesBack();
    connection?.close();
    connection?.dispatchEvent(new Event('close'));
    equal([await waiting.number, await encrypt(client)], [1, 2], 'numbers');
    await client.close();
  },

  'calls made while the outcome is unknown run after it is known, in order': async () => {
    const { name, persister } = steered();
    const retry = { attempts: 1, firstDelayMs: NEVER_MS, maxDelayMs: NEVER_MS };
    const { client } = await open({ name, persister, retry });
    const comesBack = goesAway(persister, false);
    const lost = codeOf(encrypt(client));
    await next(client, 'storage-error');
    await next(client, 'storage-error');
    const meanwhile = [encrypt(client), encrypt(client)];
    const atOnce = new Promise<number>((resolve, reject) => {
      client.on('rolled-back', () => encrypt(client).then(resolve, reject));
    });
    comesBack();
    await client.flush();
    equal([await lost, await Promise.all(meanwhile), await atOnce], ['storage-failed', [1, 2], 3], 'outcomes');
    await client.close();
  },

  'close ends the wait for an unknown outcome, and says that it is unknown': async () => {
    for (const firstDelayMs of [1, NEVER_MS]) {
      const { name, persister } = steered();
      const { client, host } = await open({ name, persister, retry: { attempts: 1, firstDelayMs, maxDelayMs: NEVER_MS } });
      goesAway(persister, true);
      const unknown = codeOf(encrypt(client));
      const told = next(client, 'storage-error');
      equal((await told).retryInMs ?? null, null, 'the delay after the last attempt');
      await next(client, 'storage-error');
      const late = codeOf(encrypt(client));
      await client.close();
      equal([await unknown, await late, client.state], ['outcome-unknown', 'storage-failed', 'closed'], 'outcomes');
      equal(host.discarded, host.started, 'engines discarded');
      const again = make({ name });
      await again.client.open();
      equal(await encrypt(again.client), 2, 'the number after a reload');
      await again.client.close();
    }
  },

  'close while opening waits for the outcome of an entry ends as well; the entry is processed once': async () => {
    const { name, persister } = steered();
    const { client } = make({ name, persister, retry: { attempts: 1, firstDelayMs: NEVER_MS, maxDelayMs: NEVER_MS } });
    goesAway(persister, true);
    await client.receiveWelcome({ bytes: GROUP, id: 'w' });
    const opened = codeOf(client.open());
    await next(client, 'storage-error');
    await next(client, 'storage-error');
    await client.close();
    equal(await opened, 'outcome-unknown', 'the outcome of opening');
    const again = make({ name });
    await again.client.open();
    equal((await again.client.inbox()).map((item) => item.id), ['w'], 'inbox');
    await again.client.close();
  },

  'a client that is taken over does not deny what may be stored': async () => {
    const { name, persister } = steered();
    const { client } = await open({ name, persister, retry: RETRY, requestWriter: everybody });
    const comesBack = goesAway(persister, true);
    const unknown = codeOf(encrypt(client));
    await next(client, 'storage-error');
    const second = make({ name, requestWriter: everybody });
    await second.client.open();
    comesBack();
    equal([await unknown, client.state], ['outcome-unknown', 'failed'], 'outcome, state');
    equal(await codeOf(encrypt(client)), 'writer-lost', 'a later call');
    equal(await encrypt(second.client), 2, 'the number of the second');
    await Promise.all([client.close(), second.client.close()]);
  },
};
