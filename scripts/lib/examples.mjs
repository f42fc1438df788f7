// The examples of the API reference: which of their parts call which method of CoreCryptoClient, and what they print.
import { readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import ts from 'typescript'
import { packageDir, root } from './paths.mjs'
import { findTests } from './suites.mjs'

export const examplesDir = join(root, 'docs', 'examples')

/** What the examples share. */
const helpers = ['certificates', 'support']

/** Names of the examples, without `.ts`. */
export const exampleNames = () =>
  findTests(examplesDir, /\.ts$/).map((path) => basename(path, '.ts')).filter((name) => !helpers.includes(name))

/** All examples, checked against the sources of the package as strictly as it checks itself. */
export function exampleProgram() {
  const config = ts.readConfigFile(join(packageDir, 'tsconfig.json'), ts.sys.readFile).config
  const { rootDir, outDir, declaration, include, ...compilerOptions } = config.compilerOptions
  const { options } = ts.convertCompilerOptionsFromJson({
    ...compilerOptions,
    noEmit: true,
    // As an app with a bundler has it.
    module: 'ESNext',
    moduleResolution: 'Bundler',
    noUnusedLocals: true,
    paths: { 'openmls-wasm': [join(packageDir, 'ts', 'index.ts')] },
  }, packageDir)
  return ts.createProgram([...exampleNames(), ...helpers].map((name) => join(examplesDir, `${name}.ts`)), options)
}

/** @returns {string[]} */
export const typeErrors = (program) =>
  ts.getPreEmitDiagnostics(program).map(({ file, start, messageText }) => {
    const line = file ? `${basename(file.fileName)}:${file.getLineAndCharacterOfPosition(start).line + 1}: ` : ''
    return line + ts.flattenDiagnosticMessageText(messageText, '\n')
  })

/**
 * The parts of the examples that use each public member of CoreCryptoClient: what stands between two blank lines.
 * The shortest come first.
 * @returns {Map<string, {example: string, code: string}[]>}
 */
export function partsByMember(program) {
  const checker = program.getTypeChecker()
  const parts = new Map()
  for (const example of exampleNames()) {
    const source = program.getSourceFile(join(examplesDir, `${example}.ts`))
    const visit = (node) => {
      if (ts.isPropertyAccessExpression(node) && isClientMember(checker.getSymbolAtLocation(node.name))) {
        const code = partAround(source.text, node.getStart())
        const known = parts.get(node.name.text) ?? []
        if (!known.some((part) => part.code === code)) parts.set(node.name.text, [...known, { example, code }])
      }
      ts.forEachChild(node, visit)
    }
    visit(source)
  }
  for (const found of parts.values()) found.sort((one, other) => one.code.length - other.code.length)
  return parts
}

function isClientMember(symbol) {
  const file = symbol?.declarations?.[0]?.getSourceFile().fileName ?? ''
  return /openmls-wasm\/ts\/(client\/|core-crypto-client\.ts$)/.test(file)
}

function partAround(text, position) {
  const start = text.lastIndexOf('\n\n', position) + 2
  const end = text.indexOf('\n\n', position)
  return text.slice(start, end < 0 ? undefined : end).trim()
}

/** What an example says that it prints, line by line. @returns {string[]} */
export const promisedOutput = (example) =>
  [...readFileSync(join(examplesDir, `${example}.ts`), 'utf8').matchAll(/\/\/ → (.*)$/gm)].map(([, line]) => line)
