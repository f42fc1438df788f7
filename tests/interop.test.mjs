// Issue 3, must-show 3: this package and another implementation of RFC 9420, ts-mls, in one group in a browser; each of
// them once the one that founded it.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { build, preview } from 'vite'
import { root } from '../scripts/lib/paths.mjs'
import { Profile } from './support/browser.mjs'

const timeout = 120_000
const steps = [
  'key package, add, join', '200 messages', 'out of order', '20 alternating commits',
  'messages overtaken by a commit, and before it', 'commits with a pre-shared key', 'remove', 'external commit',
  'leave, by a proposal that another commits', 'ask to be added',
]
const outDir = join(root, 'tests', 'dist', 'interop')
/** What ts-mls has for other ciphersuites than the one used here is not installed, and left out. */
const rolldownOptions = {
  external: /^@(hpke\/(chacha20poly1305|dhkem-x448|hybridkem-x-wing|ml-kem)|noble)\//,
  treeshake: { moduleSideEffects: 'no-external' },
}
let server
let profile

before(async () => {
  const options = { root: join(root, 'tests', 'interop'), configFile: false, logLevel: 'error' }
  await build({ ...options, build: { outDir, emptyOutDir: true, target: 'es2022', minify: false, rolldownOptions } })
  server = await preview({ ...options, build: { outDir }, preview: { host: '127.0.0.1', port: 0 } })
  profile = await new Profile().start()
})

after(async () => {
  await profile?.remove()
  await server?.close()
})

for (const founder of ['CoreCryptoClient', 'ts-mls']) {
  for (const handshakes of ['private', 'public']) {
    describe(`a group founded by ${founder}, ${handshakes} handshakes`, () => {
      let page
      let failed

      before(async () => {
        page = await profile.page(`http://127.0.0.1:${server.httpServer.address().port}/`)
        await page.evaluate((options) => interop.begin(options), { founder, handshakes })
      })
      after(async () => {
        await page?.evaluate(() => interop.end())
        await page?.close()
      })

      for (const step of steps) {
        test(step, { timeout }, async (t) => {
          if (failed) return t.skip('it goes on from a step that failed')
          failed = true
          await page.evaluate((name) => interop.run(name), step)
          failed = false
        })
      }

      test('no step was forgotten, and no error went unnoticed', async () => {
        assert.deepEqual(await page.evaluate(() => interop.steps), steps)
        assert.deepEqual(profile.errors, [])
      })
    })
  }
}
