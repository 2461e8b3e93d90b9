/** The app in a real browser, against a real server in a process of its own. Two contexts are two devices. */
import { mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { converge, eventually } from './app-window.ts'
import { BrowserProcess } from './chromium.ts'
import { devices } from './devices.ts'

const { folder, executable, server, newContext, open, newDevice } = devices()

test('two devices that edited offline converge, and nothing that was written is lost', {
  timeout: 60_000,
}, async () => {
  const [a, b] = [await newDevice(), await newDevice()]
  for (const title of ['Paint the boat', 'Wash the sails', 'Sell the trailer']) await a.add(title)
  for (const title of ['Paint the boat', 'Wash the sails', 'Sell the trailer']) await b.shows(title)
  await Promise.all([a.setOnline(false), b.setOnline(false)])

  // The same task, different fields: both stay.
  await a.rename('Paint the boat', 'Paint the old boat')
  await b.openTask('Paint the boat')
  await b.details.getByRole('combobox', { name: 'Priority' }).selectOption('High')
  // The same field: one is shown, both are kept.
  await a.rename('Wash the sails', 'Wash both sails')
  await b.rename('Wash the sails', 'Wash the sails with soap')
  // A delete against an edit: the edit wins, as the schema says.
  await a.delete('Sell the trailer')
  await b.writeNotes('Sell the trailer', 'Someone called about it.')
  await b.lacks('Paint the old boat')

  await Promise.all([a.setOnline(true), b.setOnline(true)])
  await converge(a, b)
  await Promise.all([a, b].map((device) => device.says('conflict')))

  for (const device of [a, b]) {
    await device.openTask('Paint the old boat')
    const priority = device.details.getByRole('combobox', { name: 'Priority' })
    await eventually(() => priority.inputValue()).toBe('3')
    await device.openTask('Sell the trailer')
    const notes = device.details.getByRole('textbox', { name: 'Notes' })
    await eventually(() => notes.inputValue()).toBe('Someone called about it.')
  }

  // B wrote later, so that is what both show meanwhile; a person prefers the other, and that settles it on both.
  for (const device of [a, b]) {
    await device.openTask('Wash the sails with soap')
    const versions = device.conflict('Title').getByRole('radiogroup').locator('label')
    await eventually(() => versions.count()).toBe(3)
    expect(await versions.first().textContent()).toContain('Wash the sails with soap')
  }
  await a.choose('Title', 'Wash both sails')
  for (const device of [a, b]) {
    await device.shows('Wash both sails')
    await eventually(() => device.conflict('Title').count()).toBe(0)
    await device.says('up-to-date')
  }
  await converge(a, b)
})

test('a start without any network shows everything, and what is written then arrives later', {
  timeout: 60_000,
}, async () => {
  const context = await newContext()
  const a = await open(context)
  await a.add('Read the chart')
  await a.tick('Read the chart')
  await a.add('Pack the lamp')
  await a.isInstalled()
  await converge(a)
  const before = await a.digest()

  await server().kill()
  await context.setOffline(true)
  await a.reload()
  await a.says('offline')
  await a.shows('Pack the lamp')
  expect(await a.digest()).toBe(before)
  await a.page.getByRole('radio', { name: 'All' }).check()
  await a.isTicked('Read the chart')

  await a.add('Written on the way')
  await a.isStored()
  await a.reload()
  await a.shows('Written on the way')
  await a.page.getByRole('searchbox', { name: 'Search all tasks' }).fill('WAY wri')
  await a.shows('Written on the way')
  await a.lacks('Pack the lamp')

  await server().start()
  await context.setOffline(false)
  const b = await newDevice()
  await b.shows('Written on the way')
  await a.tryNow()
  await converge(a, b)
})

test('a window that is closed while one types asks first; then the words are stored', { timeout: 60_000 }, async () => {
  const context = await newContext()
  const a = await open(context)
  await a.add('Call the harbour')
  await a.openTask('Call the harbour')
  const asked = a.page.waitForEvent('dialog')
  await a.details.getByRole('textbox', { name: 'Notes' }).pressSequentially('Berth 7')
  await a.page.close({ runBeforeUnload: true })
  const dialog = await asked
  expect(dialog.type()).toBe('beforeunload')
  await dialog.dismiss()

  await a.isStored()
  const closed = a.page.waitForEvent('close')
  await a.page.close({ runBeforeUnload: true })
  await closed
  const b = await open(context)
  await b.openTask('Call the harbour')
  await eventually(() => b.details.getByRole('textbox', { name: 'Notes' }).inputValue()).toBe('Berth 7')
})

test('the server is killed and started again in the middle: nothing is lost, nothing doubles', {
  timeout: 60_000,
}, async () => {
  const [a, b] = [await newDevice(), await newDevice()]
  const titles = Array.from({ length: 12 }, (_, index) => `Knot ${index + 1}`)
  const killing = a.shows('Knot 3').then(() => server().kill())
  for (const [index, title] of titles.entries()) await (index % 2 === 0 ? a : b).add(title)
  await killing
  await Promise.all([a.says('offline'), b.says('offline')])
  await a.add('While it was down')

  await server().start()
  await Promise.all([a.tryNow(), b.tryNow()])
  for (const device of [a, b]) for (const title of [...titles, 'While it was down']) await device.shows(title)
  await converge(a, b)
})

test('two tabs share the storage and are two devices; each shows what the other stored', {
  timeout: 60_000,
}, async () => {
  const context = await newContext()
  const [a, b] = [await open(context), await open(context)]
  expect(await a.device()).not.toBe(await b.device())
  await a.add('From the first tab')
  await b.shows('From the first tab')

  // Also where no server helps.
  await server().kill()
  await Promise.all([a.says('offline'), b.says('offline')])
  await b.add('From the second tab')
  await a.shows('From the second tab')
  await a.tick('From the second tab')
  await b.lacks('From the second tab')
  await b.page.getByRole('radio', { name: 'All' }).check()
  await b.isTicked('From the second tab')
  await eventually(async () => (await a.digest()) === (await b.digest())).toBe(true)

  // What the closed tab wrote reaches the server by the one that stays.
  await a.isStored()
  await a.page.close()
  await server().start()
  await b.tryNow()
  const c = await newDevice()
  await c.page.getByRole('radio', { name: 'All' }).check()
  await c.isTicked('From the second tab')
  await converge(b, c)
})

test('the browser is killed: what was stored is there again, and continues the same log', {
  timeout: 60_000,
}, async () => {
  const killed = new BrowserProcess(executable(), await mkdtemp(join(folder(), 'profile-')))
  try {
    let window = await open(await killed.start())
    await window.isInstalled()
    await window.setOnline(false)
    await window.add('Stored before the kill')
    await window.isStored()
    const [device, digest] = [await window.device(), await window.digest()]
    await killed.kill()

    window = await open(await killed.start())
    await window.shows('Stored before the kill')
    expect(await window.digest()).toBe(digest)
    expect(await window.device()).toBe(device)
    await window.add('Written after it')
    await converge(window, await newDevice())
  } finally {
    await killed.kill()
  }
})
