import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { batchStoreContract } from '@driftlog/testkit'
import { sqlite } from './mod.ts'

const options = { pollMs: 5 }

batchStoreContract('sqlite file', async () => {
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
    async dispose() {
      for (const store of open) await store.close()
      rmSync(folder, { recursive: true })
    },
  }
})
