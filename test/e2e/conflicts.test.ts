/** What people see of a conflict, on two devices in a real browser: both values, the decision of a person, and the way back. */
import { expect, test } from 'vitest'
import { type AppWindow, converge, eventually } from './app-window.ts'
import { devices } from './devices.ts'

const { newDevice } = devices()

const notesOf = (device: AppWindow) => device.details.getByRole('textbox', { name: 'Notes', exact: true })

test('[CONF3] [CONF4] two people write a manual field: both see both, one combines and says why, and takes it back', {
  timeout: 90_000,
}, async () => {
  const [a, b] = [await newDevice(), await newDevice()]
  await Promise.all([a.nameMe('Ada'), b.nameMe('Ben')])
  await a.add('Cook for Sunday')
  await a.writeNotes('Cook for Sunday', 'soup\nbread')
  await b.openTask('Cook for Sunday')
  await eventually(() => notesOf(b).inputValue()).toBe('soup\nbread')
  await Promise.all([a.setOnline(false), b.setOnline(false)])
  await a.writeNotes('Cook for Sunday', 'soup\nbread\nplum cake')
  await b.writeNotes('Cook for Sunday', 'tomato soup\nbread')
  await Promise.all([a.setOnline(true), b.setOnline(true)])
  await converge(a, b)

  // What comes in while a task is open waits behind a button; the sidebar leads to it as well.
  for (const device of [a, b]) await device.says('conflict')
  await a.details.getByRole('button', { name: '1 to decide' }).click()
  await b.page.getByRole('button', { name: 'Close details' }).click()
  await b.page.getByRole('button', { name: 'To decide, 1 open' }).click()
  await b.openTask('Cook for Sunday')
  for (const [device, other] of [
    [a, 'Ben'],
    [b, 'Ada'],
  ] as const) {
    const text = await device.conflict('Notes').textContent()
    for (const part of ['plum cake', 'tomato soup', 'you', other, 'just now']) expect(text).toContain(part)
  }

  const form = a.conflict('Notes')
  await form.getByRole('radio', { name: 'Combine them' }).check()
  const editor = form.getByRole('textbox', { name: 'Notes, combined' })
  expect((await editor.inputValue()).split('\n').toSorted()).toEqual(['bread', 'plum cake', 'soup', 'tomato soup'])
  await editor.fill('tomato soup\nbread\nplum cake')
  await form.getByRole('textbox', { name: 'Reason (optional)' }).fill('There are six of us')
  await form.getByRole('button', { name: 'Decide' }).click()

  for (const [device, who] of [
    [a, 'you'],
    [b, 'Ada'],
  ] as const) {
    await device.decision('Notes').waitFor()
    const text = await device.decision('Notes').textContent()
    for (const part of [`decided by ${who}`, 'just now', 'plum cake', 'There are six of us']) {
      expect(text).toContain(part)
    }
    expect(await notesOf(device).inputValue()).toBe('tomato soup\nbread\nplum cake')
    await device.says('up-to-date')
  }
  await converge(a, b)

  // The other one disagrees.
  await b.details.getByRole('button', { name: 'Undo the decision about Notes' }).click()
  for (const device of [a, b]) {
    await device.conflict('Notes').waitFor()
    const text = await device.conflict('Notes').textContent()
    for (const part of ['plum cake', 'tomato soup']) expect(text).toContain(part)
    await device.says('conflict')
  }
  await converge(a, b)
  await b.choose('Notes', 'tomato soup')
  for (const device of [a, b]) {
    await device.conflict('Notes').waitFor({ state: 'detached' })
    await eventually(() => notesOf(device).inputValue()).toBe('tomato soup\nbread')
    await device.says('up-to-date')
  }
  await converge(a, b)
})

test('[CELL2] what comes in while somebody types is a conflict, and typing on does not settle it', {
  timeout: 60_000,
}, async () => {
  const [a, b] = [await newDevice(), await newDevice()]
  await a.add('Paint the door')
  await b.shows('Paint the door')
  await a.openTask('Paint the door')
  const title = a.details.getByRole('textbox', { name: 'Title', exact: true })
  await title.press('End')
  await title.pressSequentially(' green')
  await b.rename('Paint the door', 'Paint the gate')
  await eventually(async () => (await a.page.textContent('body'))?.includes('Paint the gate')).toBe(true)
  expect(await title.inputValue()).toBe('Paint the door green')
  await title.pressSequentially(', twice')
  await title.press('Enter')

  for (const device of [a, b]) await device.says('conflict')
  // Another edit replaces what is shown, and not what waits beside it.
  await a.rename('Paint the door green, twice', 'Paint the door green')
  await converge(a, b)
  await a.details.getByRole('button', { name: '1 to decide' }).click()
  const text = await a.conflict('Title').textContent()
  for (const part of ['Paint the door green', 'Paint the gate']) expect(text).toContain(part)
  expect(text).not.toContain('twice')
})

test('[UNDO1] undo and redo take back what was done here and leave what others did', { timeout: 60_000 }, async () => {
  const [a, b] = [await newDevice(), await newDevice()]
  await a.add('Clean the shed')
  await b.openTask('Clean the shed')
  await a.openTask('Clean the shed')
  await a.details.getByRole('combobox', { name: 'Priority' }).selectOption('High')
  await a.details.getByRole('textbox', { name: 'New tag' }).fill('home')
  await a.page.keyboard.press('Enter')
  await b.details.getByRole('group', { name: 'Tags' }).getByText('home').waitFor()
  await b.details.getByRole('textbox', { name: 'New tag' }).fill('spring')
  await b.page.keyboard.press('Enter')
  await a.details.getByRole('group', { name: 'Tags' }).getByText('spring').waitFor()

  await a.page.getByRole('button', { name: 'Undo', exact: true }).click()
  await a.details.getByRole('group', { name: 'Tags' }).getByText('home').waitFor({ state: 'detached' })
  expect(await a.details.getByRole('group', { name: 'Tags' }).getByText('spring').count()).toBe(1)
  // Where a field has no undo of its own, the key is the app's.
  await a.details.getByRole('combobox', { name: 'Priority' }).focus()
  await a.page.keyboard.press('Control+z')
  await eventually(() => b.details.getByRole('combobox', { name: 'Priority' }).inputValue()).toBe('0')
  await a.page.keyboard.press('Control+Shift+z')
  await a.page.getByRole('button', { name: 'Redo', exact: true }).click()
  await b.details.getByRole('group', { name: 'Tags' }).getByText('home').waitFor()
  await eventually(() => b.details.getByRole('combobox', { name: 'Priority' }).inputValue()).toBe('3')
  await converge(a, b)
})

test('[CELL3] [CELL11] steps that two people add, move and tick at once are there once each, on both', {
  timeout: 60_000,
}, async () => {
  const [a, b] = [await newDevice(), await newDevice()]
  await a.add('Pack for the coast')
  await a.openTask('Pack for the coast')
  const steps = (device: AppWindow) => device.details.getByRole('region', { name: 'Steps' })
  const addStep = async (device: AppWindow, text: string): Promise<void> => {
    await steps(device).getByRole('textbox', { name: 'New step' }).fill(text)
    await device.page.keyboard.press('Enter')
    await steps(device).getByRole('checkbox', { name: text }).waitFor()
  }
  for (const text of ['tent', 'stove', 'lamp']) await addStep(a, text)
  await b.openTask('Pack for the coast')
  await steps(b).getByRole('checkbox', { name: 'lamp' }).waitFor()
  await Promise.all([a.setOnline(false), b.setOnline(false)])
  await steps(a).getByRole('button', { name: 'Move lamp up' }).click()
  await addStep(a, 'matches')
  await steps(b).getByRole('button', { name: 'Move lamp up' }).click()
  await steps(b).getByRole('checkbox', { name: 'lamp' }).check()
  await addStep(b, 'rope')
  await Promise.all([a.setOnline(true), b.setOnline(true)])
  await converge(a, b)
  for (const device of [a, b]) {
    const words = async () => (await steps(device).getByRole('listitem').allTextContents()).toSorted()
    await eventually(words).toEqual(['lamp', 'matches', 'rope', 'stove', 'tent'])
    await eventually(() => steps(device).getByRole('checkbox', { name: 'lamp' }).isChecked()).toBe(true)
    expect((await steps(device).getByRole('listitem').allTextContents())[1]).toBe('lamp')
  }
})
