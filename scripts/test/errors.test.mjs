// The error table has no gap: every code is explained, and brought about by a test.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { errorCodes, errorTable, testsByCode } from '../lib/error-table.mjs'

const codes = errorCodes()

test('every error code says what it means and what the app does next', () => {
  assert.ok(codes.length > 60, `${codes.length} codes found`)
  const unexplained = codes.filter(({ meaning, next }) => !/\.$/.test(meaning) || !next).map(({ code }) => code)
  assert.deepEqual(unexplained, [])
})

test('only codes whose comment says so can mean that state has changed', () => {
  assert.deepEqual(codes.filter(({ state }) => state).map(({ code }) => code), ['outcome-unknown'])
})

test('every error code is brought about by a test', () => {
  const tests = testsByCode(codes)
  assert.deepEqual(codes.map(({ code }) => code).filter((code) => tests.get(code).length === 0), [])
})

test('the table has a row for each', () => {
  const table = errorTable(codes, testsByCode(codes))
  for (const { code, next } of codes) assert.ok(table.includes(`| \`${code}\` |`) && table.includes(next), code)
})

test('comments are read as the table needs them', () => {
  const source = `export const SOME_ERROR_CODES = [
    /**
     * It
     * broke.
     * State: **perhaps**.
     * Next: mend
     * it.
     */
    'broken',
    'bare',
  ] as const`
  assert.deepEqual(errorCodes(source), [
    { code: 'broken', list: 'SOME_ERROR_CODES', meaning: 'It broke.', state: '**perhaps**.', next: 'mend it.' },
    { code: 'bare', list: 'SOME_ERROR_CODES', meaning: '', state: undefined, next: undefined },
  ])
})
