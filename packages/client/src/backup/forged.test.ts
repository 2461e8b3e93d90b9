/** Files by somebody who knows the passphrase, and so can write anything into them. */
import {
  argon2id,
  type BatchStore,
  ByteWriter,
  cryptoReady,
  defineSchema,
  encrypt,
  f,
  type KdfCost,
  memoryStore,
  startCursor,
  systemPorts,
  table,
} from '@driftlog/core'
import { beforeAll, expect, it } from 'vitest'
import { newSpaceKey } from '../keys/space-key.ts'
import { openReplica } from '../open-replica.ts'
import { restoreBackup } from './restore-backup.ts'

beforeAll(cryptoReady)

const PASSPHRASE = 'correct horse'
const CHEAP: KdfCost = { passes: 1, memoryBytes: 8192 }
const { random } = systemPorts
const text = new TextEncoder()
const KEY = new Uint8Array(32).fill(7)

const headOf = (cost: KdfCost): Uint8Array =>
  new ByteWriter()
    .ascii('DRIFTLOG-BACKUP')
    .byte(1)
    .varint(cost.passes)
    .varint(cost.memoryBytes)
    .raw(new Uint8Array(16))
    .finish()

/** A file with these chunks, as BACK1 says. */
const fileOf = (keyChunk: Uint8Array, ...chunks: readonly Uint8Array[]): Uint8Array =>
  fileAt(CHEAP, keyChunk, ...chunks)
const fileAt = (cost: KdfCost, keyChunk: Uint8Array, ...chunks: readonly Uint8Array[]): Uint8Array => {
  const head = headOf(cost)
  const file = new ByteWriter().raw(head)
  for (const [place, plain] of [keyChunk, ...chunks].entries()) {
    const isLast = place === chunks.length ? 1 : 0
    const associated = new ByteWriter().bytes(text.encode('driftlog/backup/1')).bytes(head).varint(place).byte(isLast)
    const key = place === 0 ? argon2id(text.encode(PASSPHRASE), new Uint8Array(16), cost) : KEY
    const sealed = encrypt(plain, associated.finish(), key, random)
    const length = new Uint8Array(4)
    new DataView(length.buffer).setUint32(0, sealed.length)
    file.raw(length).raw(sealed)
  }
  return file.finish()
}
const keyChunk = (epochs: readonly number[], batches = 0, space = 'home'): ByteWriter => {
  const writer = new ByteWriter().raw(KEY).string(space).varint(batches).varint(epochs.length)
  for (const epoch of epochs) writer.varint(epoch).raw(new Uint8Array(32).fill(epoch))
  return writer
}
const chunkOf = (batches: readonly Uint8Array[]): Uint8Array => {
  const writer = new ByteWriter()
  for (const batch of batches) writer.bytes(batch)
  return writer.finish()
}
const none = new Uint8Array(0)

const restore = async (file: Uint8Array, store: BatchStore): Promise<string> => {
  try {
    await restoreBackup(file, { store, passphrase: PASSPHRASE })
    return 'ok'
  } catch (error) {
    return (error as { code?: string }).code ?? String(error)
  }
}
/** The code that it is refused with; nothing may be stored. */
const refusal = async (file: Uint8Array): Promise<string> => {
  const store = memoryStore()
  const code = await restore(file, store)
  expect([await store.end('home'), await store.records('home', '')]).toEqual([startCursor, []])
  return code
}

it('[BACK2] epochs that are not 1 to n, and a key chunk that does not parse, are damage', async () => {
  expect(await restore(fileOf(keyChunk([1, 2, 3]).finish(), none), memoryStore())).toBe('ok')
  for (const epochs of [[0], [0, 1], [2], [1, 3], [2, 1], [1, 1]])
    expect([epochs, await refusal(fileOf(keyChunk(epochs).finish(), none))]).toEqual([epochs, 'BACKUP_DAMAGED'])
  const whole = keyChunk([1]).finish()
  for (let length = 0; length < whole.length; length++)
    expect(await refusal(fileOf(whole.subarray(0, length), none))).toBe('BACKUP_DAMAGED')
  expect(await refusal(fileOf(keyChunk([1]).byte(0).finish(), none))).toBe('BACKUP_DAMAGED')
  for (const space of ['', '\u0000']) {
    expect(await refusal(fileOf(keyChunk([1], 0, space).finish(), none))).toBe('BACKUP_DAMAGED')
  }
})

it('[BACK2] batches that do not parse, or not one after the other, are damage, and nothing is stored', async () => {
  const schema = defineSchema({ version: 1, tables: { notes: table({ text: f.string() }) } })
  const replica = await openReplica({ schema, space: 'home', key: newSpaceKey(), store: memoryStore() })
  for (const text of ['a', 'b', 'c']) await replica.mutate((tx) => tx.notes.insert({ text })).stored
  const [first, second, third] = await replica.export()
  await replica.close()
  const codeOf = (...batches: readonly Uint8Array[]): Promise<string> =>
    refusal(fileOf(keyChunk([], batches.length).finish(), ...batches.map((batch) => chunkOf([batch]))))
  expect(await codeOf(first, third)).toBe('BACKUP_DAMAGED')
  expect(await codeOf(first, third, second)).toBe('BACKUP_DAMAGED')
  expect(await codeOf(second, third)).toBe('BACKUP_DAMAGED')
  for (const plain of [Uint8Array.of(5, 1), Uint8Array.of(0x80), Uint8Array.of(0x80, 0), chunkOf([none])])
    expect(await refusal(fileOf(keyChunk([], 1).finish(), plain))).toBe('BACKUP_DAMAGED')
  const whole = fileOf(keyChunk([], 4).finish(), ...[first, second, third, second].map((batch) => chunkOf([batch])))
  expect(await restore(whole, memoryStore())).toBe('ok')
})

it('[BACK2] nor does a file make anyone work for minutes', async () => {
  const withPasses = (passes: number): Uint8Array => fileAt({ passes, memoryBytes: 8192 }, keyChunk([1]).finish(), none)
  expect(await restore(withPasses(16), memoryStore())).toBe('ok')
  expect(await refusal(withPasses(17))).toBe('BACKUP_DAMAGED')
  for (const cost of [
    { passes: 0, memoryBytes: 8192 },
    { passes: 17, memoryBytes: 8192 },
    { passes: 1, memoryBytes: 8191 },
    { passes: 1, memoryBytes: 512 * 1024 * 1024 + 1 },
  ])
    expect(await refusal(new ByteWriter().raw(headOf(cost)).raw(new Uint8Array(300)).finish())).toBe('BACKUP_DAMAGED')
})
