import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseHistory, readHistory } from './history.ts'

const line = (change: Record<string, unknown> = {}): string =>
  JSON.stringify({ i: 0, parents: [], author: 1, authoredMs: 1_600_000_000_000, files: [['a.ts', 3, 1]], ...change })

describe('parseHistory', () => {
  test('names parents by position and adds up a path that is listed twice', async () => {
    const files = [
      ['a.ts', 1, 0],
      ['a.ts', 4, 2],
    ]
    const { commits } = await parseHistory([line({ i: 40 }), '', line({ i: 7, parents: [40, 40], files })])
    expect(commits.map(({ name }) => name)).toEqual([40, 7])
    expect(commits[1].parents).toEqual([0])
    expect(commits[1].files).toEqual([{ path: 'a.ts', added: 5, removed: 2 }])
  })

  test('a prefix is a history', async () => {
    const { commits } = await parseHistory([line(), line({ i: 1, parents: [0] }), 'not read'], { commits: 2 })
    expect(commits).toHaveLength(2)
  })

  test.each([
    ['not JSON', '{"i": 1,'],
    ['not a JSON object', '[1]'],
    ['`i` is not a whole number', line({ i: 'x' })],
    ['`i` is 0, as on an earlier line', line()],
    ['`author` is not a whole number', line({ i: 1, author: null })],
    ['`authoredMs` is not a whole number of milliseconds', line({ i: 1, authoredMs: 1.5 })],
    ['`authoredMs` is past 2088', line({ i: 1, authoredMs: 4e12 })],
    ['`parents` is not a list', line({ i: 1, parents: 0 })],
    ['parent 5 is not on an earlier line', line({ i: 1, parents: [5] })],
    ['parent 1 is not on an earlier line', line({ i: 1, parents: [1] })],
    ['`files` is not a list', line({ i: 1, files: {} })],
    ['a file is not [path, added, removed]', line({ i: 1, files: [['a', 1]] })],
    ['a path is not text', line({ i: 1, files: [['', 1, 1]] })],
    ['the line counts of "a"', line({ i: 1, files: [['a', -1, 1]] })],
  ])('names the line of: %s', async (why, second) => {
    await expect(parseHistory([line(), second])).rejects.toMatchObject({
      code: 'HISTORY_INVALID',
      message: expect.stringContaining(`line 2: ${why}`),
    })
  })

  test('refuses an empty history', async () => {
    await expect(parseHistory([''])).rejects.toMatchObject({ code: 'HISTORY_INVALID' })
  })
})

describe('readHistory', () => {
  let folder = ''
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'driftlog-history-'))
  })
  afterAll(() => rm(folder, { recursive: true }))

  test.each([
    ['plain.jsonl', (text: string) => text],
    ['packed.gz', (text: string) => gzipSync(text)],
    ['packed-without-ending', (text: string) => gzipSync(text)],
  ])('reads %s', async (name, pack) => {
    const path = join(folder, name)
    await writeFile(path, pack(`${line()}\n${line({ i: 1, parents: [0] })}\n`))
    expect((await readHistory(path)).commits).toHaveLength(2)
  })

  test.each([
    ['is not there', 'missing', undefined, 'there is no such file'],
    ['is a directory', '.', undefined, 'directory'],
    ['was cut off', 'cut.gz', gzipSync(`${line()}\n`.repeat(100)).subarray(0, 60), 'ends too early'],
    ['is damaged', 'bad.gz', Buffer.from([0x1f, 0x8b, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9]), 'damaged'],
  ])('says so when the file %s', async (_, name, content, why) => {
    const path = join(folder, name)
    if (content !== undefined) await writeFile(path, content)
    await expect(readHistory(path)).rejects.toMatchObject({
      code: 'HISTORY_UNREADABLE',
      message: expect.stringContaining(why),
    })
  })
})
