import { deflateSync } from 'fflate'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { toCoarse } from '../clock/hlc.ts'
import { ByteWriter } from '../codec/bytes.ts'
import { Keyring } from '../crypto/keyring.ts'
import { cryptoReady } from '../crypto/sodium.ts'
import { opCount } from '../op/run.ts'
import { encodeRun } from '../op/run-codec.ts'
import {
  codeOf,
  type ForgedOp,
  forgeRun,
  identityOf,
  plainKeys,
  shapes,
  SPACE,
} from '../testing/replicas.test-support.ts'
import {
  assembleBatch,
  type Batch,
  type BatchHeader,
  decodeBatch,
  encodeHeader,
  FLAG_DEFLATE,
  MAX_BATCH_BYTES,
  type RunEnd,
  startTagOf,
} from './batch.ts'
import { MAX_BODY_BYTES, openBatch, sealBatch } from './seal.ts'
import { signBatch, verifyBatch } from './signature.ts'

beforeAll(cryptoReady)

const TAG = new Uint8Array(16)
const openPlain = (batch: Batch) => openBatch(batch, Keyring.unencrypted(SPACE))
const identity = (() => {
  let made: ReturnType<typeof identityOf> | undefined
  return () => (made ??= identityOf(1))
})()

const opsOf = (...stamps: number[]): ForgedOp[] =>
  stamps.map((hlc) => ({
    hlc,
    changes: [{ shape: shapes.title, row: { id: `row ${hlc}` }, value: 'text '.repeat(9) }],
  }))

const runBytes = (fromSeq: number, ...stamps: number[]): Uint8Array =>
  encodeRun(forgeRun(identity().device, fromSeq, opsOf(...stamps)))

const seal = (
  runs: readonly Uint8Array[],
  fromSeq: number,
  toSeq: number,
  innerEnds: readonly RunEnd[] = [],
  maxHlc = 1_000,
): Batch => {
  const tagBefore = fromSeq === 1 ? startTagOf({ ...identity(), shifts: [] }, identity().certificate) : TAG
  return sealBatch(
    { ...identity(), fromSeq, toSeq, maxHlc, tagBefore, tagAfter: TAG, innerEnds },
    runs,
    plainKeys(identity().keys),
  )
}

/** A batch whose header and body are what they are said to be, and signed. */
const lie = (header: Partial<BatchHeader>, body: Uint8Array): Batch => {
  const honest = seal([runBytes(1, 10, 20)], 1, 2).header
  const headerBytes = encodeHeader({ ...honest, ...header })
  return assembleBatch(headerBytes, body, signBatch(headerBytes, body, identity().keys))
}

const bodyOf = (...runs: Uint8Array[]): Uint8Array => {
  const writer = new ByteWriter().varint(runs.length)
  for (const run of runs) writer.bytes(run)
  return writer.finish()
}

/** As bodies were before their ends stood in the header. */
const withTagBetween = (one: Uint8Array, two: Uint8Array): Uint8Array =>
  new ByteWriter().varint(2).bytes(one).raw(TAG).bytes(two).finish()

const endAt = (toSeq: number): RunEnd[] => [{ toSeq, tag: TAG }]

const deflated = (announced: number, plain: Uint8Array): Uint8Array =>
  new ByteWriter()
    .varint(announced)
    .raw(deflateSync(plain, { level: 9 }))
    .finish()

describe('sealing', () => {
  it('[ENV1] consecutive runs come out as they went in, small and compressed', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 }), (lengths) => {
        let seq = 1
        const runs = lengths.map((length) => {
          const stamps = Array.from({ length }, (_, index) => seq + index)
          seq += length
          return runBytes(seq - length, ...stamps)
        })
        let toSeq = 0
        const ends = lengths.map((length, index) => ({ toSeq: (toSeq += length), tag: TAG.map(() => index + 1) }))
        const batch = decodeBatch(seal(runs, 1, seq - 1, ends.slice(0, -1)).bytes)
        verifyBatch(batch, undefined)
        const opened = openPlain(batch)
        expect(opened.map(({ bytes }) => Buffer.from(bytes))).toEqual(runs.map((bytes) => Buffer.from(bytes)))
        expect(opened.map(({ run }) => opCount(run))).toEqual(lengths)
        // The tags between runs are the header's; the first and the last are those of the batch.
        const inner = ends.slice(0, -1).map(({ tag }) => tag)
        expect(opened.map(({ tagBefore }) => tagBefore)).toEqual([batch.header.tagBefore, ...inner])
        expect(opened.map(({ tagAfter }) => tagAfter)).toEqual([...inner, TAG])
      }),
      { numRuns: 50 },
    )
  })

  it('[ENV1] every byte is covered by the signature, or is not a batch', () => {
    const { bytes } = seal([runBytes(1, 10, 20)], 1, 2)
    for (let at = 0; at < bytes.length; at++) {
      const changed = bytes.slice()
      changed[at] ^= 1 << (at % 8)
      const code = codeOf(() => verifyBatch(decodeBatch(changed), undefined))
      expect(['MALFORMED', 'TOO_LARGE', 'FORMAT_UNKNOWN', 'SIGNATURE_INVALID', 'CERTIFICATE_INVALID']).toContain(code)
    }
    for (const length of [0, 1, 64, 100, bytes.length - 1]) {
      expect(codeOf(() => verifyBatch(decodeBatch(bytes.subarray(0, length)), undefined))).not.toBe('ok')
    }
  })

  it('[ENV1] a batch above its limits is refused before it is parsed', () => {
    expect(codeOf(() => decodeBatch(new Uint8Array(MAX_BATCH_BYTES + 1)))).toBe('TOO_LARGE')
    expect(codeOf(() => lie({ toSeq: 1_001 }, bodyOf()))).toBe('TOO_LARGE')
    expect(codeOf(() => lie({ fromSeq: 3, toSeq: 2, certificate: undefined }, bodyOf()))).toBe('MALFORMED')
  })

  it('[ENV5] a compression bomb ends at the announced length, and that at 8 MB', () => {
    // Zeros deflate by about 1,030 : 1. The large one is past the point where bodies are inflated in steps.
    for (const size of [1_000_000, 60_000_000]) {
      const bomb = deflated(100, new Uint8Array(size))
      const startedAt = process.cpuUsage()
      expect(codeOf(() => openPlain(lie({ flags: FLAG_DEFLATE }, bomb)))).toBe('MALFORMED')
      const { user } = process.cpuUsage(startedAt)
      // 60 MB take some 170 ms if followed to their end, the first 8 MB some 30.
      expect(user).toBeLessThan(2_000_000)
    }
    const announced = new ByteWriter()
      .varint(MAX_BODY_BYTES + 1)
      .raw(new Uint8Array(20))
      .finish()
    expect(codeOf(() => openPlain(lie({ flags: FLAG_DEFLATE }, announced)))).toBe('TOO_LARGE')
  })

  it('[ENV5] a body that lies about its length, or is no deflate stream, is MALFORMED', () => {
    const plain = bodyOf(runBytes(1, 10, 20))
    const open = (body: Uint8Array): string => codeOf(() => openPlain(lie({ flags: FLAG_DEFLATE }, body)))
    expect(open(deflated(plain.length, plain))).toBe('ok')
    expect(open(deflated(plain.length + 1, plain))).toBe('MALFORMED')
    expect(open(deflated(plain.length - 1, plain))).toBe('MALFORMED')
    expect(open(deflated(MAX_BODY_BYTES, plain))).toBe('MALFORMED')
    expect(open(deflated(plain.length, plain).subarray(0, 20))).toBe('MALFORMED')
    expect(open(new Uint8Array(0))).toBe('MALFORMED')
    expect(open(Uint8Array.of(5))).toBe('MALFORMED')
    expect(open(Uint8Array.of(5, 0xff, 0xff, 0xff))).toBe('MALFORMED')
    const noise = Array.from({ length: 20_000 }, (_, index) => (index * 7919) % 251)
    const large = bodyOf(
      encodeRun(
        forgeRun(identity().device, 1, [
          {
            hlc: 10,
            changes: [{ shape: shapes.title, row: { id: 'x' }, value: Uint8Array.from(noise, (n, i) => n ^ (i >> 3)) }],
          },
          { hlc: 20 },
        ]),
      ),
    )
    const stored = new ByteWriter()
      .varint(large.length)
      .raw(deflateSync(large, { level: 0 }))
      .finish()
    expect(stored.length).toBeGreaterThan(16_384)
    expect(open(stored)).toBe('ok')
    expect(open(stored.subarray(0, 12_000))).toBe('MALFORMED')
    expect(
      open(
        new ByteWriter()
          .varint(large.length + 1)
          .raw(deflateSync(large, { level: 0 }))
          .finish(),
      ),
    ).toBe('MALFORMED')
  })

  it('[ENV1] runs that end where the header says open', () => {
    const body = bodyOf(runBytes(1, 10), runBytes(2, 20, 30))
    expect(codeOf(() => openPlain(lie({ toSeq: 3, innerEnds: endAt(1) }, body)))).toBe('ok')
  })

  it.each<[string, Partial<BatchHeader>, () => Uint8Array]>([
    ['seqs beyond the runs', { toSeq: 3 }, () => bodyOf(runBytes(1, 10, 20))],
    ['seqs short of the runs', { toSeq: 1 }, () => bodyOf(runBytes(1, 10, 20))],
    ['another first seq', {}, () => bodyOf(runBytes(2, 10, 20))],
    ['a gap between runs', { toSeq: 4, innerEnds: endAt(1) }, () => bodyOf(runBytes(1, 10), runBytes(3, 20, 30))],
    ['the same run twice', { innerEnds: endAt(1) }, () => bodyOf(runBytes(1, 10), runBytes(1, 10))],
    ['more runs than ends', {}, () => bodyOf(runBytes(1, 10), runBytes(2, 20))],
    ['fewer runs than ends', { innerEnds: endAt(1) }, () => bodyOf(runBytes(1, 10, 20))],
    ['an end inside a run', { toSeq: 3, innerEnds: endAt(1) }, () => bodyOf(runBytes(1, 10, 20), runBytes(3, 30))],
    ['an end behind its run', { toSeq: 3, innerEnds: endAt(2) }, () => bodyOf(runBytes(1, 10), runBytes(2, 20, 30))],
    ['tags between runs', { innerEnds: endAt(1) }, () => withTagBetween(runBytes(1, 10), runBytes(2, 20))],
    ['bytes after the runs', {}, () => Uint8Array.of(...bodyOf(runBytes(1, 10, 20)), 0)],
    ['no run', {}, () => bodyOf()],
    ['2^28 runs', {}, () => Uint8Array.of(0xff, 0xff, 0xff, 0x7f)],
    ['compression that is none', { flags: FLAG_DEFLATE }, () => bodyOf(runBytes(1, 10, 20))],
    ['no compression where there is', {}, () => deflated(97, bodyOf(runBytes(1, 10, 20)))],
  ])('[ENV5] a header or body that lies: %s', (_, header, body) => {
    expect(codeOf(() => openPlain(lie(header, body())))).toBe('MALFORMED')
  })

  it('[ENV5] a stamp above the coarse one of the header is MALFORMED; one that is rounded up to it passes', () => {
    const hlc = 5_000_000_000
    const body = bodyOf(runBytes(1, 10, hlc))
    expect(codeOf(() => openPlain(lie({ coarseMaxHlc: toCoarse(hlc) }, body)))).toBe('ok')
    expect(codeOf(() => openPlain(lie({ coarseMaxHlc: toCoarse(hlc) - 1 }, body)))).toBe('MALFORMED')
  })

  it('[ENV3] an encrypted batch asks for its key, and a run of another epoch than its batch is MALFORMED', () => {
    expect(codeOf(() => openPlain(lie({ keyEpoch: 1 }, bodyOf(runBytes(1, 10, 20)))))).toBe('KEY_MISSING')
    const ofEpoch = Uint8Array.of(1, 1, 7, ...runBytes(1, 10, 20).subarray(3))
    expect(codeOf(() => openPlain(lie({}, bodyOf(ofEpoch))))).toBe('MALFORMED')
  })

  it('[OP8] a certificate of another space, device or installation does not vouch', () => {
    const batch = seal([runBytes(1, 10, 20)], 1, 2)
    expect(codeOf(() => verifyBatch(batch, undefined))).toBe('ok')
    const body = bodyOf(runBytes(1, 10, 20))
    expect(codeOf(() => verifyBatch(lie({ certificate: identityOf(2).certificate }, body), undefined))).toBe(
      'CERTIFICATE_INVALID',
    )
    expect(codeOf(() => verifyBatch(lie({ certificate: identityOf(1, 'other').certificate }, body), undefined))).toBe(
      'CERTIFICATE_INVALID',
    )
    expect(codeOf(() => verifyBatch(lie({ space: 'other' }, body), undefined))).toBe('CERTIFICATE_INVALID')
    const cut = identity().certificate.subarray(0, 100)
    expect(codeOf(() => verifyBatch(lie({ certificate: cut }, body), undefined))).toBe('CERTIFICATE_INVALID')
    const later = seal([runBytes(3, 10, 20)], 3, 4)
    expect(codeOf(() => verifyBatch(later, undefined))).toBe('CERTIFICATE_INVALID')
    expect(codeOf(() => verifyBatch(later, identity().certificate))).toBe('ok')
  })
})
