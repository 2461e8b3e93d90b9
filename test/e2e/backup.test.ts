/** Backups in a real browser: what one device wrote opens on another by a file and a passphrase alone. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { newSpaceKey } from '@driftlog/client'
import { expect, test } from 'vitest'
import { type AppWindow, converge } from './app-window.ts'
import { devices } from './devices.ts'

const { folder, server, newContext, at, open } = devices()

const PLANTED = 'Buy a ring for Ada'
const PASSPHRASE = 'correct horse battery staple'

/** Presses a button of the dialog; resolves with the file that is downloaded, saved under its own name. */
const downloaded = async ({ page }: AppWindow, button: string): Promise<string> => {
  const coming = page.waitForEvent('download')
  await page.getByRole('dialog').getByRole('button', { name: button }).click()
  const download = await coming
  const path = join(folder(), download.suggestedFilename())
  await download.saveAs(path)
  return path
}

test('[BACK1] [BACK2] a backup opens on a device that never saw the link, by its passphrase and no other', {
  timeout: 90_000,
}, async () => {
  const a = await open(await newContext(), `${server().url}/#key=${newSpaceKey()}`)
  await a.add(PLANTED)
  const backUp = a.page.getByRole('button', { name: 'Back up' })
  await backUp.click()
  const field = a.page.getByLabel('Passphrase of the backup')
  await field.fill(PASSPHRASE)
  await a.page.getByLabel('Once more').fill('correct house')
  await a.page.keyboard.press('Enter')
  await a.page.getByRole('alert').filter({ hasText: 'not the same' }).waitFor()
  await a.page.getByLabel('Once more').fill(PASSPHRASE)
  const path = await downloaded(a, 'Download the backup')
  expect(path).toMatch(/[/\\]demo-\d{4}-\d\d-\d\d\.driftlog$/)
  const backup = await readFile(path)
  for (const secret of [PLANTED, PASSPHRASE, 'dlk1-']) expect(backup.includes(secret)).toBe(false)

  // For other programs, and said to be readable.
  await backUp.click()
  expect(JSON.parse(await readFile(await downloaded(a, 'Download JSON'), 'utf8'))).toMatchObject({
    space: 'demo',
    tables: { tasks: expect.arrayContaining([expect.objectContaining({ title: PLANTED })]) },
  })
  await backUp.click()
  const sqlite = await readFile(await downloaded(a, 'Download SQLite'))
  expect(sqlite.subarray(0, 15).toString()).toBe('SQLite format 3')
  await converge(a)

  const b = await at(await newContext())
  await b.asks('This space is locked')
  await b.page.getByRole('button', { name: 'Restore from a backup' }).click()
  await b.asks('Restore from a backup')
  const cut = join(folder(), 'cut.driftlog')
  await writeFile(cut, backup.subarray(0, backup.length - 1))
  const restore = async (file: string, passphrase: string) => {
    await b.page.getByLabel('File').setInputFiles(file)
    await b.page.getByLabel('Passphrase of the backup').fill(passphrase)
    await b.page.getByRole('button', { name: 'Restore', exact: true }).click()
  }
  await restore(path, 'correct house')
  await b.page.getByRole('alert').filter({ hasText: 'not the passphrase of this backup' }).waitFor()
  await restore(cut, PASSPHRASE)
  await b.page.getByRole('alert').filter({ hasText: 'not as it was written' }).waitFor()
  await restore(path, PASSPHRASE)
  await b.isReady()
  await b.shows(PLANTED)
  await converge(a, b)
  expect(await b.device()).not.toBe(await a.device())
  // From now on by itself, and both ways.
  await b.reload()
  await b.add('Hide the ring')
  await a.shows('Hide the ring')
  await converge(a, b)
})

test('[BACK5] in a space with members a backup opens as the member who made it', { timeout: 60_000 }, async () => {
  const a = await open(await newContext())
  await a.add(PLANTED)
  await a.page.getByRole('button', { name: 'Back up' }).click()
  for (const label of ['Passphrase of the backup', 'Once more']) await a.page.getByLabel(label).fill(PASSPHRASE)
  const path = await downloaded(a, 'Download the backup')
  await converge(a)

  const b = await at(await newContext())
  await b.asks('This space has members')
  await b.page.getByRole('button', { name: 'Restore from a backup' }).click()
  await b.page.getByLabel('File').setInputFiles(path)
  await b.page.getByLabel('Passphrase of the backup').fill(PASSPHRASE)
  await b.page.getByRole('button', { name: 'Restore', exact: true }).click()
  await b.isReady()
  await b.shows(PLANTED)
  await b.add('Hide the ring')
  await a.shows('Hide the ring')
  await b.reload()
  expect(await b.invite('Reader')).toContain('#join=')
  await converge(a, b)
})
