import fc from 'fast-check'
import { unpack } from 'msgpackr'
import { beforeAll, describe, expect, it } from 'vitest'
import { deviceIdFromBytes } from '../clock/dot.ts'
import { encodeVector } from '../clock/version-vector.ts'
import { cryptoReady } from '../crypto/sodium.ts'
import { DriftlogError } from '../errors.ts'
import { MAX_BATCH_BYTES } from '../log/batch.ts'
import { MAX_ENTRY_BYTES } from '../membership/entry.ts'
import { MAX_PASS_BYTES } from '../membership/pass.ts'
import {
  decodeClientExchange,
  decodeClientFrame,
  decodeServerFrame,
  encodeExchange,
  encodeFrame,
  toRefusalDetails,
} from './frame-codec.ts'
import {
  type ClientMessage,
  ENTRIES_LIMIT,
  MAX_FRAME_BYTES,
  MAX_PAGE_BATCHES,
  MAX_POINTS,
  MAX_PUSH_BATCHES,
  PROTOCOL_VERSION,
  type ServerMessage,
} from './messages.ts'
import { decodeTips, encodeTips } from './tip-codec.ts'
import { decodeWire, encodeWire, type WireValue } from './wire-value.ts'

beforeAll(cryptoReady)

const codes = new Set(['MALFORMED', 'TOO_LARGE', 'PROTOCOL_VERSION'])
const codeOf = (run: () => unknown): string | undefined => {
  try {
    run()
    return undefined
  } catch (error) {
    if (error instanceof DriftlogError) return error.code
    throw error
  }
}

const bytes = (maxLength: number, minLength = 0) => fc.uint8Array({ minLength, maxLength })
const id = fc.maxSafeNat()
const cursor = fc.oneof(
  fc.constant({ position: 0, tag: new Uint8Array(0) }),
  fc.record({ position: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), tag: bytes(16, 16) }),
)
const vector = fc
  .array(fc.tuple(bytes(16, 16), fc.integer({ min: 1, max: 1e15 })), { maxLength: 5 })
  .map((entries) => encodeVector(new Map(entries.map(([device, seq]) => [deviceIdFromBytes(device), seq]))))
const tips = fc
  .array(fc.tuple(bytes(16, 16), fc.integer({ min: 1, max: 1e15 }), bytes(16, 16)), { maxLength: 5 })
  .map((entries) => encodeTips(new Map(entries.map(([id, seq, tag]) => [deviceIdFromBytes(id), { seq, tag }]))))
const points = fc
  .uniqueArray(fc.tuple(fc.integer({ min: 1, max: 1e15 }), bytes(16, 16)), {
    minLength: 1,
    maxLength: MAX_POINTS,
    selector: ([seq]) => seq,
  })
  .map((all) => all.map(([seq, tag]) => ({ seq, tag })).sort((a, b) => a.seq - b.seq))
const text = (maxLength: number) =>
  fc.string({ unit: 'grapheme', maxLength }).filter((value) => value.length <= maxLength)
const details = fc.dictionary(
  fc.stringMatching(/^[a-z][a-zA-Z]{0,10}$/).filter((key) => !(key in Object.prototype)),
  fc.oneof(
    text(50),
    fc.double({ noNaN: true }).map((value) => value + 0),
    fc.boolean(),
  ),
  { maxKeys: 8, noNullPrototype: true },
)
const optional = <T>(key: string, value: fc.Arbitrary<T>) =>
  fc.oneof(
    fc.constant({}),
    value.map((held) => ({ [key]: held })),
  )
const merged = (...parts: fc.Arbitrary<object>[]) =>
  fc.tuple(...parts).map((all) => Object.assign({}, ...all) as unknown)

const clientMessages = fc.oneof(
  merged(
    fc.record({
      type: fc.constant('hello'),
      protocol: fc.constant(PROTOCOL_VERSION),
      space: fc.stringMatching(/^[\w-]{1,64}$/),
    }),
    optional('token', text(300)),
    optional('pass', bytes(200, 1)),
    optional('cursor', cursor),
    optional('digest', bytes(16, 16)),
  ),
  fc.record({
    type: fc.constant('push'),
    id,
    batches: fc.array(bytes(200), { minLength: 1, maxLength: MAX_PUSH_BATCHES }),
  }),
  fc.record({ type: fc.constant('pull'), id, after: cursor }),
  fc.record({ type: fc.constant('pull'), id, above: vector }),
  fc.record({ type: fc.constant('locate'), id, device: bytes(16, 16).map(deviceIdFromBytes), points }),
  fc.record({ type: fc.constant('entries'), id, after: id }),
  fc.record({ type: fc.constant('propose'), id, entry: bytes(300, 1) }),
  fc.record({ type: fc.constant('call'), id, body: bytes(100, 1) }),
  fc.constant({ type: 'ping' }),
) as fc.Arbitrary<ClientMessage>

const refusedOutcome = fc.record({
  kind: fc.constant('refused'),
  code: fc.constantFrom('GAP', 'FORK', 'CLOCK_AHEAD'),
  details,
})
const outcome = fc.oneof(fc.constant({ kind: 'appended' }), fc.constant({ kind: 'duplicate' }), refusedOutcome)
const welcome = {
  type: fc.constant('welcome'),
  protocol: fc.constant(PROTOCOL_VERSION),
  serverTimeMs: id,
  role: fc.constantFrom('reader', 'writer', 'admin'),
  cursorValid: fc.boolean(),
  end: cursor,
}
const serverMessages = fc.oneof(
  fc.record({ ...welcome, inSync: fc.constant(true) }),
  fc.record({ ...welcome, inSync: fc.constant(true), members: fc.record({ length: id, head: bytes(32, 32) }) }),
  fc.record({ ...welcome, inSync: fc.constant(false), tips }),
  fc.record({ type: fc.constant('pushed'), id, outcomes: fc.array(outcome, { minLength: 1, maxLength: 64 }) }),
  merged(
    fc.record({
      type: fc.constant('page'),
      from: id,
      cursor,
      more: fc.boolean(),
      batches: fc.array(bytes(50), { maxLength: MAX_PAGE_BATCHES }),
    }),
    optional('id', id),
  ),
  merged(
    fc.record({ type: fc.constant('refused'), code: fc.constant('UNAVAILABLE'), message: text(200), details }),
    optional('id', id),
  ),
  merged(
    fc.record({
      type: fc.constant('entries'),
      after: id,
      entries: fc.array(bytes(50), { maxLength: ENTRIES_LIMIT.entries }),
      more: fc.boolean(),
    }),
    optional('id', id),
  ),
  fc.record({ type: fc.constant('proposed'), id, position: id }),
  fc.record({ type: fc.constant('located'), id, seq: id }),
  merged(fc.constant({ type: 'pong' }), optional('members', id)),
) as fc.Arbitrary<ServerMessage>

describe('frames', () => {
  it('give back every message, and equal messages have equal bytes', () => {
    fc.assert(
      fc.property(clientMessages, (message) => {
        const frame = encodeFrame(message)
        expect(decodeClientFrame(frame)).toEqual(message)
        expect(encodeFrame(decodeClientFrame(frame))).toEqual(frame)
      }),
    )
    fc.assert(
      fc.property(serverMessages, (message) => {
        const frame = encodeFrame(message)
        expect(decodeServerFrame(frame)).toEqual(message)
        expect(encodeFrame(decodeServerFrame(frame))).toEqual(frame)
      }),
    )
  })

  it('make an exchange one after the other', () => {
    fc.assert(
      fc.property(fc.array(clientMessages, { maxLength: 8 }), (messages) => {
        expect(decodeClientExchange(encodeExchange(messages))).toEqual(messages)
      }),
    )
  })

  it('PRO2 random and damaged bytes are refused with a code and nothing else', () => {
    const decoders = [decodeClientFrame, decodeServerFrame, decodeClientExchange]
    const check = (frame: Uint8Array): void => {
      for (const decode of decoders) {
        const code = codeOf(() => decode(frame))
        if (code !== undefined) expect(codes).toContain(code)
      }
    }
    fc.assert(fc.property(bytes(400), check), { numRuns: 2_000 })
    fc.assert(
      fc.property(fc.oneof(clientMessages, serverMessages), fc.nat(), fc.nat(255), (message, at, value) => {
        const frame = encodeFrame(message)
        frame[at % frame.length] = value
        check(frame)
        check(frame.subarray(0, at % frame.length))
      }),
      { numRuns: 2_000 },
    )
  })

  it('PRO2 nothing is taken of the wrong shape', () => {
    const wrong: object[] = [
      { type: 'hello', protocol: PROTOCOL_VERSION, space: 'a/b' },
      { type: 'hello', protocol: PROTOCOL_VERSION, space: 'home', digest: new Uint8Array(15) },
      { type: 'hello', protocol: PROTOCOL_VERSION, space: 'home', cursor: [0, new Uint8Array(16)] },
      { type: 'hello', protocol: PROTOCOL_VERSION, space: 'home', cursor: [1, new Uint8Array(0)] },
      { type: 'hello', protocol: PROTOCOL_VERSION, space: 'home', more: true },
      { type: 'hello', protocol: PROTOCOL_VERSION, space: 7 },
      { type: 'hello', protocol: PROTOCOL_VERSION, space: 'home', token: 'x'.repeat(8_193) },
      { type: 'push', id: 1, batches: [] },
      { type: 'push', id: -1, batches: [new Uint8Array(1)] },
      { type: 'push', id: 0.5, batches: [new Uint8Array(1)] },
      { type: 'push', id: 2 ** 53, batches: [new Uint8Array(1)] },
      { type: 'push', id: 1, batches: ['text'] },
      { type: 'push', id: 1, batches: Array.from({ length: 65 }, () => new Uint8Array(1)) },
      { type: 'pull', id: 1 },
      { type: 'pull', id: 1, after: [0, new Uint8Array(0)], above: new Uint8Array(1) },
      { type: 'pull', id: 1, above: Uint8Array.of(1) },
      { type: 'locate', id: 1, device: new Uint8Array(16), points: [] },
      { type: 'locate', id: 1, device: new Uint8Array(15), points: [[1, new Uint8Array(16)]] },
      { type: 'locate', id: 1, device: new Uint8Array(16), points: [[1, new Uint8Array(8)]] },
      { type: 'locate', id: 1, device: new Uint8Array(16), points: [[0, new Uint8Array(16)]] },
      {
        type: 'locate',
        id: 1,
        device: new Uint8Array(16),
        points: [
          [2, new Uint8Array(16)],
          [2, new Uint8Array(16)],
        ],
      },
      {
        type: 'locate',
        id: 1,
        device: new Uint8Array(16),
        points: Array.from({ length: MAX_POINTS + 1 }, (_, index) => [index + 1, new Uint8Array(16)]),
      },
      { type: 'hello', protocol: PROTOCOL_VERSION, space: 'home', pass: new Uint8Array(MAX_PASS_BYTES + 1) },
      { type: 'hello', protocol: PROTOCOL_VERSION, space: 'home', pass: 'text' },
      { type: 'entries', id: 1 },
      { type: 'entries', id: 1, after: -1 },
      { type: 'propose', id: 1, entry: new Uint8Array(0) },
      { type: 'propose', id: 1, entry: new Uint8Array(MAX_ENTRY_BYTES + 1) },
      { type: 'propose', entry: new Uint8Array(1) },
      { type: 'ping', id: 1 },
      { type: 'welcome' },
      { type: ['ping'] },
      {},
    ]
    for (const message of wrong)
      expect([message, codeOf(() => decodeClientFrame(encodeWire(message)))]).toEqual([message, 'MALFORMED'])
  })

  it('PRO1 a hello or welcome of another version is told apart from a malformed one', () => {
    const newer = { type: 'hello', protocol: PROTOCOL_VERSION + 1, whatever: [1, 2, 3] }
    expect(codeOf(() => decodeClientFrame(encodeWire(newer)))).toBe('PROTOCOL_VERSION')
    expect(codeOf(() => decodeServerFrame(encodeWire({ ...newer, type: 'welcome' })))).toBe('PROTOCOL_VERSION')
  })

  it('PRO2 tips have one encoding: ordered, no seq 0, nothing left over', () => {
    const entry = (name: number, seq: number) => [...new Uint8Array(16).fill(name), seq, ...new Uint8Array(8)]
    expect(decodeTips(Uint8Array.of(2, ...entry(1, 5), ...entry(2, 6))).size).toBe(2)
    const wrong = [
      [2, ...entry(2, 5), ...entry(1, 6)],
      [2, ...entry(1, 5), ...entry(1, 6)],
      [1, ...entry(1, 0)],
      [1, ...entry(1, 5), 0],
      [2, ...entry(1, 5)],
      [1, ...entry(1, 5).slice(1)],
    ]
    for (const tips of wrong)
      expect([tips, codeOf(() => decodeTips(Uint8Array.from(tips)))]).toEqual([tips, 'MALFORMED'])
  })

  it('PRO3 a code that this version does not know means "not now", with the code as evidence', () => {
    const frame = encodeWire({ type: 'refused', code: 'QUOTA_USED_UP', message: 'no', details: {} })
    expect(decodeServerFrame(frame)).toMatchObject({ code: 'UNAVAILABLE', details: { code: 'QUOTA_USED_UP' } })
  })

  it('one batch of the largest size fits, and sizes are checked before anything is read', () => {
    const largest = { type: 'push', id: Number.MAX_SAFE_INTEGER, batches: [new Uint8Array(MAX_BATCH_BYTES)] } as const
    expect(encodeFrame(largest).length).toBeLessThan(MAX_FRAME_BYTES)
    expect(codeOf(() => decodeClientFrame(new Uint8Array(MAX_FRAME_BYTES + 1)))).toBe('TOO_LARGE')
    const larger = { ...largest, batches: [new Uint8Array(MAX_BATCH_BYTES + 1)] }
    expect(codeOf(() => decodeClientFrame(encodeWire(larger)))).toBe('TOO_LARGE')
  })

  it('keep of the evidence only flat scalars with plain names', () => {
    const given = { have: 3, deep: { a: 1 }, text: `x${'\ud800'}`, __proto__: 5, 'a b': 1, flag: true, none: undefined }
    expect(toRefusalDetails(given)).toEqual({ have: 3, text: 'x\ufffd', flag: true })
  })
})

const plain = (value: WireValue): unknown => {
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, held]) => [key, plain(held)]))
  if (Array.isArray(value)) return value.map(plain)
  return value instanceof Uint8Array ? new Uint8Array(value) : value
}

describe('wire values', () => {
  it('are read as msgpackr reads them, or not at all', () => {
    const value: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
      any: fc.oneof(
        { maxDepth: 4 },
        fc.boolean(),
        fc.integer(),
        fc.maxSafeInteger(),
        fc.double({ noNaN: true }).map((value) => value + 0),
        fc.string({ unit: 'grapheme' }),
        bytes(20),
        fc.array(tie('any'), { maxLength: 4 }),
        fc.dictionary(fc.stringMatching(/^[a-z]{1,8}$/), tie('any'), { maxKeys: 4, noNullPrototype: true }),
      ),
    })).any
    fc.assert(
      fc.property(
        fc.dictionary(fc.stringMatching(/^[a-z]{1,8}$/), value, { maxKeys: 4, noNullPrototype: true }),
        (given) => {
          const encoded = encodeWire(given)
          expect(plain(decodeWire(encoded))).toEqual(given)
          expect(plain(decodeWire(encoded))).toEqual(normal(unpack(encoded)))
        },
      ),
    )
  })

  it('of random bytes are either refused or what msgpackr reads', () => {
    fc.assert(
      fc.property(bytes(40, 1), (given) => {
        let read: WireValue
        try {
          read = decodeWire(given)
        } catch (error) {
          expect((error as DriftlogError).code).toBe('MALFORMED')
          return
        }
        expect(plain(read)).toEqual(normal(unpack(given)))
      }),
      { numRuns: 5_000 },
    )
  })
})

/** msgpackr hands out Buffers. */
const normal = (value: unknown): unknown => {
  if (value instanceof Uint8Array) return new Uint8Array(value)
  if (Array.isArray(value)) return value.map(normal)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, held]) => [key, normal(held)]))
}
