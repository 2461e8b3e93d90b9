import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { checkSecret, keptSecret, secretFileOf } from './secret.ts'

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'driftlog-secret-'))
})
afterAll(() => rm(folder, { recursive: true }))

test('a secret is made once, and only its owner reads it', async () => {
  const file = secretFileOf(join(folder, 'a.db'))
  const secret = await keptSecret(file)
  expect(checkSecret(secret)).toBe(secret)
  await chmod(file, 0o644)
  expect(await keptSecret(file)).toBe(secret)
  expect((await stat(file)).mode & 0o777).toBe(0o600)
  expect((await readFile(file, 'utf8')).trim()).toBe(secret)
})

test('a file without a secret is refused, not overwritten', async () => {
  const file = join(folder, 'empty')
  await writeFile(file, '')
  await expect(keptSecret(file)).rejects.toMatchObject({ code: 'DATA_UNUSABLE' })
  await expect(keptSecret(join(folder, 'no', 'such'))).rejects.toMatchObject({ code: 'DATA_UNUSABLE' })
  expect(() => checkSecret('short')).toThrow(expect.objectContaining({ code: 'USAGE' }))
})
