import 'fake-indexeddb/auto'
import { cryptoReady, startCursor } from '@driftlog/core'
import { makeTestBatch, makeTestDevice, makeTestHistory } from '@driftlog/testkit'
import { openDB } from 'idb'
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { indexedDb, type IndexedDbOptions, type IndexedDbStore } from './mod.ts'

const space = 'home'
const wide = { batches: 1000, bytes: Number.MAX_SAFE_INTEGER }
let names = 0
let name: string
const opened: { close(): unknown }[] = []

const open = (options?: IndexedDbOptions): IndexedDbStore => {
  const store = indexedDb(name, options)
  opened.push(store)
  return store
}
const raw = async (version?: number) => {
  const database = await openDB(name, version)
  opened.push(database)
  return database
}

beforeAll(cryptoReady)
beforeEach(() => {
  name = `connection-${names++}`
})
afterEach(async () => {
  vi.restoreAllMocks()
  vi.unstubAllGlobals()
  for (const handle of opened.splice(0)) await handle.close()
})

describe('durability', () => {
  it('every write transaction is strict', async () => {
    const begun = vi.spyOn(IDBDatabase.prototype, 'transaction')
    await open().append(space, [makeTestBatch(makeTestDevice(space, 1))])
    const writes = begun.mock.calls.filter(([, mode]) => mode === 'readwrite')
    expect(writes.length).toBeGreaterThan(0)
    for (const [, , options] of writes) expect(options).toEqual({ durability: 'strict' })
  })

  it('asks once for the data to be kept, and can do without an answer', async () => {
    const persist = vi.fn(async () => true)
    vi.stubGlobal('navigator', { storage: { persist } })
    const store = open()
    expect(await store.persisted).toBe(true)
    await store.append(space, [makeTestBatch(makeTestDevice(space, 1))])
    expect(persist).toHaveBeenCalledTimes(1)
    expect(await open({ persist: false }).persisted).toBeUndefined()
    expect(persist).toHaveBeenCalledTimes(1)
    for (const navigator of [
      undefined,
      {},
      { storage: {} },
      { storage: { persist: () => Promise.reject(new Error()) } },
    ]) {
      vi.stubGlobal('navigator', navigator)
      expect(await open().persisted).toBeUndefined()
    }
  })

  it('stores the bytes alone, not the buffer that they are a view into', async () => {
    const batch = makeTestBatch(makeTestDevice(space, 1))
    const larger = new Uint8Array(100_000)
    larger.set(batch.bytes, 500)
    const bytes = larger.subarray(500, 500 + batch.bytes.length)
    const records = [{ key: 'key', value: larger.subarray(10, 12) }]
    await open().append(space, [{ ...batch, bytes }], { records })
    const database = await raw()
    for (const storeName of database.objectStoreNames) {
      for (const row of (await database.getAll(storeName)) as Record<string, unknown>[]) {
        for (const field of Object.values(row)) {
          if (field instanceof Uint8Array) expect(field.buffer.byteLength).toBe(field.length)
        }
      }
    }
  })
})

describe('looking things up', () => {
  it('what goes on where a device ends is judged by its branch row alone', async () => {
    const store = open()
    const [first, second, third] = makeTestHistory(makeTestDevice(space, 1), [1, 1, 1])
    await store.append(space, [first])
    const gets = vi.spyOn(IDBObjectStore.prototype, 'get')
    const lists = vi.spyOn(IDBObjectStore.prototype, 'getAll')
    await store.append(space, [second, third])
    // Where the space ends is one small row more, since its last batch may have been pruned.
    expect(gets.mock.contexts.map((store) => (store as IDBObjectStore).name)).toEqual(['pruned'])
    expect(lists.mock.calls.length).toBe(1)
  })
})

describe('a database of version 1', () => {
  it('STORE7 is brought up to date with all that it holds, and can be pruned', async () => {
    const author = makeTestDevice(space, 1)
    const history = makeTestHistory(author, [1, 1, 1])
    const fork = makeTestHistory(author, [1], history[1], 'other')
    const now = open()
    await now.append(space, [...history, ...fork], { records: [{ key: 'key', value: new Uint8Array(1) }] })
    const everything = async (store: IndexedDbStore) => [
      await store.tips(space),
      await store.readAfter(space, startCursor, wide),
      await store.records(space, ''),
      await store.certificate(space, author.device),
    ]
    const before = await everything(now)
    const source = await raw()
    name = `connection-${names++}`
    const keyPaths = {
      batch: ['space', 'position'],
      boundary: ['space', 'branch', 'toSeq'],
      branch: ['space', 'device', 'branch'],
      certificate: ['space', 'device'],
      record: ['space', 'key'],
    }
    const old = await openDB(name, 1, {
      upgrade: (database) => {
        for (const [store, keyPath] of Object.entries(keyPaths)) database.createObjectStore(store, { keyPath })
      },
    })
    for (const store of Object.keys(keyPaths)) {
      for (const row of (await source.getAll(store)) as Record<string, unknown>[]) {
        delete row['floor']
        delete row['floorTag']
        await old.put(store, row)
      }
    }
    old.close()
    const store = open()
    vi.spyOn(IDBCursor.prototype, 'update').mockImplementationOnce(() => {
      throw new DOMException('for a moment', 'UnknownError')
    })
    await expect(store.tips(space)).rejects.toMatchObject({ code: 'STORAGE_FAILED' })
    expect(await everything(store)).toEqual(before)
    expect(await store.floors(space)).toEqual(new Map())
    const { toSeq: seq, tagAfter: tag } = history[1].header
    expect(await store.prune(space, [{ branch: author.device, seq, tag }])).toMatchObject([{ batches: 2 }])
    expect(await store.append(space, makeTestHistory(author, [1], fork[0]))).toMatchObject([
      { kind: 'appended', position: 5 },
    ])
  })
})

describe('the end of a connection', () => {
  it('gives way to a newer version of the app, and says so from then on', async () => {
    const store = open()
    const batch = makeTestBatch(makeTestDevice(space, 1))
    await store.append(space, [batch])
    expect((await store.claimSlot(space)).slot).toBe(0)
    const listener = vi.fn()
    store.watch(space, listener)
    const newer = await raw(3)
    expect(newer.version).toBe(3)
    const closed = { code: 'CLOSED', message: expect.stringContaining('reload') as string }
    await expect(store.append(space, [batch])).rejects.toMatchObject(closed)
    await expect(store.vector(space)).rejects.toMatchObject(closed)
    await expect(store.claimSlot(space)).rejects.toMatchObject(closed)
    expect(() => store.watch(space, listener)).toThrow(expect.objectContaining(closed))
    newer.close()
    // Nor does it come back to life.
    await expect(store.vector(space)).rejects.toMatchObject(closed)
    await store.close()
  })

  it('frees its slots for the newer version', async () => {
    const store = open()
    await store.vector(space)
    await store.claimSlot(space)
    await raw(3)
    name = `connection-${names++}`
    await open().vector(space)
    expect(await navigator.locks.query()).toMatchObject({ held: [] })
  })

  it('rejects where a newer version wrote the database', async () => {
    await raw(3)
    await expect(open().vector(space)).rejects.toMatchObject({ code: 'FORMAT_UNKNOWN' })
  })

  it('does not reopen what the browser has ended: it could come back empty', async () => {
    const listening = vi.spyOn(IDBDatabase.prototype, 'addEventListener')
    const store = open()
    await store.vector(space)
    for (const [type, listener] of listening.mock.calls) {
      if (type === 'close') (listener as EventListener)(new Event('close'))
    }
    await expect(store.vector(space)).rejects.toMatchObject({ code: 'STORAGE_FAILED' })
  })

  it('tries again after an opening that failed', async () => {
    const store = open()
    vi.stubGlobal('indexedDB', undefined)
    await expect(store.vector(space)).rejects.toMatchObject({ code: 'STORAGE_FAILED' })
    vi.unstubAllGlobals()
    const opening = vi.spyOn(indexedDB, 'open').mockImplementationOnce(() => {
      throw new DOMException('for a moment', 'UnknownError')
    })
    await expect(store.vector(space)).rejects.toMatchObject({ code: 'STORAGE_FAILED', cause: { name: 'UnknownError' } })
    expect(await store.vector(space)).toEqual(new Map())
    expect(opening).toHaveBeenCalledTimes(2)
  })
})

describe('failures of the medium', () => {
  const author = () => makeTestDevice(space, 1)

  for (const [domName, code] of [
    ['QuotaExceededError', 'STORAGE_FULL'],
    ['UnknownError', 'STORAGE_FAILED'],
  ] as const) {
    it(`${domName} in the middle of an append: ${code}, and nothing of the call is stored`, async () => {
      const store = open()
      const [first, second, third] = makeTestHistory(author(), [1, 1, 1])
      await store.append(space, [first])
      const add = IDBObjectStore.prototype.add
      let calls = 0
      vi.spyOn(IDBObjectStore.prototype, 'add').mockImplementation(function (this: IDBObjectStore, value: unknown) {
        if (++calls === 3) throw new DOMException('no', domName)
        return add.call(this, value)
      })
      const records = [{ key: 'cursor', value: new Uint8Array(1) }]
      const failed = { code, cause: { name: domName } }
      await expect(store.append(space, [second, third], { records })).rejects.toMatchObject(failed)
      expect(calls).toBe(3)
      vi.restoreAllMocks()
      expect(await store.vector(space)).toEqual(new Map([[author().device, 1]]))
      expect(await store.records(space, '')).toEqual([])
      expect(await store.append(space, [second, third], { records })).toHaveLength(2)
      expect((await store.readAfter(space, startCursor, wide)).batches).toHaveLength(3)
    })
  }

  it('STORE4 a failure in the middle of a split leaves all of it as it was', async () => {
    const store = open()
    const history = makeTestHistory(
      author(),
      Array.from({ length: 40 }, () => 1),
    )
    const fork = makeTestHistory(author(), [1], history[1], 'other')
    await store.append(space, history)
    const everything = async () => [await store.tips(space), await store.readAfter(space, startCursor, wide)]
    const before = await everything()
    const put = IDBObjectStore.prototype.put
    let calls = 0
    vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementation(function (this: IDBObjectStore, value: unknown) {
      if (++calls === 20) throw new DOMException('no', 'QuotaExceededError')
      return put.call(this, value)
    })
    await expect(store.append(space, fork)).rejects.toMatchObject({ code: 'STORAGE_FULL' })
    vi.restoreAllMocks()
    expect(await everything()).toEqual(before)
    expect(await store.append(space, fork)).toMatchObject([{ kind: 'appended', isSplit: true }])
    const branches = (await store.readAfter(space, startCursor, wide)).batches.map(({ branch }) => branch)
    expect(new Set(branches.slice(0, 2))).toEqual(new Set([author().device]))
    expect(new Set(branches.slice(2, 40)).size).toBe(1)
    expect(new Set(branches).size).toBe(3)
  })

  it('STORE7 a failure in the middle of a prune leaves all of it as it was', async () => {
    const store = open()
    const history = makeTestHistory(
      author(),
      Array.from({ length: 40 }, () => 1),
    )
    await store.append(space, history)
    const everything = async () => [
      await store.floors(space),
      await store.end(space),
      await store.records(space, ''),
      await store.readAfter(space, startCursor, wide),
    ]
    const before = await everything()
    const remove = IDBObjectStore.prototype.delete
    let calls = 0
    vi.spyOn(IDBObjectStore.prototype, 'delete').mockImplementation(function (this: IDBObjectStore, key) {
      if (++calls === 20) throw new DOMException('no', 'UnknownError')
      return remove.call(this, key)
    })
    const { toSeq: seq, tagAfter: tag } = history[29].header
    const point = { branch: author().device, seq, tag }
    const records = [{ key: 'base', value: new Uint8Array(1) }]
    await expect(store.prune(space, [point], { records })).rejects.toMatchObject({ code: 'STORAGE_FAILED' })
    vi.restoreAllMocks()
    expect(await everything()).toEqual(before)
    expect(await store.prune(space, [point], { records })).toMatchObject([{ batches: 30 }])
    const database = await raw()
    expect([await database.count('batch'), await database.count('boundary')]).toEqual([10, 10])
  })

  it('names the batch whose bytes do not check out or are gone', async () => {
    const store = open()
    const { device } = author()
    const [first, second] = makeTestHistory(author(), [2, 3])
    await store.append(space, [first, second])
    const database = await raw()
    const row = (await database.get('batch', [space, 2])) as Record<string, unknown>
    const named = { code: 'STORAGE_DAMAGED', details: { space, branch: device, toSeq: 5 } }
    for (const bytes of [new Uint8Array(3), first.bytes]) {
      await database.put('batch', { ...row, bytes })
      const after = { position: 1, tag: first.header.tagAfter }
      await expect(store.readAfter(space, after, wide)).rejects.toMatchObject(named)
      await expect(store.readAbove(space, new Map([[device, 2]]), wide)).rejects.toMatchObject(named)
    }
    await database.delete('batch', [space, 2])
    await expect(store.readAbove(space, new Map([[device, 2]]), wide)).rejects.toMatchObject(named)
    expect(await store.replace(space, second)).toBe(true)
    expect((await store.readAfter(space, startCursor, wide)).batches).toHaveLength(2)
  })
})
