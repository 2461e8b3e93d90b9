import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BatchStore } from '@driftlog/core'
import { batchStoreContract } from '@driftlog/testkit'
import Database from 'better-sqlite3'
import { sqlite } from './mod.ts'

const options = { pollMs: 5 }

/** Somebody follows every space that is written to, so that the newest batches are read from memory. */
const followed = (store: BatchStore): BatchStore => {
  const spaces = new Set<string>()
  const { append } = store
  return Object.assign(store, {
    append: async (...[space, ...rest]: Parameters<typeof append>) => {
      if (!spaces.has(space)) store.watch(space, () => undefined)
      spaces.add(space)
      return append.call(store, space, ...rest)
    },
  })
}

const setupOf = (openOne: (path: string) => BatchStore) => async () => {
  const folder = mkdtempSync(join(tmpdir(), 'driftlog-sqlite-'))
  const path = join(folder, 'log.db')
  const open = [openOne(path)]
  return {
    store: open[0],
    async reopen() {
      await open.at(-1)?.close()
      open.push(openOne(path))
      return open[open.length - 1]
    },
    async another() {
      open.unshift(openOne(path))
      return open[0]
    },
    async damage(space: string, position: number) {
      const database = new Database(path)
      const at = database.prepare<[string, number], Buffer>('SELECT bytes FROM batch WHERE space = ? AND position = ?')
      const bytes = at.pluck().get(space, position)!
      bytes[bytes.length >> 1] ^= 4
      database.prepare('UPDATE batch SET bytes = ? WHERE space = ? AND position = ?').run(bytes, space, position)
      database.close()
    },
    async dispose() {
      for (const store of open) await store.close()
      rmSync(folder, { recursive: true })
    },
  }
}

const plain = (path: string): BatchStore => sqlite(path, options)

batchStoreContract('sqlite file', setupOf(plain), { damage: true })
batchStoreContract(
  'sqlite file, followed',
  setupOf((path) => followed(plain(path))),
  { damage: true },
)
