import { foundSpace, newInstallationKey, newSpaceKey, openReplica, type ReplicaKey } from '@driftlog/client'
import { memoryStore, startCursor } from '@driftlog/core'
import { expect, test } from 'vitest'
import { schema } from '../data/schema.ts'
import { restoreInto } from './restore.ts'

const passphrase = 'correct horse'
const key = newSpaceKey()

const backupOf = async (space: string, under: ReplicaKey): Promise<Blob> => {
  const replica = await openReplica({ schema, space, key: under, store: memoryStore() })
  replica.mutate((tx) => tx.lists.insert({ name: 'Home' }))
  const file = await replica.backup({ passphrase })
  await replica.close()
  return new Blob([file.slice()])
}

const restore = async (file: Blob, typed = passphrase, isRight = true) => {
  const store = memoryStore()
  const told: string[] = []
  const restored = await restoreInto({ space: 'home', store, isRight: async () => isRight })({
    file,
    passphrase: typed,
    onProgress: ({ batches, of }) => told.push(`${batches}/${of}`),
  })
  return { restored, store, told }
}

test('what is restored opens with the key that comes out', async () => {
  const { restored, store, told } = await restore(await backupOf('home', key))
  expect(restored).toEqual({ key })
  expect(told).toEqual(['1/1'])
  const replica = await openReplica({ schema, space: 'home', key, store })
  expect(await replica.query((db) => db.selectFrom('lists').select('name'))).toEqual([{ name: 'Home' }])
  await replica.close()
})

test('a space with members opens as the member who made the backup', async () => {
  const [store, own] = [memoryStore(), newInstallationKey()]
  await foundSpace({ space: 'home', store, key: own })
  const founder = await openReplica({ schema, space: 'home', key: own, store })
  founder.mutate((tx) => tx.lists.insert({ name: 'Home' }))
  const file = new Blob([(await founder.backup({ passphrase })).slice()])
  await founder.close()
  const { restored, store: fresh } = await restore(file)
  expect(restored).toEqual({ key: own })
  const replica = await openReplica({ schema, space: 'home', key: own, store: fresh })
  expect(await replica.query((db) => db.selectFrom('lists').select('name'))).toEqual([{ name: 'Home' }])
  expect(replica.members?.list.role).toBe('admin')
  await replica.close()
  const other = await restore(file, passphrase, false)
  expect(other.restored).toEqual({ problem: expect.stringContaining('Nothing was changed') })
})

test('what does not fit is told apart, and leaves the store as it is', async () => {
  const own = await backupOf('home', key)
  const cases = [
    ['not the passphrase', await restore(own, 'correct house')],
    ['no backup', await restore(own.slice(0, -1))],
    ['no backup', await restore(new Blob(['a photo']))],
    ['“away”, and “home”', await restore(await backupOf('away', key))],
    ['not encrypted', await restore(await backupOf('home', 'unencrypted'))],
    ['another key', await restore(own, passphrase, false)],
  ] as const
  for (const [words, { restored, store }] of cases) {
    expect(restored).toEqual({ problem: expect.stringContaining(words) })
    for (const space of ['home', 'away']) {
      expect(await store.end(space)).toEqual(startCursor)
      expect(await store.records(space, '')).toEqual([])
    }
  }
})

test('a storage that fails is not taken for a wrong file', async () => {
  const store = memoryStore()
  store.append = () => Promise.reject(new Error('full'))
  const request = { file: await backupOf('home', key), passphrase, onProgress: () => {} }
  await expect(restoreInto({ space: 'home', store, isRight: async () => true })(request)).rejects.toThrow('full')
})
