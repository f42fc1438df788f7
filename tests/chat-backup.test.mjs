// The chat app backs up, its browser is lost, and another one restores it: the history is there, and the conversation goes on.
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { Profile } from './support/browser.mjs'
import { newGroup, openConversation, passphrase, protect, register, say, shows, unlock } from './support/chat.mjs'
import { startService } from './support/service.mjs'
import { frontendDir } from '../scripts/lib/paths.mjs'

const timeout = 120_000
const fileSecret = 'nine yellow boats drift quietly'
const words = { group: 'Numbatberge', text: 'Treffen um acht bei der Zirbelkiefer', reply: 'Ich bringe Preiselbeeren mit' }
let service
let scratch
let anna
let ben

const online = (page) => page.locator('[data-testid=connection-status][data-status=online]').waitFor({ state: 'attached' })

async function visit(profile) {
  const page = await profile.page(service.url)
  page.setDefaultTimeout(20_000)
  return page
}

async function person(name, protection) {
  const profile = await new Profile().start()
  try {
    const page = await visit(profile)
    await register(page, name, protection)
    await online(page)
    return { profile, page }
  } catch (error) {
    await profile.remove()
    throw error
  }
}

/** Makes a backup from the settings, and returns what the browser downloads: read in the page, so that no folder matters. */
async function backUp(page) {
  await page.evaluate(() => {
    // The link that the app clicks is in no document.
    const { createObjectURL } = URL
    window.made = undefined
    URL.createObjectURL = (blob) => {
      window.made = blob
      return createObjectURL.call(URL, blob)
    }
  })
  await page.getByTestId('settings-button').click()
  await page.getByTestId('storage-tab').click()
  await page.getByTestId('backup-button').click()
  await page.getByTestId('new-passphrase-input').fill(fileSecret)
  await page.getByTestId('passphrase-again-input').fill('something else than that')
  await page.getByTestId('backup-confirm').click()
  await page.getByText('The two are not the same').waitFor()
  await page.getByTestId('passphrase-again-input').fill(fileSecret)
  await page.getByTestId('backup-confirm').click()
  await page.locator('[data-testid=backup-made][data-whole=true]').waitFor()
  await page.getByTestId('backup-close').click()
  await page.keyboard.press('Escape')
  const base64 = await page.evaluate(async () => {
    const bytes = new Uint8Array(await window.made.arrayBuffer())
    window.made = undefined
    return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''))
  })
  return Buffer.from(base64, 'base64')
}

function fileOf(name, bytes) {
  const path = join(scratch, name)
  writeFileSync(path, bytes)
  return path
}

async function fillRestore(page, file, secret, protection = passphrase) {
  await page.getByTestId('restore-file-input').setInputFiles(file)
  await page.getByTestId('restore-passphrase-input').fill(secret)
  if (protection !== undefined) await protect(page, 'passphrase', protection)
}

const problem = (page, code) => page.locator(`[data-testid=restore-page][data-code=${code}]`).waitFor()

/** What there is in the browser: nothing but the note of its profile, which says that nothing was made. */
async function assertUntouched(page) {
  await page.waitForFunction(async () => (await indexedDB.databases()).length === 1)
  const profile = await page.evaluate(async () => {
    const settle = (request) => new Promise((resolve) => { request.onsuccess = () => resolve(request.result) })
    const database = await settle(indexedDB.open('chat profiles'))
    const [found] = await settle(database.transaction('profiles').objectStore('profiles').getAll())
    database.close()
    return found
  })
  assert.deepEqual(Object.keys(profile), ['id'])
}

before(async () => {
  service = await startService(join(frontendDir, 'dist'))
  scratch = mkdtempSync(join(tmpdir(), 'openmls-wasm-backup-'))
  anna = await person('Anna', 'passphrase')
  ben = await person('Ben', 'passphrase')
}, { timeout })

after(async () => {
  await anna?.profile.remove()
  await ben?.profile.remove()
  await service?.stop()
  if (scratch !== undefined) rmSync(scratch, { recursive: true, force: true })
})

describe('a backup', () => {
  let file

  test('is made from the settings', { timeout }, async () => {
    await newGroup(anna.page, words.group, ['Ben'])
    await openConversation(ben.page, words.group)
    await say(anna.page, words.text)
    await shows(ben.page, false, words.text)
    await say(ben.page, words.reply)
    await shows(anna.page, false, words.reply)
    const bytes = await backUp(anna.page)
    assert.equal(bytes.subarray(0, 8).toString(), 'OMLSSNAP')
    for (const secret of [...Object.values(words), 'Anna']) assert.equal(bytes.includes(secret), false, secret)
    file = fileOf('backup', bytes)
    assert.deepEqual(anna.profile.errors, [])
  })

  test('the browser it was made in is lost; what was said after it too', { timeout }, async () => {
    await say(anna.page, 'Das ist in keiner Sicherung')
    await shows(ben.page, false, 'Das ist in keiner Sicherung')
    await anna.profile.remove()
    await say(ben.page, 'Wo bist du?')
    anna = { profile: await new Profile().start() }
    anna.page = await visit(anna.profile)
    await anna.page.getByTestId('restore-link').click()
  })

  test('of which the passphrase is wrong, or which is cut short, changes nothing', { timeout }, async () => {
    const { page } = anna
    await page.getByTestId('restore-button').click()
    await problem(page, 'no-file')
    await fillRestore(page, fileOf('no backup', 'this is none'), fileSecret)
    await problem(page, 'snapshot-damaged')
    await fillRestore(page, file, 'not the passphrase at all')
    await page.locator('[data-testid=restore-file-info][data-kind=backup]').waitFor()
    await page.getByTestId('restore-button').click()
    await problem(page, 'unlock-failed')
    await assertUntouched(page)
    const bytes = readFileSync(file)
    await fillRestore(page, fileOf('cut', bytes.subarray(0, bytes.length - 100)), fileSecret)
    await page.getByTestId('restore-button').click()
    await problem(page, 'snapshot-damaged')
    await assertUntouched(page)
  })

  test('that was not brought back to its end leaves nothing behind', { timeout }, async () => {
    const { page } = anna
    await fillRestore(page, file, fileSecret)
    await page.getByTestId('restore-button').click()
    await page.getByTestId('restore-progress').waitFor()
    await page.waitForFunction(async () => (await indexedDB.databases()).length > 1)
    await page.reload()
    await page.getByTestId('restore-link').click()
    await assertUntouched(page)
  })

  test('brings the history back, and the conversation goes on', { timeout }, async () => {
    const { page } = anna
    await fillRestore(page, file, fileSecret)
    await page.getByTestId('restore-button').click()
    await online(page)
    assert.equal(await page.getByTestId('own-name').textContent(), 'Anna')
    await openConversation(page, words.group)
    await shows(page, true, words.text, 'sent')
    await shows(page, false, words.reply)
    await page.getByTestId('event-line').filter({ hasText: 'is back in the conversation' }).waitFor()
    await say(page, 'Ich bin wieder da')
    await shows(ben.page, false, 'Ich bin wieder da')
    await say(ben.page, 'Schön')
    await shows(page, false, 'Schön')
    for (const { page: of } of [anna, ben]) {
      await of.getByTestId('members-button').click()
      for (const name of ['Anna', 'Ben']) {
        const devices = of.locator(`[data-testid=member][data-user=${name}] [data-testid=member-device]`)
        // The list is read when the drawer opens.
        await devices.first().waitFor({ state: 'attached' })
        assert.equal(await devices.count(), 1, `${name} is one device: the old leaf is gone`)
      }
      await of.keyboard.press('Escape')
    }
    assert.equal(await page.getByTestId('put-back-banner').count(), 0)
  })

  test('can be invited to a new conversation: with key packages of this browser', { timeout }, async () => {
    await newGroup(ben.page, 'Neue Runde', ['Anna'])
    await openConversation(anna.page, 'Neue Runde')
    await say(ben.page, 'Hier auch')
    await shows(anna.page, false, 'Hier auch')
  })

  test('what was restored is protected as it was chosen, and stays', { timeout }, async () => {
    const { page } = anna
    await page.reload()
    await page.getByTestId('unlock-page').waitFor()
    await unlock(page)
    await openConversation(page, words.group)
    await shows(page, true, words.text, 'sent')
    await openConversation(ben.page, words.group)
    await say(page, 'Nach dem Neuladen')
    await shows(ben.page, false, 'Nach dem Neuladen')
    assert.deepEqual([...anna.profile.errors, ...ben.profile.errors], [])
  })
})

describe('what happened between the backup and the loss', () => {
  let file

  /** Makes a backup, lets something happen, loses the browser and restores the backup in another one. */
  async function loseAfter(meanwhile) {
    file = fileOf('later', await backUp(anna.page))
    await meanwhile()
    await anna.profile.remove()
    anna = { profile: await new Profile().start() }
    anna.page = await visit(anna.profile)
    await anna.page.getByTestId('restore-link').click()
    await fillRestore(anna.page, file, fileSecret)
    await anna.page.getByTestId('restore-button').click()
    await online(anna.page)
  }

  test('removed and added anew: joined by what the server has', { timeout }, async () => {
    await loseAfter(async () => {
      await openConversation(ben.page, words.group)
      await ben.page.getByTestId('members-button').click()
      const member = ben.page.locator('[data-testid=member][data-user=Anna]')
      await member.locator('summary').click()
      await member.getByTestId('add-anew-button').click()
      await ben.page.keyboard.press('Escape')
      await anna.page.getByTestId('event-line').filter({ hasText: 'You joined' }).waitFor()
      await say(anna.page, 'Gerade neu hinzugefügt')
      await shows(ben.page, false, 'Gerade neu hinzugefügt')
    })
    await openConversation(anna.page, words.group)
    await shows(anna.page, true, words.text, 'sent')
    await say(anna.page, 'Auch danach wieder da')
    await shows(ben.page, false, 'Auch danach wieder da')
    assert.deepEqual(anna.profile.errors, [])
  })

  test('left: the conversation is there to read, until somebody adds this device again', { timeout }, async () => {
    const group = 'Neue Runde'
    await loseAfter(async () => {
      await openConversation(anna.page, group)
      await anna.page.getByTestId('members-button').click()
      await anna.page.getByTestId('leave-button').click()
      await anna.page.getByTestId('leave-confirm').click()
      await anna.page.locator('[data-testid=read-only][data-standing=left]').waitFor()
    })
    await openConversation(anna.page, group)
    await shows(anna.page, false, 'Hier auch')
    await anna.page.locator('[data-testid=read-only][data-standing=lost]').waitFor()
    await openConversation(ben.page, group)
    await ben.page.getByTestId('members-button').click()
    await ben.page.getByTestId('invite-input').fill('Anna')
    await ben.page.keyboard.press('Enter')
    await anna.page.getByTestId('composer-input').waitFor()
    await ben.page.keyboard.press('Escape')
    await say(anna.page, 'Doch wieder')
    await shows(ben.page, false, 'Doch wieder')
    assert.deepEqual(anna.profile.errors, [])
  })

  test('nothing of it is in the clear in the folder of the profile', { timeout }, async () => {
    await anna.profile.close()
    const files = anna.profile.files()
    for (const secret of [...Object.values(words), fileSecret, passphrase]) {
      const forms = [Buffer.from(secret), Buffer.from(secret, 'utf16le')]
      assert.deepEqual(files.filter(({ bytes }) => forms.some((form) => bytes.includes(form))).map(({ path }) => path), [], secret)
    }
  })
})
