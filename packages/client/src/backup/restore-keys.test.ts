import { type BatchStore, defineSchema, f, memoryStore, systemPorts, table } from '@driftlog/core'
import { afterEach, expect, it } from 'vitest'
import { loadKeys, type ReplicaKey } from '../keys/load-keys.ts'
import { newSpaceKey, readSpaceKey, type SpaceKey } from '../keys/space-key.ts'
import { openReplica } from '../open-replica.ts'
import type { Replica } from '../replica.ts'
import { BackupWriter } from './backup-file.ts'
import { type RestoredBackup, restoreBackup } from './restore-backup.ts'

const schema = defineSchema({ version: 1, tables: { notes: table({ text: f.string() }) } })
const PASSPHRASE = 'correct horse'
const { random } = systemPorts

const opened: Replica<typeof schema>[] = []
afterEach(async () => {
  for (const replica of opened.splice(0)) await replica.close()
})

const open = async (store: BatchStore, key: ReplicaKey): Promise<Replica<typeof schema>> => {
  const replica = await openReplica({ schema, space: 'home', key, store })
  opened.push(replica)
  return replica
}
const closeAll = async (): Promise<void> => {
  for (const replica of opened.splice(0)) await replica.close()
}
/** A store that was opened with a key, with one note in it. */
const begun = async (key: SpaceKey | 'unencrypted'): Promise<BatchStore> => {
  const store = memoryStore()
  await (await open(store, key)).mutate((tx) => tx.notes.insert({ text: 'here' })).stored
  await closeAll()
  return store
}
const lockedWith = async (key: SpaceKey | 'unencrypted'): Promise<BatchStore> => {
  const [author, store] = [await open(await begun(key), key), memoryStore()]
  await (await open(store, 'locked')).import(await author.export())
  await closeAll()
  return store
}
const backupOf = async (key: SpaceKey | 'unencrypted'): Promise<Uint8Array> => {
  const file = await (await open(await begun(key), key)).backup({ passphrase: PASSPHRASE })
  await closeAll()
  return file
}
/** One without batches. */
const backupOfKeys = (...keys: readonly SpaceKey[]): Uint8Array => {
  const epochs = new Map(keys.map((key, index) => [index + 1, readSpaceKey(key)]))
  return new BackupWriter(PASSPHRASE, { space: 'home', epochs, installation: undefined, items: 0 }, random).finish()
}
const restore = (file: Uint8Array, store: BatchStore): Promise<RestoredBackup> =>
  restoreBackup(file, { store, passphrase: PASSPHRASE })
const countNotes = async (store: BatchStore, key: ReplicaKey): Promise<number> => {
  const notes = await (await open(store, key)).query((db) => db.selectFrom('notes').select('id'))
  await closeAll()
  return notes.length
}
const atRest = async (store: BatchStore) => [await store.end('home'), await store.records('home', '')]
const epochsIn = async (store: BatchStore, key: SpaceKey): Promise<number[]> => [
  ...(await loadKeys(store, 'home', key, random)).keyring.keys().keys(),
]

it('[BACK4] where the space is with another key, or only one of the two is encrypted, it is refused and opens as before', async () => {
  const [here, there] = [newSpaceKey(), newSpaceKey()]
  for (const [held, backup] of [
    [here, there],
    [here, 'unencrypted'],
    ['unencrypted', there],
  ] as const) {
    const store = await begun(held)
    const before = await atRest(store)
    await expect(restore(await backupOf(backup), store)).rejects.toMatchObject({ code: 'KEY_WRONG' })
    expect(await atRest(store)).toEqual(before)
    expect(await countNotes(store, held)).toBe(1)
  }
})

it('[BACK4] nor where it was only received so far, locked', async () => {
  const [here, there] = [newSpaceKey(), newSpaceKey()]
  for (const backup of [there, 'unencrypted'] as const) {
    const store = await lockedWith(here)
    const before = await atRest(store)
    await expect(restore(await backupOf(backup), store)).rejects.toMatchObject({ code: 'KEY_WRONG' })
    expect(await atRest(store)).toEqual(before)
    expect(await countNotes(store, here)).toBe(1)
  }
})

it('[BACK4] with the same key, or unencrypted both, what is here and what the backup has are one space', async () => {
  for (const key of [newSpaceKey(), 'unencrypted'] as const) {
    const store = await begun(key)
    await restore(await backupOf(key), store)
    expect(await countNotes(store, key)).toBe(2)
  }
  const key = newSpaceKey()
  const store = await lockedWith(key)
  await restore(await backupOf(key), store)
  expect(await countNotes(store, key)).toBe(2)
})

it('[BACK4] keys of epochs that either has are kept, and two keys of one epoch refused', async () => {
  const [first, second, other] = [newSpaceKey(), newSpaceKey(), newSpaceKey()]
  const store = await begun(first)
  await restore(backupOfKeys(first, second), store)
  expect(await epochsIn(store, first)).toEqual([1, 2])
  await restore(backupOfKeys(first), store)
  expect(await epochsIn(store, first)).toEqual([1, 2])
  await expect(restore(backupOfKeys(first, other), store)).rejects.toMatchObject({ code: 'KEY_WRONG' })
  expect(await epochsIn(store, first)).toEqual([1, 2])
  expect(await countNotes(store, first)).toBe(1)
})

it('[BACK4] what was restored unencrypted stays so, before it was opened too', async () => {
  const store = memoryStore()
  await restore(await backupOf('unencrypted'), store)
  await expect(open(store, newSpaceKey())).rejects.toMatchObject({ code: 'KEY_WRONG' })
  await expect(restore(await backupOf(newSpaceKey()), store)).rejects.toMatchObject({ code: 'KEY_WRONG' })
  await restore(await backupOf('unencrypted'), store)
  expect(await countNotes(store, 'unencrypted')).toBe(2)
})
