/** Which ranges of deletions are ranges in a sealed database too. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

/** Not part of what the package exports. */
const { sealedRanges }: typeof import('../dist/vault/ranges.js') = await import(
  new URL('../../dist/vault/ranges.js', import.meta.url).href
);

/** The blinded keys are in the order opposite to that of the keys in the clear, part by part. */
function blinded(key: string): string {
  const part = (text: string): string => [...text].map((digit) => (15 - Number.parseInt(digit, 16)).toString(16)).join('');
  return key.split('/').map(part).join('/');
}

function ranges(keys: readonly string[], clear: readonly (readonly [number, number])[]): string[][] {
  const events = keys.map((key) => ({ category: 'secrets', key, value: null }));
  const sealed = events.map((event) => ({ ...event, key: blinded(event.key) }));
  const { events: ordered, deletedRanges = [] } = sealedRanges(events, sealed, clear);
  assert.deepEqual(ordered.map(({ key }) => key).sort(), sealed.map(({ key }) => key).sort(), 'all of them, each once');
  return deletedRanges.map(([first, last]) => {
    const within = ordered.slice(first, last + 1).map(({ key }) => key);
    assert.deepEqual(within, [...within].sort(), 'in order');
    return within;
  });
}

const expected = (...keys: string[]): string[] => keys.map(blinded).sort();

test('a value with all its parts', () => {
  assert.deepEqual(ranges(['a', 'a/0', 'a/1', 'a/2'], [[0, 3]]), [expected('a', 'a/0', 'a/1', 'a/2')]);
});

test('parts whose value stays are no range', () => {
  assert.deepEqual(ranges(['a/1/0', 'a/1/1', 'a/1/2'], [[0, 2]]), []);
});

test('several values one after the other, and parts of another before them', () => {
  const keys = ['a/1/3', 'a/1/4', 'a/2', 'a/2/0', 'a/2/1', 'a/3', 'a/4', 'a/4/0'];
  assert.deepEqual(ranges(keys, [[0, 7]]), [expected('a/2', 'a/2/0', 'a/2/1'), expected('a/4', 'a/4/0')]);
});

test('nothing outside the ranges that there are', () => {
  assert.deepEqual(ranges(['a', 'a/0', 'a/1', 'b', 'b/0'], []), []);
  assert.deepEqual(ranges(['a', 'a/0', 'a/1', 'b', 'b/0'], [[0, 1]]), [expected('a', 'a/0')]);
});
