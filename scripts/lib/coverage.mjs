// The coverage table: which methods of MlsClient and CoreCryptoClient offer each public operation of OpenMLS, or why none
// does. The operations are read from OpenMLS's source, the methods from ours; `docs/coverage.json` is kept by hand, and
// every way in which the three can disagree is a problem.
import { readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import ts from 'typescript'
import { packageDir, root } from './paths.mjs'
import { mustRun } from './run.mjs'
import { readCrate, tokensOf } from './rust-source.mjs'
import { findTests } from './suites.mjs'

/** The types whose inherent methods are operations, in the order of the table, and the enums whose variants are. */
export const types = [
  'MlsGroup', 'MlsGroupBuilder', 'MlsGroupCreateConfig', 'MlsGroupCreateConfigBuilder', 'MlsGroupJoinConfig',
  'MlsGroupJoinConfigBuilder', 'CommitBuilder', 'ExternalCommitBuilder', 'CommitMessageBundle', 'RebootBuilder',
  'KeyPackage', 'KeyPackageBuilder', 'KeyPackageBundle', 'KeyPackageIn', 'ProcessedWelcome', 'JoinBuilder',
  'StagedWelcome', 'StagedCommit', 'ProcessedMessage', 'QueuedProposal', 'ExternalProposal', 'JoinProposal',
  'PreSharedKeyId', 'LeafNodeParametersBuilder', 'CapabilitiesBuilder',
]
export const enums = ['Proposal', 'ProcessedMessageContent', 'Propose', 'Psk', 'Sender']

/**
 * OpenMLS as the build sees it.
 * @returns {Promise<{version: string, features: string[], operations: {type: string, name: string, doc: string, place: string}[]}>}
 */
export async function operationsOfOpenMls() {
  const output = await mustRun('cargo', ['metadata', '--format-version', '1', '--locked', '--quiet'], { quiet: true })
  const { packages, resolve } = JSON.parse(output.slice(output.indexOf('{')))
  const crate = packages.find(({ name }) => name === 'openmls')
  const { features } = resolve.nodes.find(({ id }) => id === crate.id)
  const libPath = crate.targets.find(({ kind }) => kind.includes('lib')).src_path
  return { version: crate.version, features, operations: operationsOf(readCrate(libPath, { features }), dirname(libPath)) }
}

/** The stages of a commit builder have methods of the same name; they are one operation. */
function operationsOf({ methods, enums: found }, folder) {
  const operations = new Map()
  const add = (operation) => {
    const key = `${operation.type}::${operation.name}`
    if (!operations.has(key)) operations.set(key, { ...operation, key })
  }
  for (const type of types) {
    for (const { name, doc, file, line } of methods.filter((method) => method.public && method.type === type)) {
      add({ type, name, doc, place: `${relative(folder, file)}:${line}` })
    }
  }
  for (const { type, variants, file } of found.filter(({ type }) => enums.includes(type))) {
    for (const name of variants) add({ type, name, doc: '', place: relative(folder, file) })
  }
  return [...operations.values()]
}

/** What we offer. @returns {{rust: Set<string>, typeScript: Set<string>, source: string}} `source`: the code of `src/client` */
export function ownMethods() {
  const { methods } = readCrate(join(packageDir, 'src', 'lib.rs'), { features: ['extensions-draft'] })
  const rust = methods.filter((method) => method.public && method.type === 'MlsClient').map(({ name }) => name)
  const text = (folder, pattern) =>
    findTests(join(packageDir, folder), pattern).map((path) => readFileSync(join(root, path), 'utf8'))
  const classes = [...text('ts/client', /\.ts$/), readFileSync(join(packageDir, 'ts', 'core-crypto-client.ts'), 'utf8')]
  return {
    rust: new Set(rust),
    typeScript: new Set(classes.flatMap(publicMembers)),
    source: text('src/client', /\.rs$/).map(codeOf).join('\n'),
  }
}

/** Rust without its comments. */
const codeOf = (source) => tokensOf(source).filter(({ kind }) => kind !== 'doc').map(({ text }) => text).join(' ')

/** The public methods and accessors of the classes of a TypeScript file. @returns {string[]} */
export function publicMembers(text) {
  const source = ts.createSourceFile('class.ts', text, ts.ScriptTarget.Latest, true)
  return source.statements.filter(ts.isClassDeclaration).flatMap(({ members }) =>
    members
      .filter((member) => ts.isMethodDeclaration(member) || ts.isGetAccessor(member))
      .filter((member) => ts.isIdentifier(member.name))
      .filter((member) => !member.modifiers?.some(({ kind }) =>
        kind === ts.SyntaxKind.ProtectedKeyword || kind === ts.SyntaxKind.PrivateKeyword))
      .map((member) => member.name.text))
}

/**
 * What `docs/coverage.json` says of an operation: `"method, method"`, `"method: what of it"` or `"-: why it is not
 * offered"`. Methods are named as in Rust; in TypeScript they have the same name in camel case, unless the mapping's
 * `typescript` gives them another.
 */
export function parseEntry(text, otherNames = {}) {
  const [, names, remark] = /^([^:]*?)(?::\s*([^]+))?$/.exec(text) ?? []
  const rust = names.trim() === '-' ? [] : names.split(',').map((name) => name.trim())
  const typeScript = rust.map((name) => otherNames[name] ?? camelCase(name))
  return { rust, typeScript: [...new Set(typeScript)], remark }
}

const camelCase = (name) => name.replace(/_(\w)/g, (_, letter) => letter.toUpperCase())

export const readMapping = () => JSON.parse(readFileSync(join(root, 'docs', 'coverage.json'), 'utf8'))

/** Every disagreement between OpenMLS, the mapping and our methods, as sentences. @returns {string[]} */
export function problemsOf(operations, mapping, own) {
  const known = new Set(operations.map(({ key }) => key))
  const problems = []
  for (const [type, entries] of Object.entries(mapping.operations)) {
    for (const name of Object.keys(entries)) {
      if (!known.has(`${type}::${name}`)) problems.push(`${type}::${name} is mapped, but OpenMLS has no such operation`)
    }
  }
  for (const { type, name, key } of operations) {
    const text = mapping.operations[type]?.[name]
    if (text === undefined) {
      problems.push(`${key} is not mapped`)
      continue
    }
    problems.push(...problemsOfEntry(key, name, parseEntry(text, mapping.typescript), own))
  }
  return problems
}

function* problemsOfEntry(key, name, { rust, typeScript, remark }, own) {
  for (const method of rust) if (!own.rust.has(method)) yield `${key}: MlsClient has no method ${method}`
  for (const method of typeScript) if (!own.typeScript.has(method)) yield `${key}: CoreCryptoClient has no method ${method}`
  if (rust.length === 0 && !remark) yield `${key} is not offered, and no reason is given`
  // What we do not call we can only offer in another way, and that has to be said.
  if (rust.length > 0 && !remark && !new RegExp(`\\b${name}\\b`).test(own.source)) {
    yield `${key} is said to be offered, but src/client never names it: say how it is offered`
  }
  for (const [, code] of (rust.length > 0 ? remark : '')?.matchAll(/`([^`]+)`/g) ?? []) {
    for (const [word] of code.matchAll(/\w+/g)) {
      if (!new RegExp(`\\b${word}\\b`).test(own.source)) yield `${key}: \`${code}\` is not in src/client`
    }
  }
}

/** @returns {string} a page of Markdown */
export function coverageTable({ version, features, operations }, mapping) {
  const sections = [...types, ...enums].map((type) => {
    const rows = operations.filter((operation) => operation.type === type).map(({ name }) => {
      const { rust, typeScript, remark } = parseEntry(mapping.operations[type][name], mapping.typescript)
      const list = (names) => names.map((method) => `\`${method}\``).join(', ') || '–'
      return `| \`${name}\` | ${list(rust)} | ${list(typeScript)} | ${remark ?? ''} |`
    })
    return `## ${type}\n\n| OpenMLS | MlsClient | CoreCryptoClient | How, or why not |\n|---|---|---|---|\n${rows.join('\n')}\n`
  })
  const { offered, total } = countsOf(operations, mapping)
  return `---
title: Coverage of OpenMLS
---

# Coverage of OpenMLS

Every public operation of OpenMLS ${version} (features: ${features.join(', ')}), and the methods that offer it. ${offered} of
${total} are offered; of the others the last column says why not.

${sections.join('\n')}`
}

export function countsOf(operations, mapping) {
  const offered = operations.filter(({ type, name }) => parseEntry(mapping.operations[type][name]).rust.length > 0).length
  return { offered, total: operations.length }
}
