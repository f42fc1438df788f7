/** What needs more than one page, or the browser itself: two tabs, reloads, a full disk, an evicted database. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Page } from 'playwright-core';
import { usePages } from './browser.js';

const pages = usePages();
const NAME = 'tabs';

/** Opens a client on `NAME` in the page, kept as `window.client`; the code it failed with, or `open`. */
function openClient(page: Page): Promise<string> {
  return page.evaluate(async (name) => {
    const { client } = window.support.make({ name, retry: { firstDelayMs: 1, maxDelayMs: 1, attempts: 3 } });
    Object.assign(window, { client });
    return client.open().then(
      () => 'open',
      (error: unknown) => (error as { code: string }).code,
    );
  }, NAME);
}

function encrypt(page: Page): Promise<number | string> {
  return page.evaluate(() =>
    window.support.encrypt(window.client).catch((error: unknown) => (error as { code: string }).code),
  );
}

function createGroup(page: Page): Promise<void> {
  return page.evaluate(async () => void (await window.client.createGroup(window.support.GROUP)));
}

test('a second tab gets already-open; it can open when the first is gone', async () => {
  const context = await pages.context();
  const first = await pages.open('scenarios', context);
  assert.equal(await openClient(first), 'open');
  await createGroup(first);
  assert.equal(await encrypt(first), 1);
  const second = await pages.open('scenarios', context);
  assert.equal(await openClient(second), 'already-open');
  assert.equal(await encrypt(second), 'already-open');
  assert.equal(await encrypt(first), 2);
  await first.close();
  // The browser takes the lock back when it tears the tab down, which may be after `close` has settled.
  await second.evaluate((name) => navigator.locks.request(`openmls-wasm writer ${name}`, () => undefined), NAME);
  assert.equal(await openClient(second), 'open');
  assert.equal(await encrypt(second), 3);
  await context.close();
});

test('what had settled is there after a reload, and after navigating away without close', async () => {
  const context = await pages.context();
  const page = await pages.open('scenarios', context);
  assert.equal(await openClient(page), 'open');
  await createGroup(page);
  for (let number = 1; number <= 3; number += 1) {
    assert.equal(await encrypt(page), number);
    await page.reload({ waitUntil: 'load' });
    assert.equal(await openClient(page), 'open');
  }
  await page.goto('about:blank');
  await page.goBack({ waitUntil: 'load' });
  assert.equal(await openClient(page), 'open');
  assert.equal(await encrypt(page), 4);
  await context.close();
});

test('what was handed in before open survives a page that goes away, and is processed once', async () => {
  const context = await pages.context();
  const page = await pages.open('scenarios', context);
  await page.evaluate(async (name) => {
    const { client } = window.support.make({ name });
    await client.receiveWelcome({ bytes: window.support.GROUP, id: 'w' });
    await client.receiveMessage({ bytes: window.support.GROUP, id: 'm', position: 1 });
  }, NAME);
  for (let visit = 0; visit < 2; visit += 1) {
    await page.reload({ waitUntil: 'load' });
    assert.equal(await openClient(page), 'open');
    assert.deepEqual(await page.evaluate(async () => (await window.client.inbox()).map((item) => item.id)), ['w', 'm']);
  }
  await context.close();
});

test('the quota of the browser is reached, and raised again', async () => {
  const context = await pages.context();
  const page = await pages.open('scenarios', context);
  const origin = new URL(page.url()).origin;
  const session = await context.newCDPSession(page);
  // Before the first write: the browser remembers for a while how much room there was.
  await session.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: 3_000_000 });
  assert.equal(await openClient(page), 'open');
  await createGroup(page);
  assert.equal(await encrypt(page), 1);
  const reason = page.evaluate(
    () =>
      new Promise<string>((resolve) => {
        window.client.on('storage-error', ({ reason }) => resolve(reason));
      }),
  );
  const failed = await page.evaluate(() => {
    const { client } = window;
    return window.support.codeOf(client.createGroup(new Uint8Array(4_000_000).fill(7)));
  });
  assert.equal(failed, 'storage-failed');
  assert.equal(await reason, 'quota-exceeded');
  await session.send('Storage.overrideQuotaForOrigin', { origin });
  assert.equal(await encrypt(page), 2);
  await page.reload({ waitUntil: 'load' });
  assert.equal(await openClient(page), 'open');
  assert.equal(await encrypt(page), 3);
  await context.close();
});

test('a database that the browser evicts under the client is not replaced by an empty one', async () => {
  const context = await pages.context();
  const page = await pages.open('scenarios', context);
  const session = await context.newCDPSession(page);
  assert.equal(await openClient(page), 'open');
  await createGroup(page);
  await session.send('Storage.clearDataForOrigin', {
    origin: new URL(page.url()).origin,
    storageTypes: 'indexeddb',
  });
  assert.equal(await encrypt(page), 'database-missing');
  assert.deepEqual(await page.evaluate(() => indexedDB.databases()), []);
  await context.close();
});
