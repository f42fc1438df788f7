// Must-show 10, in browsers: two members commit in the same epoch, over and over, while both write. One wins each time, the
// other goes on in the new epoch and succeeds with its next; every message arrives; both end in the same state.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { buildPage } from './support/page.mjs'
import { startService } from './support/service.mjs'
import { settle, twoUsers } from './support/user.mjs'

const timeout = 90_000
const rounds = 12
let service
let here

before(async () => {
  service = await startService(await buildPage())
  here = await twoUsers(service.url)
})

after(async () => {
  await here?.remove()
  await service?.stop()
})

test(`both commit in the same epoch, ${rounds} times`, { timeout }, async () => {
  const { users, conversation } = here
  const said = []
  for (let round = 0; round < rounds; round += 1) {
    const before = await epoch()
    // Each makes its commit before any is uploaded, and a message on either side of it.
    await Promise.all(users.map((user) => user.run(async ([group, name, number]) => {
      uploads.hold()
      await me.send(group, `${name} before ${number}`)
      await me.client.selfUpdate(fromHex(group))
      await me.send(group, `${name} after ${number}`)
    }, [conversation, user.name, round])))
    said.push(...users.flatMap(({ name }) => [`${name} before ${round}`, `${name} after ${round}`]))
    await Promise.all(users.map((user) => user.run(() => uploads.letGo())))
    await settle(users, conversation)
    assert.equal(await epoch(), before + 1n, 'one of the two commits was accepted')
    // Whoever lost succeeds with its next.
    for (const user of users) {
      const own = await epoch()
      await user.run((group) => me.client.selfUpdate(fromHex(group)), conversation)
      await user.run(([group, name, number]) => me.send(group, `${name}'s own ${number}`), [conversation, user.name, round])
      said.push(`${user.name}'s own ${round}`)
      await settle(users, conversation)
      assert.equal(await epoch(), own + 1n)
    }
  }
  const [first, second] = await Promise.all(users.map((user) => user.run((group) => me.texts(group), conversation)))
  assert.deepEqual(first, second)
  assert.deepEqual(first.toSorted(), said.toSorted())
  for (const user of users) {
    assert.deepEqual(await user.run(() => me.problems), [])
    assert.deepEqual(user.profile.errors, [])
  }
})

/** The epoch that both are in, with the same authenticator. */
async function epoch() {
  const [one, other] = await Promise.all(here.users.map((user) => user.run((group) => me.info(group), here.conversation)))
  assert.deepEqual(one, other)
  return BigInt(one.epoch)
}
