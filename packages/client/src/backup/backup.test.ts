import {
  type BatchStore,
  damageBatch,
  decodeBatch,
  defineSchema,
  f,
  memoryMedium,
  memoryStore,
  startCursor,
  table,
} from '@driftlog/core'
import initSqlJs from 'sql.js'
import { afterEach, expect, it } from 'vitest'
import { newSpaceKey } from '../keys/space-key.ts'
import { openReplica } from '../open-replica.ts'
import type { Replica } from '../replica.ts'
import type { ReplicaKey } from '../keys/load-keys.ts'
import { type BackupProgress, restoreBackup } from './restore-backup.ts'

const schema = defineSchema({
  version: 3,
  tables: {
    notes: table({
      text: f.string().search(),
      done: f.boolean().default(false),
      due: f.date().optional(),
      tags: f.set(f.string()),
    }),
  },
})
const PASSPHRASE = 'correct horse'
const SECRET = 'attack at dawn'

const opened: Replica<typeof schema>[] = []
afterEach(async () => {
  for (const replica of opened.splice(0)) await replica.close().catch(() => undefined)
})
const open = async (store: BatchStore, key: ReplicaKey): Promise<Replica<typeof schema>> => {
  const replica = await openReplica({ schema, space: 'home', key, store })
  opened.push(replica)
  return replica
}
const notes = (replica: Replica<typeof schema>) =>
  replica.query((db) => db.selectFrom('notes').selectAll().orderBy('id'))
const filled = async (key: ReplicaKey): Promise<Replica<typeof schema>> => {
  const replica = await open(memoryStore(), key)
  for (let note = 0; note < 30; note++) {
    replica.mutate((tx) => tx.notes.insert({ text: `${SECRET} ${note}`, due: new Date(1e12), tags: ['a'] }))
    await replica.mutate((tx) => tx.notes.insert({ text: 'another', done: true })).stored
  }
  return replica
}

it('[BACK1] a backup opens on a fresh device, by its passphrase alone, whoever made it', async () => {
  for (const key of [newSpaceKey(), 'unencrypted'] as const) {
    const replica = await filled(key)
    const told: BackupProgress[] = []
    const file = await replica.backup({ passphrase: PASSPHRASE, onProgress: (progress) => told.push(progress) })
    expect(Buffer.from(file).includes(SECRET)).toBe(false)
    const all = (await replica.export()).length
    expect(told.at(-1)).toEqual({ batches: all, of: all })
    const store = memoryStore()
    const restored = await restoreBackup(file, { store, passphrase: PASSPHRASE, onProgress: (it) => told.push(it) })
    expect(told.at(-1)).toEqual({ batches: all, of: all })
    expect(restored).toEqual({ space: 'home', key })
    const again = await open(store, restored.key)
    expect(await notes(again)).toEqual(await notes(replica))
    expect(again.digest()).toBe(replica.digest())
    expect(again.device).not.toBe(replica.device)
    // It writes on, and so does the one that it was made of: nothing forks.
    again.mutate((tx) => tx.notes.insert({ text: 'restored' }))
    replica.mutate((tx) => tx.notes.insert({ text: 'meanwhile' }))
    expect(await again.import(await replica.export())).toEqual([])
    expect(await replica.import(await again.export())).toEqual([])
    expect(again.digest()).toBe(replica.digest())
    expect(again.held().size).toBe(2)
  }
})

it('[BACK1] restored twice, or where the space is already, nothing doubles', async () => {
  const key = newSpaceKey()
  const replica = await filled(key)
  const file = await replica.backup({ passphrase: PASSPHRASE })
  const store = memoryStore()
  for (let round = 0; round < 2; round++) await restoreBackup(file, { store, passphrase: PASSPHRASE })
  const again = await open(store, key)
  expect(await notes(again)).toHaveLength(60)
})

it('[BACK2] another passphrase, and any byte that differs, is told, and nothing is taken', async () => {
  const replica = await filled(newSpaceKey())
  const file = await replica.backup({ passphrase: PASSPHRASE })
  const store = memoryStore()
  const codeOf = async (bytes: Uint8Array, passphrase = PASSPHRASE): Promise<string> => {
    try {
      await restoreBackup(bytes, { store, passphrase })
      return 'ok'
    } catch (error) {
      return (error as { code: string }).code
    }
  }
  expect(await codeOf(file, 'correct hors')).toBe('KEY_WRONG')
  const places = [0, 15, 16, 18, 30, 45, 60, 100, 140, 200, file.length >> 1, file.length - 20, file.length - 1]
  for (const at of places) {
    const bent = file.slice()
    bent[at] ^= 1
    expect(['BACKUP_DAMAGED', 'KEY_WRONG', 'FORMAT_UNKNOWN']).toContain(await codeOf(bent))
  }
  for (const length of [0, 10, 40, 150, file.length >> 1, file.length - 1])
    expect(await codeOf(file.slice(0, length))).toBe('BACKUP_DAMAGED')
  expect(await codeOf(Uint8Array.of(...file, 0))).toBe('BACKUP_DAMAGED')
  const unwanted = restoreBackup(file, { store, passphrase: PASSPHRASE, accept: ({ space }) => Promise.reject(space) })
  await expect(unwanted).rejects.toBe('home')
  expect(await store.end('home')).toEqual(startCursor)
  expect(await store.records('home', '')).toEqual([])
  for (const passphrase of ['', undefined, null, 1234, new Uint8Array(8), {}] as string[])
    await expect(replica.backup({ passphrase })).rejects.toMatchObject({ code: 'OPTION_INVALID' })
  for (const passphrase of [undefined, null, 1234, new Uint8Array(8), {}] as unknown as string[])
    await expect(restoreBackup(file, { store, passphrase })).rejects.toMatchObject({ code: 'OPTION_INVALID' })
})

it('[BACK1] where something is damaged here, a backup is refused unless it may lack that', async () => {
  const medium = memoryMedium()
  const [key, store] = [newSpaceKey(), memoryStore(medium)]
  const writer = await open(store, key)
  for (const text of ['kept', 'lost', 'behind it']) await writer.mutate((tx) => tx.notes.insert({ text })).stored
  const whole = await writer.export()
  await writer.close()
  const replica = await open(memoryStore(medium), key)
  // Not known when it was opened: the disk rots while it is open.
  damageBatch(medium, 'home', 2)
  await expect(replica.backup({ passphrase: PASSPHRASE })).rejects.toMatchObject({ code: 'STORAGE_DAMAGED' })
  const partial = await replica.backup({ passphrase: PASSPHRASE, partial: true })
  const restored = memoryStore()
  await restoreBackup(partial, { store: restored, passphrase: PASSPHRASE })
  expect((await notes(await open(restored, key))).map(({ text }) => text)).toEqual(['kept'])
  await replica.import(whole)
  const file = await replica.backup({ passphrase: PASSPHRASE })
  const again = memoryStore()
  await restoreBackup(file, { store: again, passphrase: PASSPHRASE })
  expect(await notes(await open(again, key))).toHaveLength(3)
})

it('[BACK3] the tables as JSON and as a file of SQLite, for other programs', async () => {
  const replica = await filled(newSpaceKey())
  const shown = await notes(replica)
  const json = JSON.parse(new TextDecoder().decode(await replica.exportPlain('json'))) as {
    tables: { notes: { text: string; due: string | null }[] }
  }
  expect(json).toMatchObject({ space: 'home', schemaVersion: 3 })
  expect(json.tables.notes).toEqual(JSON.parse(JSON.stringify(shown)))
  const sql = await initSqlJs()
  const file = new sql.Database(await replica.exportPlain('sqlite'))
  const [{ values }] = file.exec('SELECT id, text, done, due FROM notes ORDER BY id')
  expect(values).toEqual(
    shown.map(({ id, text, done, due }) => [id, text, done ? 1 : 0, due === null ? null : due.getTime()]),
  )
  file.close()
  // And it goes on.
  replica.mutate((tx) => tx.notes.insert({ text: 'more' }))
  expect(await notes(replica)).toHaveLength(61)
  expect(decodeBatch((await replica.export())[0]).header.keyEpoch).toBe(1)
})
