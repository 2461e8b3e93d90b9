import { expect, it } from 'vitest'
import type { DeviceId } from '../clock/dot.ts'
import { OpIndex } from './ops.ts'
import type { DotRef } from '../op/dot-ref.ts'
import type { Row } from './row.ts'
import { SettledConflicts } from './settled.ts'

const COLUMN = 0
const row = { id: 'x' } as Row

it('[CONF3] a write looks at the settlements that its op had not seen, and at no others, however many there are', () => {
  const ops = new OpIndex()
  const [a, b] = ['a', 'b'].map((device) => ops.deviceIndex(device as DeviceId))
  const settled = new SettledConflicts(ops)
  const settle = (device: number, stamp: number, write: DotRef): DotRef => {
    const by = ops.append(device, stamp, ops.lastSeen(device))
    const candidates = [{ ref: write, value: `${write}` }]
    settled.add({ row, column: COLUMN, by, reason: '', candidates, outcome: null })
    return by
  }
  for (let stamp = 2; stamp < 1_000; stamp += 2) settle(a, stamp, ops.append(a, stamp - 1, ops.lastSeen(a)))
  const write = ops.append(b, 5_000, ops.lastSeen(b))
  const unseen = settle(b, 5_001, write)

  let asked = 0
  const sees = (ref: DotRef): boolean => {
    asked++
    return ref !== unseen && ref !== write
  }
  settled.replaced(row, COLUMN, { sees, replaces: (ref) => ref !== unseen, names: () => false })
  expect(asked).toBeLessThan(5)
  expect(settled.find(row, COLUMN, write)?.value).toBeUndefined()
  expect(settled.newest().filter((one) => 'candidates' in one && one.candidates[0].value === undefined)).toHaveLength(1)
})
