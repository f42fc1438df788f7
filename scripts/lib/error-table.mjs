// The error table: every code with what its comment in ts/errors.ts says of it, and the tests that bring it about.
import { readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import ts from 'typescript'
import { packageDir, root } from './paths.mjs'
import { findTests } from './suites.mjs'

const typeScriptSource = join(packageDir, 'ts', 'errors.ts')
const rustSource = join(packageDir, 'src', 'client', 'error.rs')

/**
 * @typedef {{code: string, list: string, meaning: string, state: string | undefined, next: string | undefined}} ErrorCode
 *   `list`: the constant it stands in
 * @returns {ErrorCode[]}
 */
export function errorCodes(text = readFileSync(typeScriptSource, 'utf8')) {
  const source = ts.createSourceFile('errors.ts', text, ts.ScriptTarget.Latest, true)
  const codes = []
  for (const statement of source.statements.filter(ts.isVariableStatement)) {
    const { name, initializer } = statement.declarationList.declarations[0]
    if (!/_ERROR_CODES$/.test(name.text)) continue
    for (const element of initializer.expression.elements) {
      codes.push({ code: element.text, list: name.text, ...rowOf(commentBefore(source.text, element)) })
    }
  }
  return codes
}

function commentBefore(text, node) {
  const [, comment] = /\/\*\*([^]*?)\*\/\s*$/.exec(text.slice(node.getFullStart(), node.getStart())) ?? []
  return (comment ?? '').split('\n').map((line) => line.replace(/^\s*\*? ?/, '').trim()).join('\n').trim()
}

/** A comment says what the code means, then, each on a new line, `State:` (if anything may have changed) and `Next:`. */
function rowOf(comment) {
  const [meaning, ...rest] = comment.split(/\n(?=State:|Next:)/).map((part) => part.replaceAll('\n', ' '))
  const part = (name) => rest.find((text) => text.startsWith(`${name}: `))?.slice(name.length + 2)
  return { meaning, state: part('State'), next: part('Next') }
}

/**
 * Which test files name which code: not the fakes that only pretend to fail, and not the tests with random input, which
 * list codes that may come of it.
 * @returns {Map<string, string[]>}
 */
export function testsByCode(codes = errorCodes()) {
  const variants = new Map(
    [...readFileSync(rustSource, 'utf8').matchAll(/Self::(\w+)[^=]*=> "([a-z-]+)"/g)].map(([, variant, code]) => [code, variant]),
  )
  const folders = ['openmls-wasm/tests', 'openmls-wasm/ts-tests', 'wasm-tests', 'tests']
  const files = folders
    .flatMap((folder) => findTests(join(root, folder), /\.(rs|ts|mjs)$/))
    .filter((path) => !/fake|\bdist\b|codes\.test|screenshots|byte_flips|random_walk/.test(path))
    .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8').replace(/^\s*\/\/.*$/gm, '') }))
  return new Map(codes.map(({ code }) => {
    const named = new RegExp(`["'\`]${code}["'\`]|ClientError::${variants.get(code)}\\b`)
    return [code, files.filter(({ text }) => named.test(text)).map(({ path }) => path)]
  }))
}

/** @param {Map<string, string[]>} tests @returns {string} a page of Markdown */
export function errorTable(codes, tests) {
  const row = ({ code, meaning, state, next }) =>
    `| \`${code}\` | ${meaning} | ${state ?? 'no'} | ${next} | ${tests.get(code).map((path) => basename(path)).join(', ')} |`
  const table = (list) => [
    '| Code | What it means | Has state changed? | What the app does next | Tests |', '|---|---|---|---|---|',
    ...codes.filter((code) => code.list === list).map(row),
  ].join('\n')
  return `---
title: Errors
---

# Errors

Every method of \`CoreCryptoClient\` rejects with a \`CoreCryptoError\`, and its \`code\` is one of these. In Rust it is
\`ClientError::code()\`. The message is for people; it never holds a key, a plaintext or a record's value.

## Decided by MLS and the store in memory

${table('MLS_ERROR_CODES')}

## Decided by the database, the browser and the wasm instance

${table('CLIENT_ERROR_CODES')}
`
}
