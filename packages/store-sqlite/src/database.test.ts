import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers'
import {
  cryptoReady,
  type BatchStore,
  type DriftlogError,
  equalBytes,
  type PrunePoint,
  startCursor,
  type Timers,
} from '@driftlog/core'
import { makeTestBatch, makeTestDevice, makeTestHistory, type TestBatch } from '@driftlog/testkit'
import Database from 'better-sqlite3'
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { assertDurable, openDatabase } from './database.ts'
import { sqlite, type SqliteOptions } from './mod.ts'
import { NEXT_OF_BRANCH, RENAME_ABOVE } from './statements.ts'

const wide = { batches: 1000, bytes: Number.MAX_SAFE_INTEGER }
const space = 'home'
let folder: string
let path: string
const opened: { close(): unknown }[] = []

const open = (options?: SqliteOptions, at = path): BatchStore => {
  const store = sqlite(at, options)
  opened.push(store)
  return store
}
const raw = (): Database.Database => {
  const database = new Database(path)
  opened.push(database)
  return database
}
const thrownBy = (act: () => unknown): unknown => {
  try {
    act()
  } catch (error) {
    return error
  }
  return undefined
}

beforeAll(cryptoReady)
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'driftlog-sqlite-'))
  path = join(folder, 'log.db')
})
afterEach(async () => {
  for (const handle of opened.splice(0)) await handle.close()
  rmSync(folder, { recursive: true })
})

describe('opening', () => {
  it('asserts that a commit is on the disk when it returns', () => {
    const database = openDatabase(path, { busyMs: 10, maxBytes: undefined })
    opened.push(database)
    expect(database.pragma('journal_mode', { simple: true })).toBe('wal')
    expect(database.pragma('synchronous', { simple: true })).toBe(2)
    for (const [journal, synchronous] of [
      ['wal', 1],
      ['delete', 2],
    ]) {
      const error = thrownBy(() => assertDurable(path, 'wal', journal, synchronous))
      expect(error).toMatchObject({ code: 'STORAGE_FAILED', details: { journal, synchronous } })
    }
  })

  it('refuses the file of a newer version and leaves it alone', async () => {
    await open().close()
    const database = raw()
    database.exec("UPDATE meta SET value = '3' WHERE key = 'schema'")
    expect(thrownBy(open)).toMatchObject({ code: 'FORMAT_UNKNOWN', details: { schema: 3, known: 2 } })
    database.exec("UPDATE meta SET value = 'x' WHERE key = 'schema'")
    expect(thrownBy(open)).toMatchObject({ code: 'STORAGE_DAMAGED' })
  })

  it('refuses the SQLite file of something else and leaves it alone', () => {
    const database = raw()
    database.exec('CREATE TABLE song (title TEXT)')
    database.close()
    const before = readFileSync(path)
    expect(thrownBy(open)).toMatchObject({ code: 'STORAGE_FAILED' })
    expect(equalBytes(readFileSync(path), before)).toBe(true)
  })

  it('refuses what is not an SQLite file', () => {
    writeFileSync(path, 'a letter to my aunt, long enough to be read as a header'.repeat(100))
    expect(thrownBy(open)).toMatchObject({ code: 'STORAGE_DAMAGED', details: { path } })
  })

  it('says which path cannot be opened', () => {
    const missing = join(folder, 'missing', 'log.db')
    const error = thrownBy(() => open({}, missing)) as DriftlogError
    expect(error).toMatchObject({ code: 'STORAGE_FAILED', details: { path: missing } })
    expect(error.cause).toBeInstanceOf(Error)
    expect(thrownBy(() => open({}, folder))).toMatchObject({ code: 'STORAGE_FAILED' })
  })

  it('keeps `:memory:` in memory, for one store alone', async () => {
    const [store, other] = [open({}, ':memory:'), open({}, ':memory:')]
    const history = makeTestHistory(makeTestDevice(space, 1), [1, 2])
    await store.append(space, history)
    expect((await store.readAfter(space, startCursor, wide)).batches).toHaveLength(2)
    expect(await other.vector(space)).toEqual(new Map())
    const zero = await store.claimSlot(space)
    expect([zero.slot, (await store.claimSlot(space)).slot, (await other.claimSlot(space)).slot]).toEqual([0, 1, 0])
    await zero.release()
    expect((await store.claimSlot(space)).slot).toBe(0)
  })
})

describe('failures of the medium', () => {
  it('names the batch whose bytes do not check out', async () => {
    const author = makeTestDevice(space, 1)
    const store = open()
    const history = makeTestHistory(author, [2, 3])
    await store.append(space, history)
    const after = { position: 1, tag: history[0].header.tagAfter }
    const named = { code: 'STORAGE_DAMAGED', details: { space, branch: author.device, toSeq: 5 } }
    const damage = [
      "bytes = x'00ff'",
      // The bytes of another batch: they decode, but they are not what was stored here.
      'bytes = (SELECT bytes FROM batch WHERE to_seq = 2)',
      "tag_after = x'00'",
      'from_seq = 4',
    ]
    for (const change of damage) {
      const database = raw()
      database.exec(`SAVEPOINT undo; CREATE TABLE kept AS SELECT * FROM batch`)
      database.exec(`UPDATE batch SET ${change} WHERE to_seq = 5; RELEASE undo`)
      await expect(store.readAfter(space, after, wide)).rejects.toMatchObject(named)
      await expect(store.readAbove(space, new Map([[author.device, 3]]), wide)).rejects.toMatchObject(named)
      database.exec('DELETE FROM batch; INSERT INTO batch SELECT * FROM kept; DROP TABLE kept')
      expect((await store.readAfter(space, startCursor, wide)).batches).toHaveLength(2)
    }
  })

  it('STORAGE_FULL: nothing of the call is stored, other calls are, and the store goes on', async () => {
    const store = open({ maxBytes: 300_000 })
    const [ann, bob] = [makeTestDevice(space, 1), makeTestDevice(space, 2)]
    const [first, second] = makeTestHistory(ann, [1, 1])
    const large = makeTestBatch(bob, { body: new Uint8Array(400_000) })
    const record = { key: 'cursor', value: new Uint8Array(1) }
    const [one, two, three] = await Promise.allSettled([
      store.append(space, [first]),
      store.append(space, [large], { records: [record] }),
      store.append(space, [second]),
    ])
    expect([one.status, three.status]).toEqual(['fulfilled', 'fulfilled'])
    expect(two).toMatchObject({ reason: { code: 'STORAGE_FULL', cause: { code: 'SQLITE_FULL' } } })
    expect(await store.vector(space)).toEqual(new Map([[ann.device, 2]]))
    expect(await store.records(space, '')).toEqual([])
  })

  it('STORAGE_FAILED, with its cause, where another process keeps the write lock', async () => {
    const store = open({ busyMs: 1 })
    const { device } = makeTestDevice(space, 1)
    const batch = makeTestBatch(makeTestDevice(space, 1))
    const database = raw()
    database.exec('BEGIN IMMEDIATE')
    const busy = { code: 'STORAGE_FAILED', cause: { code: 'SQLITE_BUSY' } }
    const calls = await Promise.allSettled([store.append(space, [batch]), store.append(space, [batch])])
    expect(calls).toMatchObject([{ reason: busy }, { reason: busy }])
    await expect(store.claimSlot(space)).rejects.toMatchObject(busy)
    expect(await store.vector(space)).toEqual(new Map())
    database.exec('ROLLBACK')
    expect(await store.append(space, [batch])).toEqual([
      { kind: 'appended', position: 1, branch: device, isSplit: false },
    ])
  })
})

describe('STORE7 a prune', () => {
  const bulk = (count: number, size: number): TestBatch[] => {
    const author = makeTestDevice(space, 1)
    const batches: TestBatch[] = []
    for (let index = 0; index < count; index++) {
      const body = new Uint8Array(size).map((_, at) => at * index)
      batches.push(makeTestBatch(author, { previous: batches.at(-1), body }))
    }
    return batches
  }
  const pointOf = ({ header }: TestBatch): PrunePoint => ({
    branch: header.device,
    seq: header.toSeq,
    tag: header.tagAfter,
  })
  const freePages = (): unknown => raw().pragma('freelist_count', { simple: true })

  it('gives its disk space back', async () => {
    const store = open()
    const history = bulk(100, 50_000)
    await store.append(space, history)
    raw().pragma('wal_checkpoint(PASSIVE)')
    expect(statSync(path).size).toBeGreaterThan(5_000_000)
    expect(await store.prune(space, [pointOf(history[97])])).toMatchObject([{ batches: 98 }])
    expect(freePages()).toBe(0)
    expect(statSync(path).size).toBeLessThan(250_000)
    expect((await store.readAfter(space, startCursor, wide)).batches).toHaveLength(2)
  })

  it('is done where its space cannot be given back, which the next one does', async () => {
    const history = bulk(12, 900_000)
    const other = raw()
    let isLocking = false
    const defer = (run: () => void): void => {
      if (isLocking && !other.inTransaction) other.exec('BEGIN IMMEDIATE')
      setImmediate(run)
    }
    const store = open({ busyMs: 1, defer })
    await store.append(space, history)
    isLocking = true
    expect(await store.prune(space, [pointOf(history[9])])).toMatchObject([{ batches: 10 }])
    expect(other.inTransaction).toBe(true)
    isLocking = false
    other.exec('ROLLBACK')
    expect(freePages()).toBeGreaterThan(0)
    expect((await store.readAfter(space, startCursor, wide)).batches).toHaveLength(2)
    expect(await store.prune(space, [pointOf(history[10])])).toMatchObject([{ batches: 1 }])
    expect(freePages()).toBe(0)
  })

  it('ends with the store: what is not given back yet is used by what comes next', async () => {
    const history = bulk(12, 900_000)
    const store = open()
    await store.append(space, history)
    const pruning = store.prune(space, [pointOf(history[11])])
    await store.close()
    expect(await pruning).toMatchObject([{ batches: 12 }])
    expect(await open().end(space)).toMatchObject({ position: 12 })
  })

  it('migrates a file of before: what was there is as it was, and the first prune makes it one that gives back', async () => {
    const history = bulk(40, 20_000)
    const fork = makeTestHistory(makeTestDevice(space, 1), [1, 1], history[37], 'other')
    const store = open()
    await store.append(space, [...history, ...fork])
    const tips = await store.tips(space)
    await store.close()
    const old = raw()
    old.exec(`DROP TABLE pruned; ALTER TABLE branch DROP COLUMN floor; ALTER TABLE branch DROP COLUMN floor_tag;
      UPDATE meta SET value = '1' WHERE key = 'schema'`)
    old.pragma('auto_vacuum = NONE')
    old.exec('VACUUM')
    old.close()
    const before = statSync(path).size
    const [one, two] = [open(), open()]
    expect(await one.tips(space)).toEqual(tips)
    expect(await two.floors(space)).toEqual(new Map())
    expect((await one.readAfter(space, startCursor, wide)).batches).toHaveLength(42)
    expect(await two.prune(space, [pointOf(history[37])])).toMatchObject([{ batches: 38 }])
    expect(raw().pragma('auto_vacuum', { simple: true })).toBe(2)
    expect(freePages()).toBe(0)
    expect(statSync(path).size).toBeLessThan(before / 4)
    expect(await one.tips(space)).toEqual(tips)
    expect([...(await one.floors(space)).keys()]).toEqual([history[0].header.device])
    expect(await one.append(space, makeTestHistory(makeTestDevice(space, 1), [1], fork[1]))).toMatchObject([
      { kind: 'appended', position: 43 },
    ])
  })
})

describe('a split', () => {
  it('finds what it renames by an index', async () => {
    await open().close()
    const plan = raw().prepare<[string, string, string, number], { detail: string }>(
      `EXPLAIN QUERY PLAN ${RENAME_ABOVE}`,
    )
    const details = plan.all('new', space, 'branch', 0).map(({ detail }) => detail)
    expect(details).toEqual(['SEARCH batch USING INDEX batch_boundary (space=? AND branch=? AND to_seq>?)'])
  })
})

describe('readAbove', () => {
  it('looks only at branches that lack something, by a covering index', async () => {
    await open().close()
    const plan = raw().prepare<[string, string, number], { detail: string }>(`EXPLAIN QUERY PLAN ${NEXT_OF_BRANCH}`)
    const details = plan.all(space, 'branch', 0).map(({ detail }) => detail)
    expect(details).toEqual(['SEARCH batch USING COVERING INDEX batch_boundary (space=? AND branch=? AND to_seq>?)'])
  })
})

describe('the poll for other processes', () => {
  const manualTimers = () => {
    const due = new Set<() => void>()
    const timers: Timers = {
      schedule(delayMs, run) {
        expect(delayMs).toBe(1000)
        due.add(run)
        return () => void due.delete(run)
      },
    }
    const fire = (): void => {
      for (const run of Array.from(due)) {
        due.delete(run)
        run()
      }
    }
    return { timers, due, fire }
  }

  it('runs only while somebody watches, and tells of each position once', async () => {
    const { timers, due, fire } = manualTimers()
    const [store, other] = [open({ timers }), open()]
    const history = makeTestHistory(makeTestDevice(space, 1), [1, 1, 1])
    expect(due.size).toBe(0)
    const listener = vi.fn()
    const stop = store.watch(space, listener)
    expect(due.size).toBe(1)
    await other.append(space, [history[0]])
    expect(listener).not.toHaveBeenCalled()
    const poll = async (): Promise<number> => {
      fire()
      await Promise.resolve()
      return listener.mock.calls.length
    }
    expect(await poll()).toBe(1)
    expect(await poll()).toBe(1)
    // Told at once of its own, and not again by the poll.
    await store.append(space, [history[1]])
    expect(listener).toHaveBeenCalledTimes(2)
    expect(await poll()).toBe(2)
    await other.append('elsewhere', [makeTestBatch(makeTestDevice('elsewhere', 1))])
    expect(await poll()).toBe(2)
    stop()
    expect(due.size).toBe(0)
    store.watch(space, listener)
    await store.close()
    expect(due.size).toBe(0)
  })

  it('outlives a failing read', async () => {
    const { timers, due, fire } = manualTimers()
    const [store, other] = [open({ timers, busyMs: 1 }), open()]
    const listener = vi.fn()
    store.watch(space, listener)
    const database = raw()
    database.exec('ALTER TABLE batch RENAME TO away')
    fire()
    expect(due.size).toBe(1)
    database.exec('ALTER TABLE away RENAME TO batch')
    await other.append(space, [makeTestBatch(makeTestDevice(space, 1))])
    fire()
    await vi.waitFor(() => expect(listener).toHaveBeenCalled())
  })
})
