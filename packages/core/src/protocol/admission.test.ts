/** ING2 and BR2: a batch that is ahead of the server's clock, and the shifts of its branch. */
import { beforeAll, describe, expect, it } from 'vitest'
import type { DeviceId } from '../clock/dot.ts'
import { HLC_COUNTER_SPAN, hlcFromMs, MAX_HLC, toCoarse } from '../clock/hlc.ts'
import { fingerprint, makeCertificate } from '../crypto/identity.ts'
import { cryptoReady, type SigningKeys, signingKeysFromSeed } from '../crypto/sodium.ts'
import { assembleBatch, type Batch, encodeHeader, type Shift, startTagOf } from '../log/batch.ts'
import { signBatch } from '../log/signature.ts'
import { memoryStore } from '../log/memory-store.ts'
import { admit, aheadOf, devicesOf, isRefused, outcomesOf, shiftRecords } from './admission.ts'
import { readAdmission } from './read-admission.ts'
import { shiftOfRecord, shiftPrefix, shiftRecord } from './shift-records.ts'

const NOW = Date.UTC(2026, 5, 1)
const YEAR_MS = 365 * 86_400_000
const YEAR = YEAR_MS * HLC_COUNTER_SPAN
/** A year ahead of the server. */
const FAR = toCoarse(hlcFromMs(NOW + YEAR_MS))

let keys: SigningKeys
let device: DeviceId
let certificate: Uint8Array

beforeAll(async () => {
  await cryptoReady()
  keys = signingKeysFromSeed(new Uint8Array(32).fill(1))
  device = fingerprint(keys.publicKey)
  certificate = makeCertificate('home', keys.publicKey, signingKeysFromSeed(new Uint8Array(32).fill(2)))
})

const tagOf = (name: number): Uint8Array => new Uint8Array(16).fill(name)

interface BatchShape {
  /** The tags before and after; one run. */
  readonly before?: number
  readonly name: number
  readonly coarseMaxHlc?: number
  readonly shifts?: readonly Shift[]
}

const batchOf = (seq: number, { before = 0, name, coarseMaxHlc = 1, shifts = [] }: BatchShape): Batch => {
  const header = encodeHeader({
    format: 1,
    space: 'home',
    device,
    fromSeq: seq,
    toSeq: seq,
    coarseMaxHlc,
    keyEpoch: 0,
    flags: 0,
    tagBefore: seq === 1 ? startTagOf({ space: 'home', device, shifts }, certificate) : tagOf(before),
    innerEnds: [],
    tagAfter: tagOf(name),
    shifts,
    certificate: seq === 1 ? certificate : undefined,
  })
  return assembleBatch(header, new Uint8Array(3), signBatch(header, new Uint8Array(3), keys))
}
const shiftOf = (base: number, name: number, shift = YEAR, floor = 0): Shift => ({
  device,
  base,
  firstTag: tagOf(name),
  shift,
  floor,
})
/** Of each batch of the first stretch whether it is admitted, or why not. */
const judged = (batches: readonly Batch[], shift = 0): string[] =>
  admit(batches, { certificates: new Map([[device, certificate]]), shift }, NOW).judged.map((candidate) =>
    isRefused(candidate) ? candidate.code : 'admitted',
  )
/** The greatest shift that counts for a batch, where `held` is stored and these shifts are recorded. */
const counting = async (batch: Batch, held: readonly Batch[], shifts: readonly Shift[]): Promise<number> => {
  const store = memoryStore()
  const outcomes = await store.append('home', held, { records: shifts.map(shiftRecord) })
  expect(outcomes.every(({ kind }) => kind === 'appended')).toBe(true)
  return (await readAdmission(store, 'home', { devices: [], ahead: batch.header })).shift
}

describe('admission', () => {
  it('ING2 without a shift a batch far ahead is refused, with the server\u2019s time', () => {
    const known = { certificates: new Map([[device, certificate]]), shift: 0 }
    const { judged: refused } = admit([batchOf(5, { name: 1, coarseMaxHlc: FAR })], known, NOW)
    expect(refused).toEqual([{ kind: 'refused', code: 'CLOCK_AHEAD', details: { serverTimeMs: NOW } }])
  })

  it('ING2 what is left after the shift is bounded as any stamp, and so is the floor of a shift', () => {
    const ahead = batchOf(5, { name: 1, coarseMaxHlc: FAR })
    expect(judged([ahead], YEAR / 2)).toEqual(['CLOCK_AHEAD'])
    expect(judged([ahead], YEAR)).toEqual(['admitted'])
    for (const floor of [hlcFromMs(NOW + YEAR_MS), MAX_HLC, Number.MAX_SAFE_INTEGER]) {
      expect(judged([batchOf(1, { name: 1, shifts: [shiftOf(4, 1, YEAR, floor)] })])).toEqual(['CLOCK_AHEAD'])
    }
    expect(judged([batchOf(1, { name: 1, shifts: [shiftOf(4, 1, YEAR, hlcFromMs(NOW))] })])).toEqual(['admitted'])
  })

  it('BR2 a stretch ends before a batch that is ahead, and before and after one that states shifts', () => {
    const plain = batchOf(5, { name: 1 })
    const ahead = batchOf(6, { name: 2, coarseMaxHlc: FAR })
    const stating = batchOf(1, { name: 9, shifts: [shiftOf(5, 2)] })
    expect(judged([plain, ahead])).toEqual(['admitted'])
    expect(judged([ahead, plain, ahead], YEAR)).toEqual(['admitted', 'admitted'])
    expect(judged([plain, stating, ahead])).toEqual(['admitted'])
    expect(judged([stating, plain])).toEqual(['admitted'])
  })

  it('is asked for what is ahead only, and for the certificates of what goes on', () => {
    const ahead = batchOf(5, { name: 1, coarseMaxHlc: FAR })
    expect(aheadOf([batchOf(5, { name: 1 }), ahead], NOW)).toBeUndefined()
    expect(aheadOf([ahead], NOW)).toBe(ahead.header)
    expect(devicesOf([batchOf(1, { name: 1 }), batchOf(5, { name: 1 })])).toEqual([device])
    expect(devicesOf([batchOf(1, { name: 1, coarseMaxHlc: FAR })])).toEqual([])
  })
})

describe('what a pusher is told', () => {
  it('ING8 of a batch that begins below what was pruned: BELOW_BASE, and the others are stored', async () => {
    const store = memoryStore()
    const [first, second] = [batchOf(1, { name: 1 }), batchOf(2, { before: 1, name: 2 })]
    await store.append('home', [first])
    const { toSeq: seq, tagAfter: tag } = first.header
    await store.prune('home', [{ branch: device, seq, tag }])
    expect(outcomesOf([first, second], await store.append('home', [first, second]))).toEqual([
      { kind: 'refused', code: 'BELOW_BASE', details: { floor: 1 } },
      { kind: 'appended' },
    ])
  })
})

describe('a shift', () => {
  const one = (): Batch => batchOf(1, { name: 1 })
  const two = (): Batch => batchOf(2, { before: 1, name: 2 })
  const three = (): Batch => batchOf(3, { before: 2, name: 3 })

  it('ING2 BR2 counts for the run that it names and for what goes on from it', async () => {
    expect(await counting(one(), [], [shiftOf(0, 1)])).toBe(YEAR)
    expect(await counting(two(), [one()], [shiftOf(1, 2)])).toBe(YEAR)
    expect(await counting(two(), [one()], [shiftOf(0, 1)])).toBe(YEAR)
    expect(await counting(three(), [one(), two()], [shiftOf(0, 1)])).toBe(YEAR)
    expect(await counting(three(), [one(), two()], [shiftOf(0, 1, 5), shiftOf(1, 2, 7), shiftOf(2, 3, 6)])).toBe(7)
    expect(await counting(two(), [one()], [shiftOf(2, 3)])).toBe(0)
  })

  it('ING2 BR2 of a run that nobody has, or that has gone on from elsewhere, counts for nothing', async () => {
    expect(await counting(two(), [one()], [shiftOf(0, 9), shiftOf(1, 9), shiftOf(0, 2)])).toBe(0)
    const other = batchOf(2, { before: 1, name: 7 })
    expect(await counting(three(), [one(), two(), other], [shiftOf(1, 7)])).toBe(0)
    expect(await counting(batchOf(3, { before: 7, name: 8 }), [one(), two(), other], [shiftOf(1, 7)])).toBe(YEAR)
    expect(await counting(three(), [one(), two(), other], [shiftOf(0, 1)])).toBe(YEAR)
    // A beginning that is not held is a gap in any case.
    expect(await counting(three(), [one()], [shiftOf(0, 1)])).toBe(0)
  })

  it('is recorded and read again', () => {
    const shift = shiftOf(4, 1, YEAR, 77)
    const [record] = shiftRecords([batchOf(1, { name: 9, shifts: [shift] })])
    expect(record.key).toBe(`shift/${device}/4/AQEBAQEBAQEBAQEBAQEBAQ/${YEAR}`)
    expect(record.key.startsWith(shiftPrefix(device))).toBe(true)
    expect(shiftOfRecord(device, { key: record.key, value: record.value! })).toEqual(shift)
  })
})
