// What tests of the chat app do on its pages.

/** A passphrase that the start page takes. */
export const passphrase = 'seven green horses read slowly'

/**
 * Chooses a name on the start page, and how the browser protects what is stored.
 * @param {'passphrase' | 'passkey' | 'device' | 'plain'} protection
 */
export async function register(page, name, protection) {
  // Not before the page has settled: left while it makes a database, Chromium may keep it, and let the next one wait for it.
  await page.getByTestId('name-input').waitFor()
  if (protection === 'plain') await page.goto(`${page.url()}?plain`)
  await page.getByTestId('name-input').fill(name)
  await protect(page, protection)
  await page.getByTestId('register-button').click()
}

export async function protect(page, protection, secret = passphrase) {
  if (protection === 'plain') return
  await page.getByTestId(`protection-${protection}`).check()
  if (protection !== 'passphrase') return
  await page.getByTestId('new-passphrase-input').fill(secret)
  await page.getByTestId('passphrase-again-input').fill(secret)
}

export async function unlock(page, secret = passphrase) {
  await page.getByTestId('passphrase-input').fill(secret)
  await page.getByTestId('unlock-button').click()
}

export async function say(page, text) {
  await page.getByTestId('composer-input').fill(text)
  await page.keyboard.press('Enter')
  await shows(page, true, text, 'sent')
}

export const shows = (page, own, text, state = 'received') =>
  page.locator(`[data-testid=message][data-own=${own}][data-state=${state}]`).filter({ hasText: text }).waitFor()

export async function newGroup(page, name, people) {
  await page.getByTestId('new-group-button').click()
  await page.getByTestId('group-name-input').fill(name)
  for (const person of people) {
    await page.getByTestId('group-people-input').fill(person)
    await page.keyboard.press('Enter')
  }
  await page.getByTestId('create-group-button').click()
  await page.getByTestId('conversation-title').filter({ hasText: name }).waitFor()
  for (const person of people) await page.getByTestId('event-line').filter({ hasText: person }).waitFor()
}

export const openConversation = (page, name) => page.getByTestId('conversation-item').filter({ hasText: name }).click()
