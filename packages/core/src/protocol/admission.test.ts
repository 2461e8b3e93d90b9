/** ING2 and BR2: a batch that is ahead of the server's clock, and the shifts of its branch. */
import { beforeAll, describe, expect, it } from 'vitest'
import type { DeviceId } from '../clock/dot.ts'
import { HLC_COUNTER_SPAN, hlcFromMs, toCoarse } from '../clock/hlc.ts'
import { fingerprint, makeCertificate } from '../crypto/identity.ts'
import { cryptoReady, type SigningKeys, signingKeysFromSeed } from '../crypto/sodium.ts'
import { assembleBatch, type Batch, encodeHeader, type Shift } from '../log/batch.ts'
import { signBatch } from '../log/signature.ts'
import { admit, isRefused, shiftRecords, toLookUp } from './admission.ts'
import { shiftOfRecord, shiftPrefix } from './shift-records.ts'

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

/** `name`: of the history from the batch on; its first tag. */
const batchOf = (seq: number, name: number, coarseMaxHlc = 1, shifts: readonly Shift[] = []): Batch => {
  const header = encodeHeader({
    format: 1,
    space: 'home',
    device,
    fromSeq: seq,
    toSeq: seq,
    coarseMaxHlc,
    keyEpoch: 0,
    flags: 0,
    tagBefore: tagOf(0),
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
/** Of each batch whether it is admitted, or why not. */
const judged = (batches: readonly Batch[], shifts: readonly Shift[] = []): string[] =>
  admit(batches, { certificates: new Map([[device, certificate]]), shifts }, NOW).map((candidate) =>
    isRefused(candidate) ? candidate.code : 'admitted',
  )

describe('shifts', () => {
  it('ING2 without one a batch far ahead is refused, with the server\u2019s time', () => {
    const [refused] = admit([batchOf(5, 1, FAR)], { certificates: new Map([[device, certificate]]), shifts: [] }, NOW)
    expect(refused).toEqual({ kind: 'refused', code: 'CLOCK_AHEAD', details: { serverTimeMs: NOW } })
  })

  it('BR2 at its beginning a shift is for the run that it names; behind it, for the seqs above its base', () => {
    expect(judged([batchOf(5, 1, FAR)], [shiftOf(4, 1)])).toEqual(['admitted'])
    expect(judged([batchOf(5, 2, FAR)], [shiftOf(4, 1)])).toEqual(['CLOCK_AHEAD'])
    expect(judged([batchOf(6, 2, FAR)], [shiftOf(4, 1)])).toEqual(['admitted'])
    expect(judged([batchOf(4, 1, FAR)], [shiftOf(4, 1)])).toEqual(['CLOCK_AHEAD'])
    expect(judged([batchOf(5, 1, FAR)], [{ ...shiftOf(4, 1), device: 'other' as DeviceId }])).toEqual(['CLOCK_AHEAD'])
  })

  it('ING2 what is left after the shift is bounded as any stamp, and so is the floor of a shift', () => {
    expect(judged([batchOf(5, 1, FAR)], [shiftOf(4, 1, YEAR / 2)])).toEqual(['CLOCK_AHEAD'])
    expect(judged([batchOf(5, 1, FAR)], [shiftOf(4, 1, YEAR / 2), shiftOf(3, 1)])).toEqual(['admitted'])
    const farFloor = hlcFromMs(NOW + YEAR_MS)
    expect(judged([batchOf(5, 1, 1, [shiftOf(4, 1, YEAR, farFloor)])])).toEqual(['CLOCK_AHEAD'])
  })

  it('BR2 one that an accepted batch states counts for those after it in the push', () => {
    const stating = batchOf(1, 9, 1, [shiftOf(4, 1)])
    expect(judged([stating, batchOf(5, 1, FAR)])).toEqual(['admitted', 'admitted'])
    expect(judged([batchOf(5, 1, FAR), stating])).toEqual(['CLOCK_AHEAD', 'admitted'])
    expect(judged([batchOf(1, 9, FAR, [shiftOf(4, 1)]), batchOf(5, 1, FAR)])).toEqual(['CLOCK_AHEAD', 'CLOCK_AHEAD'])
  })

  it('records are read for what is ahead only, and give back what was stated', () => {
    expect(toLookUp([batchOf(5, 1)], NOW)).toEqual({ devices: [device], ahead: [] })
    expect(toLookUp([batchOf(1, 1, FAR)], NOW)).toEqual({ devices: [], ahead: [device] })
    const shift = shiftOf(4, 1, YEAR, 77)
    const [record] = shiftRecords([batchOf(1, 9, 1, [shift])])
    expect(record.key).toBe(`shift/${device}/4/AQEBAQEBAQEBAQEBAQEBAQ/${YEAR}`)
    expect(record.key.startsWith(shiftPrefix(device))).toBe(true)
    expect(shiftOfRecord(device, { key: record.key, value: record.value! })).toEqual(shift)
  })
})
