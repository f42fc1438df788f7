// The README's example, as a newcomer would use it: in a Vite project without configuration, type-checked strictly,
// under the Content Security Policy that the README names.
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import ts from 'typescript'
import { build } from 'vite'
import { root } from '../scripts/lib/paths.mjs'
import { Profile } from './support/browser.mjs'
import { startService } from './support/service.mjs'

const readme = readFileSync(join(root, 'README.md'), 'utf8')
const folder = join(root, 'tests', 'dist', 'readme')
const source = join(folder, 'src', 'main.ts')

let profile
let service

before(async () => {
  const [, example] = /```ts\n([\s\S]*?)```/.exec(readme) ?? []
  assert.ok(example, 'the README has an example')
  mkdirSync(join(folder, 'src'), { recursive: true })
  writeFileSync(source, example)
  writeFileSync(
    join(folder, 'src', 'index.html'),
    '<!doctype html><title>README</title><script type="module" src="./main.ts"></script>',
  )
})

after(async () => {
  await profile?.remove()
  await service?.stop()
})

test('the example type-checks strictly', () => {
  const program = ts.createProgram([source], {
    strict: true,
    noUncheckedIndexedAccess: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    lib: ['lib.es2022.d.ts', 'lib.dom.d.ts'],
    types: [],
  })
  const problems = ts.getPreEmitDiagnostics(program).map((problem) => ts.flattenDiagnosticMessageText(problem.messageText, '\n'))
  assert.deepEqual(problems, [])
})

test('the example runs, and a second time on what the first left', async () => {
  const outDir = join(folder, 'built')
  await build({ root: join(folder, 'src'), configFile: false, logLevel: 'warn', build: { outDir, emptyOutDir: true } })
  service = await startService(outDir)
  profile = await new Profile().start()
  for (const run of ['first', 'second']) {
    const page = await profile.page('about:blank')
    const said = page.waitForEvent('console', { predicate: (message) => message.type() === 'log' })
    await page.goto(service.url)
    assert.equal((await said).text(), 'alice says Hello Bob', `${run} run`)
    await page.close()
  }
  assert.deepEqual(profile.errors, [])
})

test('every file and command that the README names is there', () => {
  for (const [, target] of readme.matchAll(/\]\((?!https?:)([^)#]+)/g)) {
    assert.ok(existsSync(join(root, target)), target)
  }
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  for (const [, name] of readme.matchAll(/^npm (?:run )?(\w+)/gm)) {
    assert.ok(name in scripts, `npm ${name}`)
  }
})
