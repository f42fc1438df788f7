// A whole older database is put back, as a backup of the browser's profile does: the delivery service has seen a newer state of
// this client, so nothing is sent by the older one, and the client comes into the group anew by an external commit.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { buildPage } from './support/page.mjs'
import { startService } from './support/service.mjs'
import { settle, twoUsers } from './support/user.mjs'

const timeout = 120_000
let service
let here

before(async () => {
  service = await startService(await buildPage())
  here = await twoUsers(service.url)
  await talk('hello')
}, { timeout })

after(async () => {
  await here?.remove()
  await service?.stop()
})

async function talk(words) {
  for (const speaker of here.users) {
    const text = `${words}, says ${speaker.name}`
    await speaker.run(([group, line]) => me.send(group, line), [here.conversation, text])
    await settle(here.users, here.conversation)
    for (const user of here.users) {
      assert.equal((await user.run((group) => me.texts(group), here.conversation)).at(-1), text)
    }
  }
}

const infoOf = (user) => user.run((group) => me.info(group), here.conversation)

/** Ben's databases as they are now, and what happens after that; then they are put back. */
async function putBack(meanwhile) {
  const { ben } = here
  await ben.run(async () => { window.older = await databases.copy('ben') })
  await meanwhile()
  await ben.run(async () => {
    await me.close()
    await databases.putBack(older)
  })
  ben.reports.length = 0
}

/** Ben opens the older state: before anything else goes up the group is joined anew, and then everything goes on. */
async function healed(words) {
  const { anna, ben, conversation } = here
  const before = BigInt((await infoOf(anna)).epoch)
  await ben.begin()
  // Written before the service has been asked: it waits.
  await ben.run((group) => me.send(group, 'written by the older state'), conversation).catch(() => undefined)
  await ben.run(() => me.until(() => me.joiningAnew.length > 0))
  await settle(here.users, conversation)
  assert.deepEqual(await ben.run(() => me.joiningAnew), [conversation])
  const uploads = ben.reports.filter(({ kind }) => kind === 'upload')
  assert.equal(uploads[0].commit, true, 'the first that goes up is the commit')
  assert.equal(BigInt((await infoOf(anna)).epoch) > before, true)
  assert.deepEqual(await infoOf(ben), await infoOf(anna))
  assert.equal((await infoOf(anna)).members, 2)
  await talk(words)
}

test('an older state of the same epoch', { timeout }, async () => {
  const before = await infoOf(here.anna)
  await putBack(() => talk('in the same epoch'))
  assert.deepEqual(await infoOf(here.anna), before)
  await healed('after a state of the same epoch')
})

test('an older state of an earlier epoch', { timeout }, async () => {
  await putBack(async () => {
    const { ben, conversation } = here
    const before = (await infoOf(ben)).epoch
    await ben.run(async (group) => {
      await me.raw.selfUpdate(Uint8Array.from(group.match(/../g), (pair) => Number.parseInt(pair, 16)))
      me.engine.kickAll()
    }, conversation)
    await settle(here.users, conversation)
    assert.notEqual((await infoOf(ben)).epoch, before)
    await talk('in the next epoch')
  })
  await healed('after a state of an earlier epoch')
})

test('the newest state is not refused', { timeout }, async () => {
  const { ben } = here
  await putBack(async () => undefined)
  await ben.begin()
  await talk('after nothing was lost')
  assert.deepEqual(await ben.run(() => me.joiningAnew), [])
})
