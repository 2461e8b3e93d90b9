import { beforeAll, describe, expect, it } from 'vitest'
import { encodeVector } from '../clock/version-vector.ts'
import { cryptoReady } from '../crypto/sodium.ts'
import type { Batch } from '../log/batch.ts'
import {
  ann,
  asOutbox,
  batchOf,
  behind,
  bob,
  cursorAt,
  inSync,
  Machine,
  page,
  tagAt,
  vector,
} from '../testing/machine.test-support.ts'
import type { ClientInput } from './client-types.ts'
import { PROTOCOL_VERSION } from './messages.ts'

beforeAll(cryptoReady)

describe('greeting', () => {
  it('SYNC7 greets with where it stopped reading; in sync that is all', () => {
    const held = vector({ [ann]: 3 })
    const machine = new Machine({ held, cursor: cursorAt(4) }).open()
    expect(machine.sent()).toEqual([{ type: 'hello', protocol: PROTOCOL_VERSION, space: 'home', cursor: cursorAt(4) }])
    expect(machine.take('saveCursor')).toEqual([{ kind: 'saveCursor', cursor: cursorAt(9) }])
    expect(machine.take('acknowledged')).toEqual([{ kind: 'acknowledged', vector: held }])
    expect(machine.take('serverTime')).toEqual([{ kind: 'serverTime', serverTimeMs: 5 }])
    expect(machine.status).toEqual({
      phase: 'open',
      online: true,
      syncing: false,
      caughtUp: true,
      error: undefined,
      refused: [],
    })
  })

  it('SYNC8 pulls after a valid cursor, by vector without one, and from the start where nothing is held', () => {
    const server = behind(vector({ [ann]: 3, [bob]: 1 }))
    const held = vector({ [ann]: 3 })
    const valid = new Machine({ held, cursor: cursorAt(4) }).open({ ...server, cursorValid: true })
    expect(valid.sent().at(-1)).toEqual({ type: 'pull', id: expect.any(Number), after: cursorAt(4) })
    const invalid = new Machine({ held, cursor: cursorAt(4) }).open(server)
    expect(invalid.sent().at(-1)).toEqual({ type: 'pull', id: expect.any(Number), above: encodeVector(held) })
    const empty = new Machine().open({ ...server, cursorValid: true })
    expect(empty.sent().at(-1)).toEqual({ type: 'pull', id: expect.any(Number), after: cursorAt(0) })
  })

  it('[SYNC11, seed 206247] a live page that overtakes the welcome is asked for again', () => {
    const machine = new Machine({ held: vector({ [ann]: 3 }), cursor: cursorAt(9) })
    machine.input({ kind: 'goOnline' }, { kind: 'connected' })
    machine.hear(page(9, cursorAt(10), [batchOf(bob, 1)]), inSync)
    expect(machine.sent().at(-1)).toEqual({ type: 'pull', id: expect.any(Number), after: cursorAt(9) })
  })

  it('what was written while the hello was under way is pushed after it', () => {
    const machine = new Machine({ held: vector({ [ann]: 1 }) })
    machine.input({ kind: 'goOnline' }, { kind: 'connected' }, { kind: 'localAppended', held: vector({ [ann]: 2 }) })
    expect(machine.hear(inSync).take('readOutbox')).toMatchObject([{ above: vector({ [ann]: 1 }) }])
  })
})

describe('pulling', () => {
  const pulling = (): { machine: Machine; id: number } => {
    const machine = new Machine().open(behind(vector({ [ann]: 2 }), { cursorValid: true }))
    return { machine, id: machine.state.pull! }
  }

  it('SYNC2 the cursor moves only once what it covers is stored', () => {
    const { machine, id } = pulling()
    machine.hear(page(0, cursorAt(2), [batchOf(ann, 1), batchOf(ann, 2)], { id }))
    expect(machine.state.cursor).toBeUndefined()
    const ingest = machine.effects.find(({ kind }) => kind === 'ingest')
    expect(ingest).toMatchObject({ cursor: cursorAt(2), batches: [{ header: { toSeq: 1 } }, { header: { toSeq: 2 } }] })
    expect(machine.status.caughtUp).toBe(false)
    machine.stored(vector({ [ann]: 2 }))
    expect(machine.state.cursor).toEqual(cursorAt(2))
    expect(machine.status).toMatchObject({ caughtUp: true, syncing: false })
  })

  it('SYNC2 after a gap the cursor stays, and the rest is asked for by vector, once', () => {
    const { machine, id } = pulling()
    machine.hear(page(0, cursorAt(2), [batchOf(ann, 2)], { id }))
    const gap = { branch: ann, device: ann, code: 'GAP' as const, details: { have: 0 } }
    machine.sent()
    machine.stored(new Map(), { refused: [gap] })
    expect(machine.state.cursor).toBeUndefined()
    expect(machine.sent()).toEqual([{ type: 'pull', id: expect.any(Number), above: encodeVector(new Map()) }])
    machine.hear(page(0, cursorAt(2), [batchOf(ann, 2)], { id: machine.state.pull! }))
    machine.stored(new Map(), { refused: [gap] })
    expect(machine.sent()).toEqual([])
    expect(machine.status).toMatchObject({ caughtUp: false, syncing: false, error: { code: 'GAP' } })
  })

  it('SYNC10, SYNC16 what the key does not open is set aside: nothing is missing, and a poll does not fetch it again', () => {
    const held = vector({ [ann]: 2 })
    const welcome = behind(vector({ [ann]: 2, [bob]: 1 }), { cursorValid: true })
    const machine = new Machine({ mode: 'roundTrip', held, cursor: cursorAt(8) }).open(welcome)
    machine.hear(page(8, cursorAt(9), [batchOf(bob, 1)], { id: machine.state.pull! }))
    const foreign = { branch: bob, device: bob, code: 'KEY_WRONG' as const, details: { fromSeq: 1 } }
    machine.stored(held, { refused: [foreign] })
    expect(machine.status).toMatchObject({ caughtUp: true, syncing: false, error: undefined, refused: [foreign] })
    machine.sent()
    machine.input({ kind: 'timer', name: 'poll' }).hear({ ...inSync, ...welcome })
    expect(machine.sent().map(({ type }) => type)).toEqual(['hello'])
    expect(machine.status).toMatchObject({ caughtUp: true, error: undefined, refused: [foreign] })
  })

  it('asks for the next page while the last is being stored, but for no third', () => {
    const { machine, id } = pulling()
    machine.sent()
    machine.hear(page(0, cursorAt(1), [batchOf(ann, 1)], { id, more: true }))
    expect(machine.sent()).toEqual([{ type: 'pull', id: expect.any(Number), after: cursorAt(1) }])
    machine.hear(page(1, cursorAt(2), [batchOf(ann, 2)], { id: machine.state.pull!, more: true }))
    expect(machine.sent()).toEqual([])
    expect(machine.take('ingest')).toHaveLength(1)
  })

  it('SYNC12 a live page that does not follow on is dropped, and pulled', () => {
    const machine = new Machine({ held: vector({ [ann]: 1 }) }).open()
    machine.sent()
    machine.hear(page(11, cursorAt(12), [batchOf(bob, 1)]))
    expect(machine.take('ingest')).toEqual([])
    expect(machine.sent()).toEqual([{ type: 'pull', id: expect.any(Number), after: cursorAt(9) }])
  })

  it('SYNC12 what comes faster than it can be stored is bounded, and pulled later', () => {
    const machine = new Machine({ held: vector({ [ann]: 1 }) }).open()
    for (let at = 9; at < 40; at++) machine.hear(page(at, cursorAt(at + 1), [batchOf(bob, at - 8)]))
    expect(machine.state.inbox.length).toBeLessThanOrEqual(4)
    machine.sent()
    machine.stored(vector({ [ann]: 1, [bob]: 1 })).stored(vector({ [ann]: 1, [bob]: 5 }))
    expect(machine.sent()).toMatchObject([{ type: 'pull', after: cursorAt(14) }])
  })

  it('a page without news that says "more" ends the connection', () => {
    const { machine, id } = pulling()
    machine.hear(page(0, cursorAt(0), [], { id, more: true }))
    expect(machine.status).toMatchObject({ phase: 'waiting', error: { code: 'PROTOCOL_VIOLATION' } })
  })

  it('stops at a batch of an unknown format without passing it', () => {
    const { machine, id } = pulling()
    const newer = batchOf(ann, 1).bytes.slice()
    newer[newer.indexOf(0x42, 2) + 1] = 2
    machine.hear({ ...page(0, cursorAt(1), [], { id }), batches: [newer] })
    expect(machine.take('ingest')).toEqual([])
    expect(machine.state.cursor).toBeUndefined()
    expect(machine.status).toMatchObject({ online: true, caughtUp: false, error: { code: 'FORMAT_UNKNOWN' } })
  })

  it('a batch of another space, or bytes that are no batch, end the connection', () => {
    for (const bytes of [batchOf(ann, 1, 1, 'other').bytes, new Uint8Array(5)]) {
      const { machine, id } = pulling()
      machine.hear({ ...page(0, cursorAt(1), [], { id }), batches: [bytes] })
      expect(machine.status).toMatchObject({ phase: 'waiting', error: { code: 'MALFORMED' } })
    }
  })

  it('a full store is tried again later, from what is durable', () => {
    const { machine, id } = pulling()
    machine.hear(page(0, cursorAt(2), [batchOf(ann, 1)], { id }))
    const [{ request }] = machine.take('ingest')
    machine.sent()
    machine.input({ kind: 'storeFailed', request, code: 'STORAGE_FULL', message: 'full' })
    expect(machine.status.error?.code).toBe('STORAGE_FULL')
    expect(machine.sent()).toEqual([])
    machine.input({ kind: 'timer', name: 'pullRetry' })
    expect(machine.sent()).toMatchObject([{ type: 'pull' }])
  })

  it('a store that failed is no error any more once what it failed at is found done', () => {
    const machine = new Machine({ mode: 'roundTrip', held: vector({ [ann]: 1 }) }).open()
    machine.input({ kind: 'localAppended', held: vector({ [ann]: 2 }) })
    const [{ request }] = machine.take('readOutbox')
    machine.input({ kind: 'storeFailed', request, code: 'STORAGE_FAILED', message: 'busy' }, { kind: 'refresh' })
    expect(machine.status.error?.code).toBe('STORAGE_FAILED')
    // Another tab of this device has pushed it meanwhile.
    machine.hear(inSync)
    machine.input({ kind: 'timer', name: 'pushRetry' })
    expect(machine.status.error).toBeUndefined()
  })

  it('refresh asks once more, and is caught up only when that is answered', () => {
    const machine = new Machine({ held: vector({ [ann]: 1 }) }).open()
    machine.sent()
    machine.input({ kind: 'refresh' })
    expect(machine.status.caughtUp).toBe(false)
    expect(machine.sent()).toMatchObject([{ type: 'pull', after: cursorAt(9) }])
    machine.hear(page(9, cursorAt(9), [], { id: machine.state.pull! }))
    expect(machine.status.caughtUp).toBe(true)
  })
})

describe('pushing', () => {
  const pushing = (...batches: Batch[]): { machine: Machine; id: number } => {
    const machine = new Machine({ held: vector({ [ann]: 9, [bob]: 9 }) }).open(behind(new Map()))
    machine.outbox(...batches)
    const push = machine.sent().find(({ type }) => type === 'push')
    return { machine, id: push?.type === 'push' ? push.id : 0 }
  }

  it('SYNC14 acknowledges by answer, and then reads on above it', () => {
    const { machine, id } = pushing(batchOf(ann, 1, 4))
    machine.effects = []
    machine.hear({ type: 'pushed', id, outcomes: [{ kind: 'appended' }] })
    expect(machine.take('acknowledged')).toEqual([{ kind: 'acknowledged', vector: vector({ [ann]: 4 }) }])
    machine.input({ kind: 'localAppended', held: vector({ [ann]: 10, [bob]: 9 }) })
    expect(machine.take('readOutbox')).toMatchObject([{ above: vector({ [ann]: 4 }) }])
  })

  it('the window opens with every acknowledged push, from one to four', () => {
    const machine = new Machine({ held: vector({ [ann]: 99 }) }).open(behind(new Map()))
    for (let seq = 1; seq < 30; seq++) {
      const [reading] = machine.take('readOutbox')
      if (reading === undefined) {
        const { id } = machine.state.inFlight[0]
        machine.hear({ type: 'pushed', id, outcomes: [{ kind: 'appended' }] })
        continue
      }
      machine.input({
        kind: 'outboxRead',
        request: reading.request,
        batches: [asOutbox(batchOf(ann, seq))],
        more: true,
      })
    }
    expect(machine.state.window).toBe(4)
    expect(machine.state.inFlight.length).toBeLessThanOrEqual(4)
  })

  it('SYNC15 after a gap it is asked how much the server holds; the same answer again sets the branch aside', () => {
    const { machine, id } = pushing(batchOf(ann, 3))
    machine.effects = []
    machine.refuse(id, 'GAP', { have: 1 })
    const held = [1, 2].map((seq) => ({ seq, tag: tagAt(seq) }))
    machine.points({ device: ann, points: held }).locate(1)
    expect(machine.take('readOutbox')).toMatchObject([{ above: vector({ [ann]: 1 }) }])
    machine.input({
      kind: 'outboxRead',
      request: machine.state.reading!,
      batches: [asOutbox(batchOf(ann, 3))],
      more: false,
    })
    machine.refuse(machine.state.inFlight[0].id, 'GAP', { have: 1 })
    machine.sent()
    machine.points({ device: ann, points: held }).locate(1)
    expect(machine.status.refused).toMatchObject([{ branch: ann, device: ann, code: 'GAP' }])
    expect(machine.take('readOutbox')).toMatchObject([{ above: vector({ [ann]: Number.MAX_SAFE_INTEGER }) }])
  })

  it.each(['CLOCK_AHEAD', 'SIGNATURE_INVALID', 'CERTIFICATE_INVALID', 'TOO_LARGE'] as const)(
    'SYNC16 %s sets that branch aside with its evidence; the others go on',
    (code) => {
      const { machine, id } = pushing(batchOf(ann, 1), batchOf(bob, 1))
      machine.effects = []
      const details = { serverTimeMs: 7 }
      machine.hear({ type: 'pushed', id, outcomes: [{ kind: 'refused', code, details }, { kind: 'appended' }] })
      expect(machine.status).toMatchObject({ error: { code }, refused: [{ device: ann, code, details }] })
      machine.input({ kind: 'localAppended', held: vector({ [ann]: 10, [bob]: 10 }) })
      const [{ above }] = machine.take('readOutbox')
      expect(above).toEqual(vector({ [ann]: Number.MAX_SAFE_INTEGER, [bob]: 1 }))
    },
  )

  it('SYNC16 a branch that was set aside is tried again when asked, and by the next connection', () => {
    for (const again of [
      [{ kind: 'retryRefused' }],
      [{ kind: 'disconnected' }, { kind: 'goOnline' }, { kind: 'connected' }],
    ] as ClientInput[][]) {
      const { machine, id } = pushing(batchOf(ann, 1))
      machine.refuse(id, 'CLOCK_AHEAD', { serverTimeMs: 7 })
      machine.effects = []
      machine.input(...again)
      if (machine.state.phase !== 'open') machine.hear({ ...inSync, ...behind(new Map()) })
      machine.outbox(batchOf(ann, 1))
      machine.hear({ type: 'pushed', id: machine.state.inFlight[0].id, outcomes: [{ kind: 'appended' }] })
      expect(machine.status).toMatchObject({ error: undefined, refused: [] })
    }
  })

  it('CLOCK_AHEAD is tried again when the server may have caught up with the stamp', () => {
    const { machine, id } = pushing(batchOf(ann, 1))
    machine.effects = []
    machine.refuse(id, 'CLOCK_AHEAD', { serverTimeMs: 5 })
    expect(machine.status.refused).toMatchObject([{ device: ann, code: 'CLOCK_AHEAD' }])
    expect(machine.take('startTimer').map(({ name }) => name)).toContain('asideRetry')
    machine.effects = []
    machine.input({ kind: 'timer', name: 'asideRetry' })
    machine.outbox(batchOf(ann, 1))
    const push = machine.sent().find(({ type }) => type === 'push')
    machine.hear({ type: 'pushed', id: push?.type === 'push' ? push.id : 0, outcomes: [{ kind: 'appended' }] })
    expect(machine.status.refused).toEqual([])
  })

  it('[SYNC16, seed 6] what was ahead and was brought in by another tab meanwhile is refused no more', () => {
    const { machine, id } = pushing(batchOf(ann, 1))
    machine.refuse(id, 'CLOCK_AHEAD', { serverTimeMs: 5 })
    machine.hear(page(9, cursorAt(10), [batchOf(ann, 1)]))
    machine.stored(vector({ [ann]: 1 }), { taken: [{ branch: ann, toSeq: 1 }] })
    expect(machine.status).toMatchObject({ refused: [], error: undefined })
  })

  it('UNAVAILABLE waits longer each time, and loses nothing', () => {
    const { machine, id } = pushing(batchOf(ann, 1))
    let next = id
    const delays: number[] = []
    for (let attempt = 0; attempt < 6; attempt++) {
      machine.effects = []
      machine.refuse(next, 'UNAVAILABLE')
      delays.push(
        ...machine
          .take('startTimer')
          .filter(({ name }) => name === 'pushRetry')
          .map(({ delayMs }) => delayMs),
      )
      expect(machine.take('readOutbox')).toEqual([])
      machine.input({ kind: 'timer', name: 'pushRetry' }).outbox(batchOf(ann, 1))
      next = machine.state.inFlight[0].id
    }
    expect(delays).toHaveLength(6)
    for (const [index, delayMs] of delays.entries()) {
      expect(delayMs).toBeGreaterThanOrEqual(250 * 2 ** index)
      expect(delayMs).toBeLessThanOrEqual(500 * 2 ** index)
    }
  })

  it('a reader pulls, and is told if there is something it may not push', () => {
    const machine = new Machine({ held: vector({ [ann]: 1 }) }).open(behind(new Map(), { role: 'reader' }))
    expect(machine.take('readOutbox')).toEqual([])
    expect(machine.status).toMatchObject({ online: true, error: { code: 'FORBIDDEN' } })
  })

  it('an answer that comes twice, or to no question, changes nothing', () => {
    const { machine, id } = pushing(batchOf(ann, 1))
    machine.hear({ type: 'pushed', id, outcomes: [{ kind: 'appended' }] })
    const before = machine.state
    machine.hear({ type: 'pushed', id, outcomes: [{ kind: 'refused', code: 'FORK', details: {} }] })
    machine.hear({ type: 'refused', id: 999, code: 'UNAVAILABLE', message: '', details: {} })
    machine.hear(page(0, cursorAt(1), [], { id: 999 }))
    expect({ ...machine.state, timers: 0 }).toEqual({ ...before, timers: 0 })
  })
})

describe('connections', () => {
  it('SYNC17 one that stays silent while an answer is due is given up', () => {
    const machine = new Machine().input({ kind: 'goOnline' })
    expect(machine.take('startTimer')).toMatchObject([{ name: 'watchdog' }])
    machine.input({ kind: 'timer', name: 'watchdog' })
    expect(machine.take('disconnect')).toHaveLength(1)
    expect(machine.take('startTimer')).toMatchObject([{ name: 'backoff' }])
    expect(machine.status.phase).toBe('waiting')
  })

  it('SYNC17 an idle one is pinged, and a ping without a pong is its end', () => {
    const machine = new Machine().open()
    machine.sent()
    machine.input({ kind: 'timer', name: 'ping' })
    expect(machine.sent()).toEqual([{ type: 'ping' }])
    machine.hear({ type: 'pong' }).input({ kind: 'timer', name: 'watchdog' })
    expect(machine.status.phase).toBe('open')
    machine.input({ kind: 'timer', name: 'ping' }, { kind: 'timer', name: 'watchdog' })
    expect(machine.status.phase).toBe('waiting')
  })

  it('SYNC18 the back-off grows to its bound, and a pong proves a connection good', () => {
    const machine = new Machine().input({ kind: 'goOnline' })
    const delays = Array.from({ length: 12 }, () => {
      machine.effects = []
      machine.input({ kind: 'disconnected' })
      const [{ delayMs }] = machine.take('startTimer')
      machine.input({ kind: 'timer', name: 'backoff' })
      return delayMs
    })
    expect(delays[0]).toBeLessThanOrEqual(500)
    expect(delays.at(-1)).toBeGreaterThanOrEqual(30_000)
    expect(Math.max(...delays)).toBeLessThanOrEqual(60_000)
    machine.input({ kind: 'connected' }).hear(inSync, { type: 'pong' }).input({ kind: 'disconnected' })
    expect(machine.state.failures).toBe(1)
  })

  it.each(['PROTOCOL_VERSION', 'NOT_FOUND', 'FORBIDDEN'] as const)(
    'SYNC18 %s is asked again at the slowest rate only',
    (code) => {
      const machine = new Machine().input({ kind: 'goOnline' }, { kind: 'connected' })
      machine.effects = []
      machine.hear({ type: 'refused', code, message: 'no', details: {} })
      expect(machine.take('startTimer')).toEqual([{ kind: 'startTimer', name: 'backoff', delayMs: 60_000 }])
      expect(machine.status.error?.code).toBe(code)
    },
  )

  it('going offline ends everything; going online again starts at once', () => {
    const machine = new Machine().open()
    machine.effects = []
    machine.input({ kind: 'goOffline' })
    expect(machine.take('disconnect')).toHaveLength(1)
    expect(machine.state.timers.size).toBe(0)
    expect(machine.status).toMatchObject({ phase: 'offline', online: false })
    machine.hear(inSync).input({ kind: 'timer', name: 'ping' }, { kind: 'connected' })
    expect(machine.take('send')).toEqual([])
    expect(machine.input({ kind: 'goOnline' }).take('connect')).toHaveLength(1)
  })

  it('does not connect while an ingest of the last connection is under way', () => {
    const machine = new Machine().open(behind(vector({ [ann]: 2 }), { cursorValid: true }))
    machine.hear(page(0, cursorAt(2), [batchOf(ann, 1, 2)], { id: machine.state.pull! }))
    machine.take('connect')
    machine.input({ kind: 'disconnected' }, { kind: 'timer', name: 'backoff' })
    expect(machine.take('connect')).toEqual([])
    machine.stored(vector({ [ann]: 2 }))
    expect(machine.take('connect')).toHaveLength(1)
    machine.sent()
    machine.input({ kind: 'connected' })
    expect(machine.sent()).toMatchObject([{ type: 'hello', cursor: cursorAt(2) }])
  })
})

describe('round trips', () => {
  it('SYNC19 poll by hello, quietly', () => {
    const machine = new Machine({ mode: 'roundTrip', held: vector({ [ann]: 1 }) }).open()
    expect(machine.take('startTimer').at(-1)).toMatchObject({ name: 'poll', delayMs: 15_000 })
    machine.effects = []
    machine.input({ kind: 'timer', name: 'poll' })
    expect(machine.sent()).toMatchObject([{ type: 'hello' }])
    expect(machine.take('status')).toEqual([])
    machine.hear(inSync)
    expect(machine.take('status')).toEqual([])
    expect(machine.sent()).toEqual([])
    expect(machine.take('startTimer').at(-1)).toMatchObject({ name: 'poll' })
  })

  it('SYNC19 a poll waits until what is under way is answered', () => {
    const machine = new Machine({ mode: 'roundTrip', held: vector({ [ann]: 1 }) }).open()
    machine.input({ kind: 'localAppended', held: vector({ [ann]: 2 }) }).outbox(batchOf(ann, 2))
    machine.sent()
    machine.input({ kind: 'timer', name: 'poll' })
    expect(machine.sent()).toEqual([])
    machine.hear({ type: 'pushed', id: machine.state.inFlight[0].id, outcomes: [{ kind: 'appended' }] })
    expect(machine.sent()).toMatchObject([{ type: 'hello' }])
  })

  it('need no pull where the device holds all that the server has', () => {
    const machine = new Machine({ mode: 'roundTrip', held: vector({ [ann]: 2 }) }).open(behind(vector({ [ann]: 1 })))
    expect(machine.sent().map(({ type }) => type)).toEqual(['hello'])
    expect(machine.status.caughtUp).toBe(true)
  })
})
