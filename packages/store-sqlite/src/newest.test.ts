import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BatchStore, cryptoReady, type Cursor, startCursor } from '@driftlog/core'
import { makeTestDevice, makeTestHistory, type TestBatch } from '@driftlog/testkit'
import { afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { sqlite } from './mod.ts'
import { Newest } from './newest.ts'

const space = 'home'
const wide = { batches: 1000, bytes: Number.MAX_SAFE_INTEGER }
const outcome = (position: number, isSplit = false) =>
  ({ kind: 'appended', position, branch: makeTestDevice(space, 1).device, isSplit }) as const
const cursorOf = (batch: TestBatch, position: number): Cursor => ({ position, tag: batch.header.tagAfter })

let folder: string
let stores: BatchStore[]
const open = (): BatchStore => {
  stores.push(sqlite(join(folder, 'log.db')))
  return stores[stores.length - 1]
}
beforeAll(cryptoReady)
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'driftlog-newest-'))
  stores = []
})
afterEach(async () => {
  for (const store of stores) await store.close()
  rmSync(folder, { recursive: true })
})

it('answers for who has the batch before, and for nobody else', () => {
  const newest = new Newest()
  const [first, second, third] = makeTestHistory(makeTestDevice(space, 1), [1, 1, 1])
  newest.committed(space, [first, second], [outcome(1), outcome(2)], 7)
  const after = (cursor: Cursor, limit = wide) => newest.readAfter(space, cursor, limit, 7)
  expect(after(cursorOf(first, 1))).toMatchObject({ batches: [{ position: 2 }], cursor: { position: 2 }, more: false })
  expect(after(cursorOf(second, 2))).toEqual({ batches: [], cursor: cursorOf(second, 2), more: false })
  for (const unknown of [startCursor, cursorOf(second, 1), cursorOf(third, 3)]) expect(after(unknown)).toBeUndefined()
  newest.committed(space, [third], [outcome(3)], 7)
  expect(after(cursorOf(first, 1), { batches: 1, bytes: 1 })).toMatchObject({ cursor: { position: 2 }, more: true })
  // Something else of another place than the next, and so of another connection.
  newest.committed(space, [third], [outcome(5)], 7)
  expect(after(cursorOf(second, 2))).toBeUndefined()
})

it('forgets where names, bytes or the end may be others: a split, a replacement, a commit of another connection', () => {
  const [first, second] = makeTestHistory(makeTestDevice(space, 1), [1, 1])
  const after = (newest: Newest, foreignCommits: number) =>
    newest.readAfter(space, cursorOf(first, 1), wide, foreignCommits)
  const kept = (): Newest => {
    const newest = new Newest()
    newest.committed(space, [first, second], [outcome(1), outcome(2)], 7)
    expect(after(newest, 7)).toBeDefined()
    return newest
  }
  const [split, replaced, foreign, unfollowed] = [kept(), kept(), kept(), kept()]
  split.committed(space, [second], [outcome(3, true)], 7)
  replaced.committed(space, [second], [{ kind: 'replaced', branch: makeTestDevice(space, 1).device }], 7)
  expect(after(foreign, 8)).toBeUndefined()
  unfollowed.forget(space)
  for (const newest of [split, replaced, foreign, unfollowed]) expect(after(newest, 7)).toBeUndefined()
})

it('keeps a bounded number of bytes, of the newest', () => {
  const newest = new Newest()
  const batches = makeTestHistory(
    makeTestDevice(space, 1),
    Array.from({ length: 300 }, () => 1),
  )
  batches.forEach((batch, index) => newest.committed(space, [batch], [outcome(index + 1)], 7))
  const after = (index: number) => newest.readAfter(space, cursorOf(batches[index], index + 1), wide, 7)
  expect(after(0)).toBeUndefined()
  expect(after(298)?.batches).toHaveLength(1)
})

it('[STORE5 STORE6] a follower reads what others read, whoever commits, and whatever becomes of the bytes that were handed in', async () => {
  const [store, other, fresh] = [open(), open(), open()]
  store.watch(space, () => undefined)
  const [ann, bob] = [1, 2].map((seed) => makeTestHistory(makeTestDevice(space, seed), [1, 1, 1, 1]))
  const fork = makeTestHistory(makeTestDevice(space, 1), [1, 1, 1], undefined, 'other')
  let at = startCursor
  const follow = async (): Promise<void> => {
    const [page, expected] = [await store.readAfter(space, at, wide), await fresh.readAfter(space, at, wide)]
    expect(page).toEqual(expected)
    expect(await store.readAfter(space, at, { batches: 1, bytes: 1 })).toEqual(
      await fresh.readAfter(space, at, { batches: 1, bytes: 1 }),
    )
    at = page.cursor
  }
  for (const [by, batch] of [
    [store, ann[0]],
    [store, ann[1]],
    [other, bob[0]],
    [store, ann[2]],
    [store, fork[0]],
    [store, ann[3]],
    [other, fork[1]],
    [store, bob[1]],
    [store, fork[2]],
  ] as const) {
    const [{ kind }] = await by.append(space, [batch])
    expect(['appended', 'duplicate']).toContain(kind)
    await follow()
  }
  const copy = { ...bob[2], bytes: bob[2].bytes.slice() }
  await store.append(space, [copy])
  copy.bytes.fill(0)
  await follow()
})
