import { beforeAll, describe, expect, it } from 'vitest'
import type { DeviceId } from '../clock/dot.ts'
import { COARSE_SPAN } from '../clock/hlc.ts'
import { fingerprint, makeCertificate } from '../crypto/identity.ts'
import { cryptoReady, type SigningKeys, signingKeysFromSeed } from '../crypto/sodium.ts'
import { assembleBatch, type Batch, encodeHeader, type Shift, startTagOf } from '../log/batch.ts'
import type { BatchPage, Cursor, StoredBatch, Tip } from '../log/batch-store.ts'
import { signBatch } from '../log/signature.ts'
import {
  bareHello,
  type ClientMessage,
  type Locate,
  PROTOCOL_VERSION,
  type Role,
  type ServerMessage,
} from './messages.ts'
import { stepServerSession } from './server-session.ts'
import { createServerSession, type ServerSession } from './server-state.ts'
import type { ServerEffect, ServerInput } from './server-types.ts'
import { encodeTips, tipsDigest } from './tip-codec.ts'

const NOW = Date.UTC(2026, 5, 1)
let keys: SigningKeys
let device: DeviceId
let certificate: Uint8Array

beforeAll(async () => {
  await cryptoReady()
  keys = signingKeysFromSeed(new Uint8Array(32).fill(1))
  device = fingerprint(keys.publicKey)
  certificate = makeCertificate('home', keys.publicKey, signingKeysFromSeed(new Uint8Array(32).fill(2)))
})

const noTips: ReadonlyMap<DeviceId, Tip> = new Map()
const batchOf = (seq: number, coarseMaxHlc = 1, shifts: readonly Shift[] = []): Batch => {
  const tag = startTagOf({ space: 'home', device, shifts }, certificate)
  const common = { format: 1, space: 'home', device, fromSeq: seq, toSeq: seq, keyEpoch: 0, flags: 0 }
  const own = seq === 1 ? certificate : undefined
  const header = encodeHeader({
    ...common,
    coarseMaxHlc,
    tagBefore: tag,
    tagAfter: tag,
    innerEnds: [],
    shifts,
    certificate: own,
  })
  const body = new Uint8Array(3)
  return assembleBatch(header, body, signBatch(header, body, keys))
}
const cursorAt = (position: number): Cursor => ({
  position,
  tag: new Uint8Array(position === 0 ? 0 : 16).fill(position),
})
const pageOf = (positions: readonly number[], end: number, more = false): BatchPage => ({
  batches: positions.map((position): StoredBatch => ({ batch: batchOf(position), position, branch: device })),
  cursor: cursorAt(end),
  more,
})

class Machine {
  state: ServerSession
  effects: ServerEffect[] = []

  constructor(mode: 'live' | 'roundTrip' = 'live') {
    this.state = createServerSession({ space: 'home', mode })
  }

  input(...inputs: ServerInput[]): this {
    for (const input of inputs) {
      const { state, effects } = stepServerSession(this.state, input)
      this.state = state
      this.effects.push(...effects)
    }
    return this
  }

  say(...messages: ClientMessage[]): this {
    return this.input(...messages.map((message) => ({ kind: 'message', message }) as const))
  }

  authorized(role: Role = 'writer', serverTimeMs: number | undefined = NOW): this {
    return this.input({ kind: 'authorized', role, serverTimeMs })
  }

  /** In sync, and so live from position 9. */
  live(): this {
    this.say({ ...bareHello('home'), digest: tipsDigest(noTips) }).authorized()
    this.input({ kind: 'looked', end: cursorAt(9), tips: noTips, cursorValid: false })
    // The look after the watch began.
    this.authorized().input({ kind: 'pageRead', page: pageOf([], 9) })
    this.effects = []
    return this
  }

  kinds(): string[] {
    return this.effects.splice(0).map((effect) => (effect.kind === 'send' ? effect.message.type : effect.kind))
  }

  sent(): ServerMessage[] {
    return this.effects.splice(0).flatMap((effect) => (effect.kind === 'send' ? [effect.message] : []))
  }
}

describe('a session', () => {
  it('ING7 reads nothing of the space before its hello is authorized, and ends where it is not', () => {
    const machine = new Machine().say({ ...bareHello('home'), token: 't', digest: tipsDigest(noTips) })
    expect(machine.effects).toEqual([{ kind: 'authorize', token: 't' }])
    machine.effects = []
    expect(machine.input({ kind: 'denied', code: 'NOT_FOUND' }).kinds()).toEqual(['refused', 'close'])
    expect(machine.say({ type: 'ping' }).kinds()).toEqual([])
  })

  it.each([
    { ...bareHello('other') },
    { type: 'ping' },
    { type: 'push', id: 1, batches: [new Uint8Array(1)] },
    { ...bareHello('home'), protocol: PROTOCOL_VERSION + 1 },
  ] as ClientMessage[])('begins with a hello of this space and version: %j', (message) => {
    expect(new Machine().say(message).kinds()).toEqual(['refused', 'close'])
  })

  it('ING5 does one thing at a time, each authorized afresh', () => {
    const machine = new Machine().live()
    machine.say(
      { type: 'pull', id: 1, after: cursorAt(0) },
      { type: 'pull', id: 2, after: cursorAt(0) },
      { type: 'ping' },
    )
    expect(machine.kinds()).toEqual(['authorize'])
    expect(machine.authorized().kinds()).toEqual(['readAfter'])
    expect(machine.input({ kind: 'pageRead', page: pageOf([1], 9) }).kinds()).toEqual(['page', 'authorize'])
    expect(machine.input({ kind: 'denied', code: 'UNAUTHORIZED' }).kinds()).toEqual(['refused', 'close'])
  })

  it('SYNC7 answers a digest that is its own without tips, and goes live from the end', () => {
    const tips = new Map([[device, { seq: 3, tag: new Uint8Array(16).fill(3) }]])
    const hello = { ...bareHello('home'), digest: tipsDigest(tips), cursor: cursorAt(2) }
    const looked = { kind: 'looked', end: cursorAt(9), tips, cursorValid: true } as const
    const inSync = new Machine().say(hello).authorized().input(looked)
    expect(inSync.state.live).toEqual(cursorAt(9))
    const [welcome] = inSync.sent()
    expect(welcome).toEqual({
      type: 'welcome',
      protocol: PROTOCOL_VERSION,
      serverTimeMs: NOW,
      role: 'writer',
      inSync: true,
      cursorValid: true,
      end: cursorAt(9),
    })
    const behind = new Machine()
      .say({ ...hello, digest: tipsDigest(noTips) })
      .authorized()
      .input(looked)
    expect(behind.state.live).toBeUndefined()
    expect(behind.sent()).toMatchObject([{ inSync: false, tips: encodeTips(tips) }])
  })

  it('PRO9 a hello without a digest is not answered', () => {
    const machine = new Machine('roundTrip').say(bareHello('home'), {
      type: 'push',
      id: 1,
      batches: [batchOf(1).bytes],
    })
    machine.authorized()
    expect(machine.kinds()).toEqual(['authorize', 'authorize'])
    expect(machine.authorized().kinds()).toEqual(['append'])
  })

  it('is bounded in what waits', () => {
    const machine = new Machine().live().input({ kind: 'congested' })
    for (let count = 0; count < 65; count++) machine.say({ type: 'ping' })
    expect(machine.sent()).toMatchObject([{ type: 'refused', code: 'RATE_LIMITED' }])
  })

  it('says nothing while the send buffer is full', () => {
    const machine = new Machine().live().input({ kind: 'congested' }, { kind: 'changed' })
    expect(machine.say({ type: 'ping' }).kinds()).toEqual([])
    expect(machine.input({ kind: 'drained' }).kinds()).toEqual(['pong', 'authorize'])
  })

  it('UNAVAILABLE where the clock cannot be trusted', () => {
    const machine = new Machine().say({ ...bareHello('home'), digest: tipsDigest(noTips) })
    machine.effects = []
    expect(machine.input({ kind: 'authorized', role: 'writer', serverTimeMs: undefined }).sent()).toMatchObject([
      { code: 'UNAVAILABLE' },
    ])
  })
})

const known = (certificates: [DeviceId, Uint8Array][] = []): ServerInput => ({
  kind: 'admissionRead',
  certificates: new Map(certificates),
  shift: 0,
})

describe('a push', () => {
  const push = (...batches: Batch[]): ClientMessage => ({
    type: 'push',
    id: 4,
    batches: batches.map(({ bytes }) => bytes),
  })

  it('ING6 is acknowledged only once the store has it', () => {
    const machine = new Machine()
      .live()
      .say(push(batchOf(1)))
      .authorized()
    expect(machine.kinds()).toEqual(['authorize', 'append'])
    expect(
      machine
        .input({ kind: 'appended', outcomes: [{ kind: 'appended', position: 10, branch: device, isSplit: false }] })
        .sent(),
    ).toEqual([{ type: 'pushed', id: 4, outcomes: [{ kind: 'appended' }] }])
    machine.say(push(batchOf(1))).authorized()
    machine.effects = []
    expect(machine.input({ kind: 'storeFailed', code: 'STORAGE_FULL' }).sent()).toEqual([
      { type: 'pushed', id: 4, outcomes: [{ kind: 'refused', code: 'UNAVAILABLE', details: {} }] },
    ])
  })

  it('ING3 looks up certificates only for histories that go on, and names a gap where there is none', () => {
    const machine = new Machine()
      .live()
      .say(push(batchOf(2)))
      .authorized()
    expect(machine.effects.at(-1)).toEqual({ kind: 'readAdmission', devices: [device], ahead: undefined })
    machine.effects = []
    expect(machine.input(known()).sent()).toMatchObject([
      { outcomes: [{ kind: 'refused', code: 'GAP', details: { have: 0 } }] },
    ])
    machine
      .say(push(batchOf(2)))
      .authorized()
      .input(known([[device, certificate]]))
    expect(machine.kinds()).toContain('append')
  })

  it('ING2 BR2 a push is taken in by stretches: a batch that is ahead is asked for when all before it is stored', () => {
    const stored = (position: number): ServerInput => ({
      kind: 'appended',
      outcomes: [{ kind: 'appended', position, branch: device, isSplit: false }],
    })
    const shift = { device, base: 1, firstTag: new Uint8Array(16), shift: 9, floor: 0 }
    const machine = new Machine().live()
    machine.say(push(batchOf(1), batchOf(1, 1, [shift]), batchOf(2, 1e9), batchOf(3, 1e9), batchOf(4))).authorized()
    machine.input(known())
    const appends = (): unknown =>
      machine.effects.flatMap((effect) =>
        effect.kind === 'append'
          ? [[effect.batches.map(({ header }) => header.fromSeq), effect.records.length, effect.allOrNothing]]
          : [],
      )
    expect(appends()).toEqual([[[1], 0, false]])
    machine.effects = []
    // What states shifts goes alone, so that they are stored with it or not at all.
    machine.input(stored(1))
    expect(appends()).toEqual([[[1], 1, true]])
    machine.effects = []
    machine.input({ kind: 'appended', outcomes: [{ kind: 'fork', have: 1 }] })
    expect(machine.effects).toMatchObject([{ kind: 'readAdmission', devices: [], ahead: { fromSeq: 2 } }])
    machine.effects = []
    machine.input({ kind: 'admissionRead', certificates: new Map(), shift: 1e9 * COARSE_SPAN })
    expect(appends()).toEqual([[[2], 0, false]])
    machine.effects = []
    machine.input(stored(2))
    expect(machine.effects).toMatchObject([{ kind: 'readAdmission', ahead: { fromSeq: 3 } }])
    machine.effects = []
    machine.input(known())
    expect(appends()).toEqual([[[4], 0, false]])
    machine.effects = []
    machine.input({ kind: 'appended', outcomes: [{ kind: 'gap', have: 2 }] })
    expect(machine.sent()).toMatchObject([
      {
        outcomes: [
          { kind: 'appended' },
          { code: 'FORK' },
          { kind: 'appended' },
          { code: 'CLOCK_AHEAD' },
          { code: 'GAP', details: { have: 2 } },
        ],
      },
    ])
  })

  it('ING2 to ING4 refuse one batch and keep the others; outcomes stay in order', () => {
    const ahead = batchOf(1, 1e9)
    const forged = batchOf(2).bytes.slice()
    forged[forged.length - 1] ^= 1
    const machine = new Machine().live()
    machine.say({
      type: 'push',
      id: 4,
      batches: [ahead.bytes, batchOf(1).bytes, forged, batchOf(2).bytes, new Uint8Array(9)],
    })
    // The one that is ahead begins the push, and is asked for.
    machine.authorized()
    expect(machine.effects.at(-1)).toMatchObject({ kind: 'readAdmission', devices: [device], ahead: ahead.header })
    machine.input(known())
    const append = machine.effects.at(-1)
    expect(append?.kind === 'append' && append.batches.map(({ header }) => header.fromSeq)).toEqual([1, 2])
    machine.effects = []
    machine.input({
      kind: 'appended',
      outcomes: [
        { kind: 'duplicate', branch: device },
        { kind: 'fork', have: 7 },
      ],
    })
    expect(machine.sent()).toMatchObject([
      {
        outcomes: [
          { code: 'CLOCK_AHEAD', details: { serverTimeMs: NOW } },
          { kind: 'duplicate' },
          { code: 'SIGNATURE_INVALID' },
          { code: 'FORK', details: { have: 7 } },
          { code: 'MALFORMED' },
        ],
      },
    ])
  })

  it('SYNC6 of a reader is refused, batch by batch', () => {
    const machine = new Machine().live().say(push(batchOf(1), batchOf(2)))
    machine.effects = []
    expect(machine.authorized('reader').sent()).toMatchObject([
      { outcomes: [{ code: 'FORBIDDEN' }, { code: 'FORBIDDEN' }] },
    ])
  })
})

describe('a question where histories part', () => {
  const locate: Locate = {
    type: 'locate',
    id: 6,
    device: 'd' as DeviceId,
    points: [{ seq: 3, tag: new Uint8Array(16) }],
  }

  it('SYNC22 is answered by the store, for readers too', () => {
    const machine = new Machine().live().say(locate).authorized('reader')
    expect(machine.effects.at(-1)).toEqual({ kind: 'findCommon', device: 'd', points: locate.points })
    machine.effects = []
    expect(machine.input({ kind: 'commonFound', seq: 3 }).sent()).toEqual([{ type: 'located', id: 6, seq: 3 }])
  })

  it('SYNC22 is put off where the store fails', () => {
    const machine = new Machine().live().say(locate).authorized()
    machine.effects = []
    const failed = machine.input({ kind: 'storeFailed', code: 'STORAGE_FAILED' })
    expect(failed.sent()).toMatchObject([{ type: 'refused', id: 6, code: 'UNAVAILABLE' }])
  })
})

describe('live pages', () => {
  it('SYNC11 go on where the last one ended, until there is no more', () => {
    const machine = new Machine().live().input({ kind: 'changed' }).authorized()
    expect(machine.effects.at(-1)).toMatchObject({ kind: 'readAfter', cursor: cursorAt(9) })
    machine.effects = []
    machine.input({ kind: 'pageRead', page: pageOf([10, 11], 11, true) })
    expect(machine.effects).toMatchObject([
      { message: { type: 'page', from: 9, cursor: cursorAt(11) } },
      { kind: 'authorize' },
    ])
    machine.authorized()
    expect(machine.effects.at(-1)).toMatchObject({ kind: 'readAfter', cursor: cursorAt(11) })
    machine.effects = []
    expect(machine.input({ kind: 'pageRead', page: pageOf([12], 12) }).kinds()).toEqual(['page'])
  })

  it('SYNC11 look again at what came in while they were read', () => {
    const machine = new Machine().live().input({ kind: 'changed' }).authorized().input({ kind: 'changed' })
    machine.effects = []
    expect(machine.input({ kind: 'pageRead', page: pageOf([10], 10) }).kinds()).toEqual(['page', 'authorize'])
  })

  it('SYNC12 leave out what the session itself pushed, and cover it', () => {
    const machine = new Machine()
      .live()
      .say({ type: 'push', id: 1, batches: [batchOf(1).bytes] })
      .authorized()
    machine
      .input(
        { kind: 'appended', outcomes: [{ kind: 'appended', position: 11, branch: device, isSplit: false }] },
        { kind: 'changed' },
      )
      .authorized()
    machine.effects = []
    machine.input({ kind: 'pageRead', page: pageOf([10, 11, 12], 12) })
    const [page] = machine.sent()
    expect(page).toMatchObject({ from: 9, cursor: cursorAt(12) })
    expect(page.type === 'page' && page.batches).toHaveLength(2)
    expect(machine.state.own.size).toBe(0)
  })

  it('SYNC12 that would say nothing but that own pushes are passed over wait for something else, or for 64 of them', () => {
    const machine = new Machine().live()
    const pushed = (position: number): void => {
      machine.say({ type: 'push', id: position, batches: [batchOf(1).bytes] }).authorized()
      machine.input(
        { kind: 'appended', outcomes: [{ kind: 'appended', position, branch: device, isSplit: false }] },
        { kind: 'changed' },
      )
      machine.authorized()
    }
    const read = (...positions: number[]): ServerMessage[] => {
      machine.effects = []
      return machine.input({ kind: 'pageRead', page: pageOf(positions, positions.at(-1)!) }).sent()
    }
    pushed(10)
    expect(read(10)).toEqual([])
    machine.input({ kind: 'changed' }).authorized()
    expect(machine.effects.at(-1)).toMatchObject({ kind: 'readAfter', cursor: cursorAt(10) })
    expect(read(11)).toMatchObject([{ type: 'page', from: 9, cursor: cursorAt(11) }])
    for (let position = 12; position < 75; position++) {
      pushed(position)
      expect(read(position)).toEqual([])
    }
    // Asked for from where the device is told to be, they are still known to be its own.
    machine.say({ type: 'pull', id: 99, after: cursorAt(11) }).authorized()
    expect(read(12, 13, 74)).toMatchObject([{ type: 'page', id: 99, from: 11, batches: [], cursor: cursorAt(74) }])
    machine.authorized()
    expect(read(75)).toMatchObject([{ from: 74, cursor: cursorAt(75) }])
    for (let position = 76; position < 139; position++) {
      pushed(position)
      read(position)
    }
    pushed(139)
    expect(read(139)).toMatchObject([{ type: 'page', from: 75, batches: [], cursor: cursorAt(139) }])
    expect(machine.state.own.size).toBe(0)
  })

  it('do not hold up messages for ever', () => {
    const machine = new Machine().live().input({ kind: 'changed' })
    machine.say({ type: 'ping' }).authorized()
    machine.effects = []
    machine.input({ kind: 'pageRead', page: pageOf([10], 10, true) })
    expect(machine.kinds()).toEqual(['page', 'pong', 'authorize'])
  })

  it('end the session where they cannot be read', () => {
    const machine = new Machine().live().input({ kind: 'changed' }).authorized()
    machine.effects = []
    expect(machine.input({ kind: 'storeFailed', code: 'BASE_MISMATCH' }).sent()).toMatchObject([
      { code: 'UNAVAILABLE' },
    ])
  })
})
