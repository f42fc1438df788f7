// Must-show 1: two people chat through the app, as the delivery service serves it to them: what `npm start` gives. What Anna
// stores is sealed, without a secret so that it opens by itself; what Ben stores is in the clear.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Profile } from './support/browser.mjs'
import { register } from './support/chat.mjs'
import { startService } from './support/service.mjs'
import { frontendDir } from '../scripts/lib/paths.mjs'

const timeout = 60_000
let service
const anna = { name: 'Anna', protection: 'device', profile: new Profile() }
const ben = { name: 'Ben', protection: 'plain', profile: new Profile() }

before(async () => {
  service = await startService(join(frontendDir, 'dist'))
  await Promise.all([anna, ben].map(async (person) => {
    await person.profile.start()
    person.page = await person.profile.page(service.url)
  }))
})

after(async () => {
  await Promise.all([anna, ben].map(({ profile }) => profile.remove()))
  await service?.stop()
})

const connection = (page, status) => page.locator(`[data-testid=connection-status][data-status=${status}]`).waitFor({ state: 'attached' })

async function say({ page }, text) {
  await page.getByTestId('composer-input').fill(text)
  await page.keyboard.press('Enter')
}

/** The messages on screen: who (`me` or `other`), what, and what has become of it. */
const messages = ({ page }) => page.getByTestId('message').evaluateAll((found) => found.map((message) => [
  message.dataset.own === 'true' ? 'me' : 'other',
  message.querySelector('[data-testid=message-text]').textContent,
  message.dataset.state,
]))

const shows = ({ page }, own, text, state) =>
  page.locator(`[data-testid=message][data-own=${own}][data-state=${state}]`).filter({ hasText: text }).waitFor()

/** One has said it, and it has arrived. */
async function arrives(from, to, text) {
  await say(from, text)
  await shows(from, true, text, 'sent')
  await shows(to, false, text, 'received')
}

test('a browser without IndexedDB is told so, and what to do', { timeout }, async () => {
  const page = await anna.profile.page(service.url, (blank) =>
    blank.addInitScript(() => Object.defineProperty(window, 'indexedDB', { value: undefined })))
  await page.locator('[data-testid=error-page][data-code=indexeddb-unavailable]').waitFor()
  await page.close()
})

test('both choose a name', { timeout }, async () => {
  for (const { name, protection, page } of [anna, ben]) {
    await register(page, name, protection)
    await connection(page, 'online')
    await page.getByTestId('own-name').filter({ hasText: name }).waitFor()
  }
})

test('a name that is taken is refused', { timeout }, async () => {
  const third = new Profile()
  try {
    await third.start()
    const page = await third.page(service.url)
    await register(page, 'Anna', 'device')
    await page.getByTestId('link-code').waitFor()
  } finally {
    await third.remove()
  }
})

test('a browser that is killed right after a name was chosen still knows who it is', { timeout }, async () => {
  const carla = new Profile()
  try {
    await carla.start()
    const page = await carla.page(service.url)
    await register(page, 'Carla', 'device')
    await page.getByTestId('own-name').filter({ hasText: 'Carla' }).waitFor()
    await carla.kill()
    await carla.start()
    const again = await carla.page(service.url)
    await again.getByTestId('own-name').filter({ hasText: 'Carla' }).waitFor()
  } finally {
    await carla.remove()
  }
})

test('one makes a group and invites the other by name', { timeout }, async () => {
  await anna.page.getByTestId('new-group-button').click()
  await anna.page.getByTestId('group-name-input').fill('Mountains')
  await anna.page.getByTestId('create-group-button').click()
  await anna.page.getByTestId('members-button').click()
  await anna.page.getByTestId('invite-input').fill('Ben')
  await anna.page.getByTestId('invite-button').click()
  await anna.page.locator('[data-testid=member][data-user=Ben]').waitFor()
  await anna.page.keyboard.press('Escape')
  await ben.page.getByTestId('conversation-item').filter({ hasText: 'Mountains' }).click()
  await ben.page.getByTestId('conversation-title').filter({ hasText: 'Mountains' }).waitFor()
})

test('an invitation of nobody says so', { timeout }, async () => {
  await anna.page.getByTestId('members-button').click()
  await anna.page.getByTestId('invite-input').fill('Nobody of that name')
  await anna.page.getByTestId('invite-button').click()
  await anna.page.getByTestId('invitation-failed').waitFor()
  await anna.page.keyboard.press('Escape')
})

const conversation = ['Hello Ben', 'Hello Anna', 'Saturday?', 'Yes, at eight', '<b>not bold</b> & "quoted"']

test('they write to each other, both ways', { timeout }, async () => {
  await arrives(anna, ben, conversation[0])
  await arrives(ben, anna, conversation[1])
  await arrives(anna, ben, conversation[2])
  await arrives(ben, anna, conversation[3])
  await arrives(anna, ben, conversation[4])
  assert.deepEqual(await messages(anna), conversation.map((text, at) => at % 2 === 0 ? ['me', text, 'sent'] : ['other', text, 'received']))
  assert.deepEqual(await messages(ben), conversation.map((text, at) => at % 2 === 1 ? ['me', text, 'sent'] : ['other', text, 'received']))
})

test('a reload keeps it all, and they go on', { timeout }, async () => {
  for (const person of [anna, ben]) {
    const before = await messages(person)
    await person.page.reload()
    await connection(person.page, 'online')
    await shows(person, person === anna, conversation.at(-1), person === anna ? 'sent' : 'received')
    assert.deepEqual(await messages(person), before)
  }
  await arrives(ben, anna, 'Still there?')
  await arrives(anna, ben, 'Still here')
})

test('the browser is quit and started again, and they go on', { timeout }, async () => {
  const before = await messages(ben)
  await ben.profile.close()
  await say(anna, 'While Ben was away')
  await shows(anna, true, 'While Ben was away', 'sent')
  await ben.profile.start()
  ben.page = await ben.profile.page(service.url)
  await ben.page.getByTestId('conversation-item').filter({ hasText: 'Mountains' }).click()
  await shows(ben, false, 'While Ben was away', 'received')
  assert.deepEqual(await messages(ben), [...before, ['other', 'While Ben was away', 'received']])
  await arrives(ben, anna, 'Back again')
})

test('what is written offline waits, and goes out when online again', { timeout }, async () => {
  await anna.profile.context.setOffline(true)
  await connection(anna.page, 'offline')
  await say(anna, 'In the tunnel')
  await shows(anna, true, 'In the tunnel', 'waiting')
  await say(ben, 'Where are you?')
  await shows(ben, true, 'Where are you?', 'sent')
  // Leaves with the message still waiting.
  await anna.page.goto('about:blank')
  await anna.profile.context.setOffline(false)
  await anna.page.goto(service.url)
  await connection(anna.page, 'online')
  await anna.page.getByTestId('conversation-item').filter({ hasText: 'Mountains' }).click()
  await shows(anna, true, 'In the tunnel', 'sent')
  await shows(anna, false, 'Where are you?', 'received')
  await shows(ben, false, 'In the tunnel', 'received')
  const texts = async (person) => (await messages(person)).map(([, text]) => text)
  assert.deepEqual(await texts(anna), await texts(ben))
})

test('one leaves; both see it, and the other can go on alone', { timeout }, async () => {
  await ben.page.getByTestId('members-button').click()
  await ben.page.getByTestId('leave-button').click()
  await ben.page.getByTestId('leave-confirm').click()
  await ben.page.locator('[data-testid=read-only][data-standing=left]').waitFor()
  await anna.page.getByTestId('event-line').filter({ hasText: 'Ben' }).filter({ hasText: 'left' }).waitFor()
  await say(anna, 'Alone now')
  await shows(anna, true, 'Alone now', 'sent')
  await anna.page.getByTestId('members-button').click()
  await anna.page.locator('[data-testid=member][data-user=Anna]').waitFor()
  assert.equal(await anna.page.locator('[data-testid=member]').count(), 1)
  assert.equal((await messages(ben)).some(([, text]) => text === 'Alone now'), false)
})

test('no page had an error', () => {
  assert.deepEqual([...anna.profile.errors, ...ben.profile.errors], [])
})
