// The examples type-check, and together they show every public member of CoreCryptoClient. (That they run and print what
// they say is `tests/examples.test.mjs`.)
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ownMethods } from '../lib/coverage.mjs'
import { exampleNames, exampleProgram, partsByMember, promisedOutput, typeErrors } from '../lib/examples.mjs'

const program = exampleProgram()

test('the examples type-check strictly', () => {
  assert.deepEqual(typeErrors(program), [])
})

test('every public member of CoreCryptoClient is in an example', () => {
  const shown = partsByMember(program)
  assert.deepEqual([...ownMethods().typeScript].filter((name) => !shown.has(name)), [])
})

test('every example says what it prints', () => {
  for (const name of exampleNames()) assert.ok(promisedOutput(name).length > 2, name)
})
