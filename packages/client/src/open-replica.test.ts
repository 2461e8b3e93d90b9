import {
  assembleBatch,
  BATCH_FORMAT,
  defineSchema,
  encodeHeader,
  f,
  hlcFromMs,
  memoryMedium,
  memoryStore,
  signBatch,
  signingKeysFromSeed,
  table,
} from '@driftlog/core'
import { expect, it } from 'vitest'
import { openReplica } from './open-replica.ts'

const schema = defineSchema({ version: 1, tables: { notes: table({ text: f.string() }) } })

it('[SEEN3] a device does not write on where a newer version of the app wrote what it cannot show', async () => {
  const medium = memoryMedium()
  const store = memoryStore(medium)
  const replica = await openReplica({ schema, space: 'home', key: 'unencrypted', store })
  await replica.mutate((tx) => tx.notes.insert({ text: 'old' })).stored
  const { device } = replica
  await replica.close()

  const [{ value: seed }] = await store.records('home', 'slot/0')
  const { tag } = (await store.tips('home')).get(device)!
  const header = encodeHeader({
    format: BATCH_FORMAT,
    space: 'home',
    device,
    fromSeq: 2,
    toSeq: 2,
    coarseMaxHlc: Math.ceil(hlcFromMs(Date.UTC(2026, 0, 1)) / 2 ** 22),
    keyEpoch: 0,
    flags: 1024,
    tagBefore: tag,
    tagAfter: new Uint8Array(16),
    innerEnds: [],
    shifts: [],
    certificate: undefined,
  })
  const body = Uint8Array.of(9)
  await store.append('home', [assembleBatch(header, body, signBatch(header, body, signingKeysFromSeed(seed)))])

  await expect(openReplica({ schema, space: 'home', key: 'unencrypted', store })).rejects.toMatchObject({
    code: 'FORMAT_UNKNOWN',
  })
  expect((await store.vector('home')).get(device)).toBe(2)
  // The slot is free again.
  const { slot, release } = await store.claimSlot('home')
  expect(slot).toBe(0)
  await release()
})
