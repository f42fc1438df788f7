// The package with post-quantum ciphersuites, as an app imports it: `openmls-wasm/pq`. Runs where it was built
// (`npm run build -- --pq`).
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { packageDir } from '../scripts/lib/paths.mjs'
import { Profile } from './support/browser.mjs'
import { buildPage } from './support/page.mjs'
import { startService } from './support/service.mjs'

const built = existsSync(join(packageDir, 'pkg-pq', 'openmls_wasm_bg.wasm'))
const suites = [
  [0x0001, 'X25519, Ed25519'],
  [0x004f, 'ML-KEM-768 + X25519, Ed25519'],
  [0x0052, 'ML-KEM-768 + X25519, ML-DSA-44'],
  [0x0051, 'ML-KEM-768, ML-DSA-65'],
]

describe('openmls-wasm/pq', { skip: !built && 'pkg-pq is not built' }, () => {
  let profile
  let service
  let page

  before(async () => {
    service = await startService(await buildPage('release', 'post-quantum'))
    profile = await new Profile().start()
    page = await profile.page(`${service.url}/post-quantum.html`)
    await page.waitForFunction(() => window.groupOfThree !== undefined)
  })

  after(async () => {
    await profile?.remove()
    await service?.stop()
  })

  test('the ordinary build opens what it can read, and leaves the rest as it is', { timeout: 60_000 }, async () => {
    const opened = (...suites) => page.evaluate((suites) => window.openWithTheOrdinaryBuild(...suites), suites)
    assert.deepEqual(await opened(1, 1), { opened: '1 key package', kept: true })
    assert.deepEqual(await opened(1, 0x004f), { opened: 'damaged-record', kept: true })
    assert.deepEqual(await opened(0x004f, 0x004f), { opened: 'damaged-record', kept: true })
  })

  for (const [suite, name] of suites) {
    test(`a group of three in suite 0x${suite.toString(16).padStart(4, '0')} (${name})`, { timeout: 120_000 }, async (t) => {
      const { texts, active, authenticators, sizes } = await page.evaluate((suite) => window.groupOfThree(suite), suite)
      assert.deepEqual(texts, ['hello', 'hello', 'bye'])
      assert.deepEqual(active, [true, true, false])
      assert.equal(authenticators[0], authenticators[1])
      t.diagnostic(`key package ${sizes[0]}, commit adding two ${sizes[1]}, its Welcome ${sizes[2]}, commit removing one ${sizes[3]} bytes`)
    })
  }
})
