/** Sharing by members, in real browsers: founding, inviting, joining, roles, removal, and what goes wrong. */
import { expect, test } from 'vitest'
import { type AppWindow, converge, eventually } from './app-window.ts'
import { devices } from './devices.ts'

const { server, newContext, at, open, joined } = devices()

const memberOf = async (window: AppWindow, name: string) => {
  const dialog = await window.people()
  return dialog.getByRole('list', { name: 'Members' }).getByRole('listitem').filter({ hasText: name }).first()
}
const closeDialog = ({ page }: AppWindow) => page.getByRole('dialog').getByRole('button', { name: 'Close' }).click()

test('a space is founded, a person is invited and writes along, and each sees who the other is', {
  timeout: 60_000,
}, async () => {
  const a = await open(await newContext())
  await a.nameMe('Ada')
  await a.add('Rig the mast')
  const invitation = await a.invite('Writer')
  const context = await newContext()
  const b = await at(context, invitation)
  await b.asks('You are invited')
  expect(b.page.url()).not.toContain('join')
  expect(await b.page.evaluate(() => window.driftlog === undefined)).toBe(true)
  await b.join()
  await b.shows('Rig the mast')
  await b.nameMe('Ben')
  await b.add('Paint the hull')
  await a.shows('Paint the hull')
  await converge(a, b)
  for (const [window, name, role] of [
    [a, 'Ben', 'Writer'],
    [b, 'Ada', 'Admin'],
  ] as const) {
    const dialog = await window.people()
    await dialog.getByText(name, { exact: true }).waitFor()
    expect(await dialog.getByRole('list', { name: 'Members' }).textContent()).toContain(role)
    expect(await dialog.getByText('you', { exact: true }).count()).toBe(1)
    await closeDialog(window)
  }
  // Only an admin lets others in; everybody adds devices of their own.
  const dialog = await b.people()
  expect(await dialog.getByRole('button', { name: 'Invite a person' }).count()).toBe(0)
  expect(await dialog.getByRole('combobox').count()).toBe(0)
  await closeDialog(b)
  const phone = await joined(await newContext(), await b.inviteMyDevice())
  await phone.shows('Paint the hull')
  await (await memberOf(a, 'Ben')).getByText('2 devices').waitFor()
  await closeDialog(a)

  // The link is used up: it says so, and there is a way out.
  const late = await at(await newContext(), invitation)
  await late.asks('You are invited')
  await late.page.getByRole('button', { name: 'Join' }).click()
  await late.page.getByRole('alert').filter({ hasText: 'lets nobody in any more' }).waitFor()
  await late.page.getByRole('button', { name: 'Go on without it' }).click()
  await late.asks('This space has members')
  // Who comes without any link is told the same.
  const stranger = await at(await newContext())
  await stranger.asks('This space has members')
  const seen = (await stranger.page.textContent('body')) ?? ''
  for (const secret of ['Rig the mast', 'Ada', 'Home']) expect(seen).not.toContain(secret)
  const field = stranger.page.getByRole('textbox', { name: 'Invitation' })
  await field.fill(invitation.slice(0, -4))
  await stranger.page.getByRole('button', { name: 'Join' }).click()
  await stranger.page.getByRole('alert').filter({ hasText: 'no whole key' }).waitFor()
  await field.fill(await a.invite('Reader'))
  await stranger.page.keyboard.press('Enter')
  await stranger.join()
  await stranger.shows('Rig the mast')
  // From now on by itself, in every window of this browser; a link that it needs not is left alone.
  await b.reload()
  await b.shows('Rig the mast')
  const unused = await a.invite('Reader')
  await b.page.goto(unused)
  await b.asks('This browser is in the space already')
  await b.page.getByRole('button', { name: 'Open the space' }).click()
  await b.isReady()
  await joined(await newContext(), unused)
})

test('a reader reads and cannot write, until an admin says so', { timeout: 60_000 }, async () => {
  const a = await open(await newContext())
  await a.add('Rig the mast')
  const b = await joined(await newContext(), await a.invite('Reader'))
  await b.shows('Rig the mast')
  await b.page.getByText('You can read this space.').waitFor()
  expect(await b.page.getByRole('textbox', { name: 'New task' }).count()).toBe(0)
  expect(await b.task('Rig the mast').getByRole('checkbox').isDisabled()).toBe(true)
  await b.page.getByRole('button', { name: 'Open Rig the mast', exact: true }).focus()
  for (const key of ['x', 'e', 'Delete', 'Enter']) await b.page.keyboard.press(key)
  for (const field of ['Title', 'Notes'])
    expect(await b.details.getByRole('textbox', { name: field }).isDisabled()).toBe(true)
  await b.shows('Rig the mast')

  await a.page.getByRole('button', { name: 'People and devices' }).click()
  await a.page.getByRole('combobox', { name: /^Role of Member/ }).selectOption('Writer')
  // The last admin stays one.
  await a.page.getByRole('combobox', { name: 'Role of You' }).selectOption('Reader')
  await a.page.getByRole('alert').filter({ hasText: 'Make somebody else one first' }).waitFor()
  await closeDialog(a)
  await b.add('Paint the hull')
  await a.shows('Paint the hull')
  await converge(a, b)
})

test('who is removed sees it, keeps what is there, backs it up, and comes in again by another invitation', {
  timeout: 90_000,
}, async () => {
  const a = await open(await newContext())
  await a.add('Rig the mast')
  const there = await newContext()
  const b = await joined(there, await a.invite('Writer'))
  await b.nameMe('Ben')
  await converge(a, b)
  const ben = await memberOf(a, 'Ben')
  await ben.getByRole('button', { name: 'Remove Ben' }).click()
  await a.page.getByText('What they have seen they keep').waitFor()
  await a.page.getByRole('button', { name: 'Keep' }).click()
  await ben.getByRole('button', { name: 'Remove Ben' }).click()
  await a.page.getByRole('dialog').getByRole('button', { name: 'Remove Ben' }).click()
  await eventually(() => a.page.getByRole('list', { name: 'Members' }).getByText('Ben').count()).toBe(0)
  await closeDialog(a)
  await a.add('Not for Ben')

  await b.page.getByText('You are not a member of this space any more.').waitFor()
  await b.shows('Rig the mast')
  await b.lacks('Not for Ben')
  expect(await b.page.getByRole('textbox', { name: 'New task' }).count()).toBe(0)
  await b.page.getByRole('alert').getByRole('button', { name: 'Back up' }).click()
  await b.page.getByLabel('Passphrase of the backup').fill('correct horse')
  await b.page.getByLabel('Once more').fill('correct horse')
  const download = b.page.waitForEvent('download')
  await b.page.getByRole('button', { name: 'Download the backup' }).click()
  expect((await download).suggestedFilename()).toMatch(/^demo-.*\.driftlog$/)

  await b.page.goto(await a.invite('Reader'))
  await b.asks('Remove what is here, and join?')
  await b.page.getByText('nobody can say').waitFor()
  await b.page.getByRole('button', { name: 'Remove it and join' }).click()
  await b.isReady()
  await b.shows('Not for Ben')
  await converge(a, b)
})

test('an invitation that is taken back lets nobody in; a device that is taken out is out', {
  timeout: 60_000,
}, async () => {
  const a = await open(await newContext())
  const [withdrawn, mine] = [await a.invite('Admin'), await a.inviteMyDevice()]
  const phone = await joined(await newContext(), mine)
  await phone.add('From the phone')
  await a.shows('From the phone')
  const dialog = await a.people()
  await dialog.getByRole('button', { name: 'Take back the invitation: Admin' }).click()
  await eventually(() => dialog.getByRole('heading', { name: 'Open invitations' }).count()).toBe(0)
  const late = await at(await newContext(), withdrawn)
  await late.page.getByRole('button', { name: 'Join' }).click()
  await late.page.getByRole('alert').filter({ hasText: 'taken back' }).waitFor()

  await dialog.getByText('2 devices').click()
  await dialog.getByRole('button', { name: /^Take out/ }).click()
  await a.page.getByRole('button', { name: 'Take it out' }).click()
  await dialog.getByText('1 device').waitFor()
  await closeDialog(a)
  await phone.page.getByText('You are not a member of this space any more.').waitFor()

  // Without the server nobody changes the members.
  await a.setOnline(false)
  await a.page.getByRole('button', { name: 'People and devices' }).click()
  await a.page.getByRole('button', { name: 'Add another device of mine' }).click()
  await a.page.getByRole('alert').filter({ hasText: 'needs the server' }).waitFor()
})

test('a join that was cut off goes on, in whatever window', { timeout: 60_000 }, async () => {
  const a = await open(await newContext())
  await a.add('Rig the mast')
  const invitation = await a.invite('Writer')
  const context = await newContext()
  const b = await at(context, invitation)
  await b.asks('You are invited')
  await server().kill()
  await b.page.getByRole('button', { name: 'Join' }).click()
  await b.page.getByRole('alert').filter({ hasText: 'needs the server' }).waitFor()
  await server().start()
  // Without the link in the address, in this window and in another one at the same time.
  const [beside] = await Promise.all([at(context), b.page.reload()])
  await Promise.all([b.isReady(), beside.isReady()])
  await Promise.all([b.shows('Rig the mast'), beside.shows('Rig the mast')])
  await beside.add('From beside')
  await b.shows('From beside')
  await a.tryNow()
  await converge(a, b, beside)
  await (await memberOf(a, 'Member')).waitFor()
  expect(await a.page.getByRole('list', { name: 'Members' }).locator('> li').count()).toBe(2)
})

test('of two that begin the same space the server takes the first; the other loses nothing, and comes over', {
  timeout: 90_000,
}, async () => {
  const alone = await newContext()
  const b = await open(alone)
  await b.isInstalled()
  const a = await joined(await newContext(), await b.invite('Admin'))
  // What it knew of the space is gone; what it needs to start is not.
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
  await b.add('Written alone')

  await a.add('Rig the mast')
  await alone.setOffline(false)
  await b.page.getByText('This space was begun elsewhere first.').waitFor()
  await b.shows('Written alone')
  await b.add('Kept here')
  await b.page.getByRole('alert').getByRole('button', { name: 'Back up' }).waitFor()

  await b.page.goto(await a.invite('Writer'))
  await b.asks('Remove what is here, and join?')
  await b.page.getByText('nobody can say').waitFor()
  await b.page.getByRole('button', { name: 'Keep what is here' }).click()
  await b.isReady()
  await b.shows('Kept here')
  await b.page.goto(await a.invite('Writer'))
  await b.page.getByRole('button', { name: 'Remove it and join' }).click()
  await b.isReady()
  await b.shows('Rig the mast')
  await b.lacks('Kept here')
  await converge(a, b)
})
