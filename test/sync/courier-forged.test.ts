/** What a malicious member hands on by stick: it signs whatever it likes, as devices of its own. */
import { type Batch, f, hlcFromMs, MAX_HLC, type Shift } from '@driftlog/core'
import { afterEach, expect, it } from 'vitest'
import { shapes } from '../../packages/core/src/testing/replicas.test-support.ts'
import { treeForger } from '../../packages/core/src/testing/tree-forger.test-support.ts'
import { type Device, InProcess } from './in-process.ts'

let world = new InProcess('unencrypted')
afterEach(async () => {
  await world.close()
  world = new InProcess('unencrypted')
})

const FAR = MAX_HLC - 10
const insert = (id: string) => ({ shape: shapes.insert, row: { id } }) as const
const imported = async (device: Device, ...batches: readonly Batch[]): Promise<string[]> =>
  (await device.import(batches.map(({ bytes }) => bytes))).map(({ code }) => code)
/** It goes on writing, with stamps of now. */
const expectUsable = async (device: Device): Promise<void> => {
  const id = device.mutate((tx) => tx.tasks.insert({ title: 'honest', votes: 1 })).value
  await device.mutate((tx) => tx.tasks.update(id, { votes: f.increment(1) })).stored
  const [row] = await device.query((db) => db.selectFrom('tasks').selectAll().where('id', '=', id))
  expect(row.votes).toBe(2)
  expect(Math.abs(row.updatedAt.getTime() - Date.now())).toBeLessThan(120_000)
}

/** A device with one run of now and one far ahead, and one that states a shift. */
const forge = () => {
  const now = hlcFromMs(Date.now())
  const d = treeForger(1, 'home')
  const one = d.seal(d.root, [[{ hlc: now - 5, changes: [insert('x')] }]])
  const two = d.seal(one.end, [[{ hlc: FAR, changes: [insert('y')] }]])
  const named: Shift = { device: d.device, base: 1, firstTag: d.tag(two.end.hash), shift: FAR - now + 5, floor: 0 }
  const m = treeForger(2, 'home')
  const stating = (change: Partial<Shift>): Batch =>
    m.seal(m.root, [[{ hlc: now - 4 }]], { shifts: [{ ...named, ...change }] }).batch
  return { one: one.batch, two: two.batch, stating, named }
}

it('[SYNC5 BR2] a shift of a run that is not there opens no way for stamps of the far future', async () => {
  world.isCut = true
  for (const change of [{ firstTag: new Uint8Array(16) }, { base: 0 }, { shift: 4096 }]) {
    const device = await world.open()
    const { one, two, stating } = forge()
    expect(await imported(device, one, two, stating(change))).toEqual(['CLOCK_AHEAD'])
    expect([...device.held().values()]).toEqual([1, 1])
    expect(await imported(device, two)).toEqual(['CLOCK_AHEAD'])
    await expectUsable(device)
  }
})

it('[SYNC5 BR2] nor does one whose batch is not taken in', async () => {
  world.isCut = true
  const device = await world.open()
  const { one, two, stating } = forge()
  const unsigned = stating({}).bytes.slice()
  unsigned[unsigned.length - 1] ^= 1
  const refused = await device.import([one.bytes, two.bytes, unsigned])
  expect(refused.map(({ code }) => code).toSorted()).toEqual(['CLOCK_AHEAD', 'SIGNATURE_INVALID'])
  await expectUsable(device)
})

it('[SYNC5 BR2] what a shift covers is taken in with it, in one delivery or later, in any order', async () => {
  world.isCut = true
  const { one, two, stating } = forge()
  const [together, later] = [await world.open(), await world.open()]
  expect(await imported(together, two, one, stating({}))).toEqual([])
  expect(await imported(later, one, two)).toEqual(['CLOCK_AHEAD'])
  expect(await imported(later, stating({}))).toEqual([])
  expect(await imported(later, two)).toEqual([])
  expect(together.digest()).toBe(later.digest())
  for (const device of [together, later]) await expectUsable(device)
})

it('[SYNC5] a floor near the end of the stamps is left with the courier', async () => {
  world.isCut = true
  const device = await world.open()
  const { one, stating } = forge()
  expect(await imported(device, one, stating({ base: 0, firstTag: one.header.tagAfter, floor: MAX_HLC }))).toEqual([
    'CLOCK_AHEAD',
  ])
  await expectUsable(device)
})
