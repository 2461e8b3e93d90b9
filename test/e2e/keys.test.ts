/** The app's keys in a real browser: what nobody without the key sees, and how people keep theirs. */
import { newSpaceKey } from '@driftlog/client'
import type { BrowserContext } from 'playwright-core'
import { expect, test } from 'vitest'
import { type AppWindow, converge } from './app-window.ts'
import { damageRecord, storedBytes } from './browser-storage.ts'
import { devices } from './devices.ts'

const { server, newContext, at, open, joined } = devices()

/** A space without members, as they were before there were any: begun with the key of a link. */
const begin = async (context: BrowserContext): Promise<AppWindow> =>
  open(context, `${server().url}/#key=${newSpaceKey()}`)

const keyOf = (link: string): string => new URL(link).hash.slice('#key='.length)
/** The 32 bytes themselves, behind their checksum. */
const bytesOf = (key: string): Buffer => Buffer.from(key.slice('dlk1-'.length), 'base64url').subarray(4)

const codeIn = (invitation: string): string => new URL(invitation).hash.slice('#join='.length)
/** Behind the checksum and the hash that names the space. */
const secretOf = (code: string): Buffer => Buffer.from(code.slice('dlv1-'.length), 'base64url').subarray(4 + 32)

/** Everything that goes over the sockets of a context's pages. */
const listenIn = (context: BrowserContext): Buffer[] => {
  const frames: Buffer[] = []
  const note = ({ payload }: { payload: string | Buffer }) => void frames.push(Buffer.from(payload))
  context.on('page', (page) => page.on('websocket', (socket) => socket.on('framesent', note).on('framereceived', note)))
  return frames
}

// Short: what is written in one go below 400 bytes is not compressed, and would be found.
const PLANTED = 'Buy a ring for Ada'

test('[KEY4] [KEY6] what is typed is in no byte of the browser, the wire or the server, and the second device shows it', {
  timeout: 60_000,
}, async () => {
  const [here, there] = [await newContext(), await newContext()]
  const frames = [listenIn(here), listenIn(there)]
  const a = await open(here)
  await a.add(PLANTED)
  await converge(a)
  const link = await a.inviteMyDevice()
  const b = await joined(there, link)
  await b.shows(PLANTED)
  await b.add('Hide the ring')
  await a.shows('Hide the ring')
  await converge(a, b)
  await Promise.all([a.isStored(), b.isStored()])
  // The address forgets the key at once.
  for (const { page } of [a, b]) expect(page.url()).not.toContain('join')

  const [storedHere, storedThere, disk] = await Promise.all([
    storedBytes(a.page),
    storedBytes(b.page),
    server().bytes(),
  ])
  const wire = frames.map((sent) => Buffer.concat(sent))
  // All of them hold what is not secret.
  for (const bytes of [storedHere, storedThere, disk, ...wire]) expect(bytes.includes('demo')).toBe(true)
  for (const bytes of [storedHere, storedThere, disk, ...wire]) {
    for (const secret of [PLANTED, 'Hide the ring']) {
      expect(bytes.includes(secret)).toBe(false)
      expect(bytes.includes(Buffer.from(secret, 'utf16le'))).toBe(false)
    }
  }
  for (const bytes of [disk, ...wire]) {
    for (const secret of [codeIn(link), secretOf(codeIn(link))]) expect(bytes.includes(secret)).toBe(false)
  }
})

test('[KEY5] without the link there is a locked screen and nothing else; the link opens it, half of it does not', {
  timeout: 60_000,
}, async () => {
  const a = await begin(await newContext())
  await a.add(PLANTED)
  await converge(a)
  const link = await a.keyLink()

  const c = await at(await newContext())
  await c.asks('This space is locked')
  const seen = (await c.page.textContent('body')) ?? ''
  for (const secret of [PLANTED, 'Home', 'Water the plants']) expect(seen).not.toContain(secret)
  expect(await c.page.evaluate(() => window.driftlog === undefined)).toBe(true)
  const field = c.page.getByRole('textbox', { name: 'Link or key' })
  for (const [typed, told] of [
    [link.slice(0, -2), 'no whole key'],
    [newSpaceKey(), 'opens nothing'],
  ] as const) {
    await field.fill(typed)
    await c.page.getByRole('button', { name: 'Open' }).click()
    await c.page.getByRole('alert').filter({ hasText: told }).waitFor()
  }
  await field.fill(link)
  await c.page.keyboard.press('Enter')
  await c.isReady()
  await c.shows(PLANTED)
  // From now on by itself.
  await c.reload()
  await c.shows(PLANTED)
  await converge(a, c)
})

test('another link asks before it replaces a key, and does so only if it opens something', {
  timeout: 60_000,
}, async () => {
  const context = await newContext()
  const a = await begin(context)
  await a.add(PLANTED)
  await converge(a)
  const link = await a.keyLink()
  const foreign = `${server().url}/#key=${newSpaceKey()}`

  // Over the address of the open app, and in a new window.
  await a.page.goto(foreign)
  await a.asks('The link has another key')
  expect(a.page.url()).not.toContain('key')
  await a.page.getByRole('button', { name: 'Open with my key' }).click()
  await a.isReady()
  await a.shows(PLANTED)
  await a.page.goto(link.slice(0, -5))
  await a.asks('This link is not whole')
  await a.page.getByRole('button', { name: 'Go on without it' }).click()
  await a.isReady()

  // Who began alone, without having seen that the space had begun, comes over to it.
  const alone = await newContext()
  let b = await open(alone, link)
  await b.isInstalled()
  await b.page.goto('about:blank')
  await alone.setOffline(true)
  await b.page.goto(`${server().url}/icon.svg`)
  await b.page.evaluate(
    () =>
      new Promise<void>((resolve) => {
        indexedDB.deleteDatabase('driftlog-space-demo').onsuccess = () => resolve()
      }),
  )
  await b.page.goto(server().url)
  await b.asks('The server does not answer')
  await b.page.getByRole('button', { name: 'begin a new space' }).click()
  await b.isReady()
  await b.lacks(PLANTED)
  await alone.setOffline(false)
  await b.page.close()
  b = await at(alone, link)
  await b.asks('The link has another key')
  await b.page.getByRole('button', { name: 'Remove it and use the link' }).click()
  await b.isReady()
  await b.shows(PLANTED)
})

test('[KEY2] a passphrase protects the key: a wrong one is told, the recovery code opens it too, and every window locks', {
  timeout: 90_000,
}, async () => {
  const context = await newContext()
  const a = await begin(context)
  await a.add(PLANTED)
  const key = keyOf(await a.keyLink())
  expect((await storedBytes(a.page)).includes(key)).toBe(true)
  const beside = await open(context)
  await a.page.bringToFront()
  const choose = async ({ page }: AppWindow, passphrase: string, again = passphrase) => {
    await page.getByRole('textbox', { name: 'New passphrase' }).fill(passphrase)
    await page.getByRole('textbox', { name: 'Once more' }).fill(again)
    await page.keyboard.press('Enter')
  }
  const unlock = async ({ page }: AppWindow, passphrase: string) => {
    await page.getByLabel('Passphrase', { exact: true }).fill(passphrase)
    await page.getByRole('button', { name: 'Unlock' }).click()
  }

  await a.page.getByRole('button', { name: 'no passphrase' }).click()
  await a.page.getByRole('button', { name: 'Protect with a passphrase' }).click()
  await choose(a, 'correct horse', 'correct house')
  await a.page.getByRole('alert').filter({ hasText: 'not the same' }).waitFor()
  await choose(a, 'correct horse')
  await a.page.getByRole('checkbox', { name: 'I wrote it down' }).waitFor()
  const code = (await a.page.getByLabel('Recovery code', { exact: true }).locator('span').allTextContents()).join(' ')
  expect(code).toMatch(/^(\w{4} ){7}\w{4}$/)
  // It does not go away by accident.
  for (let times = 0; times < 2; times++) await a.page.keyboard.press('Escape')
  expect(await a.page.getByRole('button', { name: 'Done' }).isDisabled()).toBe(true)
  await a.page.getByRole('checkbox', { name: 'I wrote it down' }).check()
  await a.page.getByRole('button', { name: 'Done' }).click()
  await a.page.getByRole('button', { name: 'passphrase set' }).waitFor()
  await beside.asks('Your tasks are locked')
  const stored = await storedBytes(a.page)
  expect([stored.includes(key), stored.includes(bytesOf(key)), stored.includes('correct horse')]).toEqual([
    false,
    false,
    false,
  ])

  await a.page.reload()
  await a.asks('Your tasks are locked')
  expect(await a.page.textContent('body')).not.toContain(PLANTED)
  await unlock(a, 'correct house')
  await a.page.getByRole('alert').filter({ hasText: 'That is not the passphrase' }).waitFor()
  await unlock(a, 'correct horse')
  await a.isReady()
  await a.shows(PLANTED)

  await a.page.getByRole('button', { name: 'passphrase set' }).click()
  await a.page.getByRole('button', { name: 'Lock now' }).click()
  await a.asks('Your tasks are locked')
  await a.page.getByRole('button', { name: 'Use the recovery code' }).click()
  await a.page.getByRole('textbox', { name: 'Recovery code' }).fill(code.toLowerCase())
  await a.page.keyboard.press('Enter')
  await a.asks('Choose a new passphrase')
  await choose(a, 'battery staple')
  await a.isReady()
  await a.shows(PLANTED)

  await a.page.reload()
  await unlock(a, 'correct horse')
  await a.page.getByRole('alert').filter({ hasText: 'That is not the passphrase' }).waitFor()
  await unlock(a, 'battery staple')
  await a.isReady()
})

test('[KEY3] damaged keys are told as such, and the link of another device brings everything back', {
  timeout: 60_000,
}, async () => {
  const a = await begin(await newContext())
  await a.add(PLANTED)
  await converge(a)
  const link = await a.keyLink()
  const b = await open(await newContext(), link)
  await b.shows(PLANTED)
  await damageRecord(b.page, 'demo', 'keys')
  await b.page.reload()
  await b.asks('The keys on this device are damaged')
  await b.page.getByText('Everything that was written on this device is at the server.').waitFor()
  await b.page.getByRole('textbox', { name: 'Link or key' }).fill(link)
  await b.page.getByRole('button', { name: 'Remove and fetch again' }).click()
  await b.isReady()
  await b.shows(PLANTED)
  await converge(a, b)
})
