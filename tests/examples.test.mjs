// The examples of the API reference, as an app would run them: built by Vite, each in a page of its own, and each prints
// what it says it prints. (That they type-check and show every method is `scripts/test/examples.test.mjs`.)
import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { build } from 'vite'
import { exampleNames, examplesDir, promisedOutput } from '../scripts/lib/examples.mjs'
import { root } from '../scripts/lib/paths.mjs'
import { Profile } from './support/browser.mjs'
import { startService } from './support/service.mjs'

const names = exampleNames()
const modes = {
  'as an app calls it': {},
  // So each public method is called once with a rehydration before and after it.
  'closed and opened again after every call': {
    alias: [{ find: /^openmls-wasm$/, replacement: join(root, 'tests', 'support', 'reopening-client.js') }],
  },
}

for (const [mode, resolve] of Object.entries(modes)) {
  describe(mode, () => {
    const folder = join(root, 'tests', 'dist', 'examples', mode.replaceAll(' ', '-'))
    const outDir = join(folder, 'built')
    let profile
    let service

    before(async () => {
      await buildExamples(folder, outDir, resolve)
      service = await startService(outDir)
      profile = await new Profile().start()
    })

    after(async () => {
      await profile?.remove()
      await service?.stop()
    })

    for (const name of names) {
      test(`${name} prints what it says`, { timeout: 60_000 }, async () => {
        assert.deepEqual(await printedBy(profile, `${service.url}/${name}.html`), [...promisedOutput(name), 'end'])
      })
    }
  })
}

async function buildExamples(folder, outDir, resolve) {
  mkdirSync(folder, { recursive: true })
  const input = names.map((name) => {
    const page = join(folder, `${name}.html`)
    const script = `import(${JSON.stringify(join(examplesDir, `${name}.ts`))}).then(() => console.log('end'), (error) => console.log(String(error.code ?? ''), error.stack))`
    writeFileSync(join(folder, `${name}.js`), script)
    writeFileSync(page, `<!doctype html><title>${name}</title><script type="module" src="./${name}.js"></script>`)
    return page
  })
  await build({
    root: folder, configFile: false, logLevel: 'warn', resolve,
    build: { outDir, emptyOutDir: true, target: 'es2022', rollupOptions: { input } },
  })
}

async function printedBy(profile, url) {
  const page = await profile.page('about:blank')
  // The protocol of the browser's console has no bigint.
  await page.addInitScript(() => {
    const { log } = console
    console.log = (...values) => log(values.map((value) => (typeof value === 'bigint' ? `${value}n` : String(value))).join(' '))
  })
  const printed = []
  const ended = new Promise((done) => {
    page.on('console', (message) => {
      if (message.type() !== 'log') return
      printed.push(message.text())
      if (message.text() === 'end' || /\n\s+at /.test(message.text())) done()
    })
  })
  await page.goto(url)
  await ended
  await page.close()
  return printed
}
