import {
  type BatchStore,
  decodeBatch,
  defineSchema,
  f,
  memoryMedium,
  memoryStore,
  systemPorts,
  table,
} from '@driftlog/core'
import { afterEach, expect, it } from 'vitest'
import { openReplica } from '../open-replica.ts'
import type { Replica } from '../replica.ts'
import type { ReplicaKey } from './load-keys.ts'
import { isSpaceKey, newSpaceKey } from './space-key.ts'
import { createVault, unlockVault } from './vault.ts'

const schema = defineSchema({ version: 1, tables: { notes: table({ text: f.string() }) } })
const SECRET = 'attack at dawn'

const opened: Replica<typeof schema>[] = []
afterEach(async () => {
  for (const replica of opened.splice(0)) await replica.close()
})
const open = async (store: BatchStore, key: ReplicaKey): Promise<Replica<typeof schema>> => {
  const replica = await openReplica({ schema, space: 'home', key, store })
  opened.push(replica)
  return replica
}
const close = async (): Promise<void> => {
  for (const replica of opened.splice(0)) await replica.close()
}
const notes = (replica: Replica<typeof schema>) => replica.query((db) => db.selectFrom('notes').select('text'))
const atRest = async (store: BatchStore): Promise<Buffer> => {
  const { batches } = await store.readAbove('home', new Map(), { batches: 1e6, bytes: 1e9 })
  const records = await store.records('home', '')
  return Buffer.concat([
    ...batches.map(({ batch }) => batch.bytes),
    ...records.flatMap(({ key, value }) => [Buffer.from(key), value]),
  ])
}

it('[KEY4] a replica opens with its key, again and again, and nothing in its store says what was written', async () => {
  const store = memoryStore()
  const key = newSpaceKey()
  const replica = await open(store, key)
  await replica.mutate((tx) => tx.notes.insert({ text: SECRET })).stored
  const { device } = replica
  await close()
  expect((await atRest(store)).includes(SECRET)).toBe(false)
  const again = await open(store, key)
  expect(await notes(again)).toEqual([{ text: SECRET }])
  expect(again.device).toBe(device)
})

it('[KEY4] nor does it say the keys of its devices', async () => {
  const seeds: Uint8Array[] = []
  const random = {
    bytes: (length: number) => {
      const drawn = systemPorts.random.bytes(length)
      if (length === 32) seeds.push(drawn)
      return drawn
    },
  }
  const store = memoryStore()
  const key = newSpaceKey()
  const replica = await openReplica({ schema, space: 'home', key, store, ports: { ...systemPorts, random } })
  opened.push(replica)
  await replica.mutate((tx) => tx.notes.insert({ text: SECRET })).stored
  await close()
  const bytes = await atRest(store)
  expect(seeds.length).toBeGreaterThan(2)
  for (const seed of seeds) expect(bytes.includes(Buffer.from(seed))).toBe(false)
})

it('[KEY4] with another key, or as if it were not encrypted, it does not open, and nothing changes', async () => {
  const store = memoryStore()
  const key = newSpaceKey()
  const replica = await open(store, key)
  await replica.mutate((tx) => tx.notes.insert({ text: SECRET })).stored
  await close()
  const before = await atRest(store)
  await expect(open(store, newSpaceKey())).rejects.toMatchObject({ code: 'KEY_WRONG' })
  await expect(open(store, 'unencrypted')).rejects.toMatchObject({ code: 'KEY_MISSING' })
  await expect(open(store, 'dlk1-nonsense')).rejects.toMatchObject({ code: 'OPTION_INVALID' })
  expect(await atRest(store)).toEqual(before)
  expect(await notes(await open(store, key))).toHaveLength(1)
})

it('[KEY4] what began without encryption is not taken for encrypted', async () => {
  const store = memoryStore()
  const plain = await open(store, 'unencrypted')
  await plain.mutate((tx) => tx.notes.insert({ text: 'open' })).stored
  await close()
  await expect(open(store, newSpaceKey())).rejects.toMatchObject({ code: 'KEY_WRONG' })
  await expect(open(store, 'locked')).rejects.toMatchObject({ code: 'KEY_WRONG' })
  expect(await notes(await open(store, 'unencrypted'))).toHaveLength(1)
})

it('[KEY3] damaged keys are told from a wrong key', async () => {
  const medium = memoryMedium()
  const store = memoryStore(medium)
  const key = newSpaceKey()
  await open(store, key)
  await close()
  const [record] = await store.records('home', 'keys')
  record.value[20] ^= 1
  await store.append('home', [], { records: [record] })
  await expect(open(store, key)).rejects.toMatchObject({ code: 'KEYS_DAMAGED', details: { record: 'keys' } })
})

it('[KEY5] locked: everything is held and handed on, nothing is shown or written; the key brings it all', async () => {
  const key = newSpaceKey()
  const author = await open(memoryStore(), key)
  author.mutate((tx) => tx.notes.insert({ text: SECRET }))
  author.mutate((tx) => tx.notes.insert({ text: 'and then' }))
  const batches = await author.export()
  const store = memoryStore()
  const locked = await open(store, 'locked')
  expect(await locked.import(batches)).toEqual([])
  expect(locked.status).toMatchObject({ locked: 2, error: undefined })
  expect(await notes(locked)).toEqual([])
  expect(() => locked.mutate((tx) => tx.notes.insert({ text: 'x' }))).toThrowError(
    expect.objectContaining({ code: 'KEY_MISSING' }),
  )
  const courier = await open(memoryStore(), key)
  await courier.import(await locked.export())
  expect(await notes(courier)).toHaveLength(2)
  expect(courier.digest()).toBe(author.digest())
  await locked.close()
  opened.splice(opened.indexOf(locked), 1)
  const unlocked = await open(store, key)
  expect(unlocked.digest()).toBe(author.digest())
  expect(unlocked.status).toMatchObject({ locked: 0 })
})

it('[KEY2] a vault opens the spaces that it has keys of', async () => {
  const store = memoryStore()
  const { vault } = await createVault({ store, passphrase: 'correct horse' })
  await expect(open(store, vault)).rejects.toMatchObject({ code: 'KEY_MISSING' })
  await vault.createSpace('home')
  const replica = await open(store, vault)
  await replica.mutate((tx) => tx.notes.insert({ text: SECRET })).stored
  await close()
  expect(await notes(await open(store, await unlockVault({ store, passphrase: 'correct horse' })))).toHaveLength(1)
})

it('[KEY4] after it was locked, a wrong key is told before anything is kept, and the right one opens', async () => {
  const key = newSpaceKey()
  const author = await open(memoryStore(), key)
  author.mutate((tx) => tx.notes.insert({ text: SECRET }))
  const store = memoryStore()
  const locked = await open(store, 'locked')
  await locked.import(await author.export())
  await close()
  await expect(open(store, newSpaceKey())).rejects.toMatchObject({ code: 'KEY_WRONG' })
  expect(await notes(await open(store, key))).toHaveLength(1)
})

it('[KEY4] what was only held locked is not opened as if it were not encrypted', async () => {
  const key = newSpaceKey()
  const author = await open(memoryStore(), key)
  author.mutate((tx) => tx.notes.insert({ text: SECRET }))
  const store = memoryStore()
  await (await open(store, 'locked')).import(await author.export())
  await close()
  const before = await store.records('home', '')
  await expect(open(store, 'unencrypted')).rejects.toMatchObject({ code: 'KEY_MISSING' })
  expect(await store.records('home', '')).toEqual(before)
  expect(await notes(await open(store, key))).toHaveLength(1)
})

it('[KEY4] however much was added by who has no key, the right one is found to open what is here', async () => {
  const key = newSpaceKey()
  const author = await open(memoryStore(), key)
  author.mutate((tx) => tx.notes.insert({ text: SECRET }))
  const stranger = await open(memoryStore(), 'unencrypted')
  for (let note = 0; note < 60; note++) await stranger.mutate((tx) => tx.notes.insert({ text: 'spam' })).stored
  const store = memoryStore()
  for (const bytes of [...(await stranger.export()), ...(await author.export())])
    await store.append('home', [decodeBatch(bytes)])
  await close()
  expect((await store.end('home')).position).toBeGreaterThan(50)
  await expect(open(store, newSpaceKey())).rejects.toMatchObject({ code: 'KEY_WRONG' })
  expect(await notes(await open(store, key))).toEqual([{ text: SECRET }])
})

it('[KEY1] what is neither a key nor a choice opens nothing', async () => {
  for (const key of [undefined, null, 1, true, new Uint8Array(32), {}, [newSpaceKey()], '', 'Locked']) {
    const store = memoryStore()
    await expect(open(store, key as ReplicaKey)).rejects.toMatchObject({ code: 'OPTION_INVALID' })
    expect(await store.records('home', '')).toEqual([])
  }
})

it('a slip in a key is told before anything is opened with it', () => {
  const key = newSpaceKey()
  expect(isSpaceKey(key)).toBe(true)
  const slips = [key.slice(0, -1), `${key}A`, key.slice(5), key.replace(/.$/, (last) => (last === 'A' ? 'Q' : 'A')), '']
  for (const slip of slips) expect(isSpaceKey(slip)).toBe(false)
})
