import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { batchStoreContract } from '@driftlog/testkit'
import Database from 'better-sqlite3'
import { sqlite } from './mod.ts'

const options = { pollMs: 5 }

const setup = async () => {
  const folder = mkdtempSync(join(tmpdir(), 'driftlog-sqlite-'))
  const path = join(folder, 'log.db')
  const open = [sqlite(path, options)]
  return {
    store: open[0],
    async reopen() {
      await open.at(-1)?.close()
      open.push(sqlite(path, options))
      return open[open.length - 1]
    },
    async another() {
      open.unshift(sqlite(path, options))
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

batchStoreContract('sqlite file', setup, { damage: true })
