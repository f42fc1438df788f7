// Killed at any step of what rewrites a database as a whole: sealing it, rotating its key, unsealing it, restoring or importing a
// snapshot, bringing it to the present layout. A round does it once without a kill, to know how many steps it has; then again, and
// the page's process, or the whole browser as in a power cut, is killed at one of them. What is left must open, or say what to do;
// doing it again must finish it; nothing is lost, and nothing in the clear that is to be sealed.
//
// KILLED_ROUNDS=<n> runs another number of rounds of each task; KILLED_TASK=<task> KILLED_SEED=<seed> one round alone.
import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { packageDir } from '../scripts/lib/paths.mjs'
import { Profile } from './support/browser.mjs'
import { buildPage } from './support/page.mjs'
import { seeded } from './support/random.mjs'
import { startService } from './support/service.mjs'

const rounds = Number(process.env.KILLED_ROUNDS ?? 2)
const { KILLED_TASK: onlyTask, KILLED_SEED: onlySeed } = process.env
const unlock = `{ kind: 'key', key: new Uint8Array(32).fill(7) }`
const group = 'group-27c94e0d'
const groups = Array.from({ length: 40 }, (_, index) => `group ${index}`)
const former = ['2', '3', '3-sealed'].map((name) => JSON.parse(readFileSync(join(packageDir, 'ts-tests', 'fixtures', `version-${name}.json`), 'utf8')))

let service
let url
let profile
/** What `exportBoth` has made, once for all. */
let exported
/** What an empty client holds. */
let nothing

before(async () => {
  service = await startService(await buildPage('release', 'killed'))
  url = `${service.url}/killed.html`
  await newProfile()
  const page = await visit()
  exported = await page.evaluate(`exportBoth('exported', ${JSON.stringify(groups)})`)
  nothing = await page.evaluate('contentOfNothing()')
  await page.close()
})

after(async () => {
  await profile?.remove()
  await service?.stop()
})

/** With a database that nobody touches: it tells whether Chromium has deleted them all. */
async function newProfile() {
  await profile?.remove()
  profile = await new Profile().start()
  const page = await visit()
  await page.evaluate(() => new Promise((resolve, reject) => {
    const request = indexedDB.open('sentinel')
    request.onsuccess = () => resolve(request.result.close())
    request.onerror = () => reject(request.error)
  }))
  await page.close()
}

async function databasesWereDeleted() {
  const page = await visit()
  const deleted = await page.evaluate(async () => !(await indexedDB.databases()).some(({ name }) => name === 'sentinel'))
  await page.close()
  return deleted
}

async function visit() {
  const page = await profile.page(url)
  await page.waitForFunction(() => window.ready)
  return page
}

/** The page's process is gone at once. */
async function crash(page) {
  const gone = new Promise((resolve) => { page.once('crash', resolve) })
  const session = await page.context().newCDPSession(page)
  await Promise.race([session.send('Page.crash').catch(() => undefined), gone])
  await gone
  await page.close().catch(() => undefined)
}

const optional = (isSealed) => (isSealed ? unlock : 'undefined')

/** Sealing, rotating and unsealing: everything that is in the database before is in it afterwards. */
function conversion(task, { sealedBefore, states }) {
  return {
    async prepare(page, name) {
      const vault = sealedBefore ? `{ unlock: ${unlock} }` : 'undefined'
      await page.evaluate(`converse('${name}', ${vault}, { identity: 'a', group: '${group}', text: 't', bobVault: { unlock: ${unlock} } })
        .then(() => indexedDB.deleteDatabase('bob'))`)
      const content = await page.evaluate(`contents('${name}', ${vault}, '${group}')`)
      return { order: `{ name: '${name}', unlock: ${unlock} }`, content }
    },
    async verify(page, name, { content }) {
      const state = await page.evaluate(`openmls.vaultInfo('${name}').then((info) => info?.state)`)
      assert.ok(states.includes(state), `${task}: ${state}`)
      let isSealed = state !== undefined
      if (state === 'unsealing') {
        // Opening finishes it, and says what has become of the vault.
        const code = await page.evaluate(`openmls.CoreCryptoClient.open({ name: '${name}', vault: { unlock: ${unlock} } }).catch(({ code }) => code)`)
        assert.equal(code, 'not-sealed')
        isSealed = false
      }
      const vault = isSealed ? `{ unlock: ${unlock} }` : 'undefined'
      assert.equal(await page.evaluate(`contents('${name}', ${vault}, '${group}')`), content, `${task}, ${state}`)
      assert.equal(await page.evaluate(`openmls.vaultInfo('${name}').then((info) => info?.state)`), isSealed ? 'sealed' : undefined)
      assert.deepEqual(await page.evaluate(`kindsOf('${name}')`), [isSealed ? 'sealed' : 'clear'])
    },
  }
}

/** A new database out of a full export, or one in the place of another. */
const restoring = {
  async prepare(page, name, random) {
    const [isSealed, replaces] = [random.between(0, 1) === 1, random.between(0, 1) === 1]
    let old
    if (replaces) {
      await page.evaluate(`liveClient('${name}', made, ['only here'], ${optional(isSealed)})`)
      old = await page.evaluate(`contentOf('${name}', ${optional(isSealed)})`)
    }
    return { order: `{ name: '${name}', unlock: ${optional(isSealed)}, file: made.full, replace: ${replaces} }`, isSealed, replaces, old }
  },
  async verify(page, name, { order, isSealed, replaces, old, kills }) {
    const whole = exported.content
    const { state, code } = await page.evaluate(`openmls.databaseState('${name}').then(({ state, damage }) => ({ state, code: damage?.code }))`)
    let isDone = false
    if (state === 'damaged') {
      assert.equal(code, 'restore-unfinished')
      assert.equal(await page.evaluate(`contentOf('${name}', ${optional(isSealed)}).catch(({ code }) => code)`), 'restore-unfinished')
    } else if (state === 'unknown') {
      // Finishing what was interrupted when the new one took the place begins by deleting what there is of it.
      assert.ok(!replaces || kills > 1, 'the old database is there until the new one is')
    } else {
      const found = await page.evaluate(`contentOf('${name}', ${optional(isSealed)})`)
      assert.ok([replaces ? old : nothing, whole].includes(found), `neither the old nor the new content: ${found}`)
      isDone = found === whole
    }
    const again = await page.evaluate(`tasks.restoreDatabase(${order}).catch(({ code }) => ({ code }))`)
    assert.equal(again.code, isDone && !replaces ? 'database-exists' : undefined)
    // Each opening is an attempt at what waits in the queue, and there are not many.
    if (!isDone) assert.equal(await page.evaluate(`contentOf('${name}', ${optional(isSealed)})`), whole)
    assert.deepEqual(await page.evaluate(`kindsOf('${name}')`), [isSealed ? 'sealed' : 'clear'])
    assert.equal(await page.evaluate(`versionOf('${name} (restoring)')`), undefined, 'no copy is left beside it')
    const inbox = await page.evaluate(`inboxWith('${name}', ${optional(isSealed)}, made.missing)`)
    assert.deepEqual(inbox, [['read', 'read'], ['missing', 'missing'], ['waits', 'waits']], 'what waited in the queue')
  },
}

/** As JSON has it: without `undefined`. */
const plain = (value) => JSON.parse(JSON.stringify(value))

/** A backup into a client that has some of its groups, and one of its own; or into a new one. */
const importing = {
  async prepare(page, name, random) {
    const [isSealed, isLive] = [random.between(0, 1) === 1, random.between(0, 1) === 1]
    let live = []
    if (isLive) {
      await page.evaluate(`liveClient('${name}', made, ['${groups[3]}', 'only here'], ${optional(isSealed)})`)
      live = plain(await page.evaluate(`groupsOf('${name}', ${optional(isSealed)})`))
    }
    return { order: `{ name: '${name}', unlock: ${optional(isSealed)}, file: made.backup }`, isSealed, live }
  },
  async verify(page, name, { order, isSealed, live }) {
    const inert = groups.filter((id) => !live.some(([other]) => other === id)).map((id) => [id, ['inert', `name of ${id}`, null]])
    const all = [...live, ...inert].sort()
    const look = async () => plain(await page.evaluate(`groupsOf('${name}', ${optional(isSealed)})`))
    if (live.length > 0 || (await page.evaluate(`versionOf('${name}')`)) !== undefined) {
      const found = await look()
      const is = (one) => (other) => JSON.stringify(one) === JSON.stringify(other)
      assert.deepEqual(live.filter((one) => !found.some(is(one))), [], 'groups that were live and are not as they were')
      assert.deepEqual(found.filter((one) => !all.some(is(one))), [], 'groups that are not as in the backup')
    }
    await page.evaluate(`tasks.importSnapshot(${order})`)
    assert.deepEqual(await look(), all)
    assert.deepEqual(await page.evaluate(`kindsOf('${name}')`), [isSealed ? 'sealed' : 'clear'])
  },
}

/** A database of an earlier layout. */
const migrating = {
  async prepare(page, name, random) {
    const which = random.between(0, former.length - 1)
    await page.evaluate(`putFixture('${name}', fixtures[${which}])`)
    const { version, about, sealed: isSealed } = former[which]
    return { order: `{ name: '${name}', unlock: ${optional(isSealed)} }`, version, about, isSealed }
  },
  async verify(page, name, { rehearsed, version: before, about, isSealed }) {
    const versions = [before, await page.evaluate(`versionOf('${rehearsed}')`)]
    assert.ok(versions[1] > before)
    const version = await page.evaluate(`versionOf('${name}')`)
    assert.ok(versions.includes(version), `version ${version}`)
    // What the version that has made the fixture found in it. What waited in its queue is tried at each opening, and read at the first.
    assert.deepEqual(await page.evaluate(`aboutFixture('${name}', ${optional(isSealed)})`), about)
    assert.equal(await page.evaluate(`versionOf('${name}')`), versions[1])
    assert.deepEqual(await page.evaluate(`kindsOf('${name}')`), [isSealed ? 'sealed' : 'clear'])
  },
}

const tasks = {
  sealDatabase: conversion('sealDatabase', { sealedBefore: false, states: [undefined, 'sealing', 'sealed'] }),
  rotateDataKey: conversion('rotateDataKey', { sealedBefore: true, states: ['sealed', 'rotating'] }),
  unsealDatabase: conversion('unsealDatabase', { sealedBefore: true, states: ['sealed', 'unsealing', undefined] }),
  restoreDatabase: restoring,
  importSnapshot: importing,
  migration: migrating,
}

for (const [task, { prepare, verify }] of Object.entries(tasks).filter(([name]) => onlyTask === undefined || name === onlyTask)) {
  describe(`killed at any step of ${task}`, () => {
    const seeds = onlySeed === undefined ? Array.from({ length: rounds }, () => randomInt(2 ** 31)) : [Number(onlySeed)]
    for (const seed of seeds) test(`seed ${seed}`, { timeout: 120_000 }, (t) => round(t, task, seed, prepare, verify))
  })
}

async function round(t, task, seed, prepare, verify) {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await play(task, seed + attempt, prepare, verify)
    } catch (error) {
      // What a torn write makes of all databases of an origin, no page can help (README); the round is to be about the kill.
      if (attempt > 2 || !(await databasesWereDeleted().catch(() => false))) throw error
      t.diagnostic('Chromium found half a record at the end of its log and deleted the databases: once more, in another profile')
      await newProfile()
    }
  }
}

async function play(task, seed, prepare, verify) {
  const random = seeded(seed)
  let page = await open()
  // The same twice: first, how many steps it has.
  const choice = random.between(0, 2 ** 30)
  const rehearsed = `rehearsed ${seed}`
  const rehearsal = await prepare(page, rehearsed, seeded(choice))
  const steps = await page.evaluate(`stepsOf('${task}', ${rehearsal.order})`)

  const name = `killed ${seed}`
  const prepared = await prepare(page, name, seeded(choice))
  const kills = random.between(1, 2)
  for (let left = kills; left > 0; left -= 1) {
    const at = random.between(0, steps)
    const due = new Promise((resolve) => { page.on('console', (message) => message.text() === 'kill me' && resolve()) })
    void page.evaluate(`killedAt('${task}', ${prepared.order}, ${at}, ${random.between(0, 1) * 20})`).catch(() => undefined)
    await due
    // The whole browser now and then; the page's process otherwise.
    if (random.between(0, 3) === 0) {
      await profile.kill()
      await profile.start()
    } else {
      await crash(page)
    }
    page = await open()
  }
  await verify(page, name, { ...prepared, rehearsed, kills })
  await page.close()
}

async function open() {
  const page = await visit()
  await page.evaluate((made) => { window.made = made }, exported)
  await page.evaluate((fixtures) => { window.fixtures = fixtures }, former)
  return page
}
