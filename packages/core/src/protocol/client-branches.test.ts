/** SYNC7, SYNC10, SYNC22, SYNC23: what the device's machine does where names and histories differ from the server's. */
import { beforeAll, describe, expect, it } from 'vitest'
import type { DeviceId } from '../clock/dot.ts'
import { encodeVector } from '../clock/version-vector.ts'
import { cryptoReady } from '../crypto/sodium.ts'
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
import type { RefusedBranch } from './client-types.ts'

beforeAll(cryptoReady)

const points = (...seqs: number[]) => seqs.map((seq) => ({ seq, tag: tagAt(seq) }))
const fork = (branch: DeviceId): RefusedBranch => ({ branch, device: branch, code: 'FORK', details: { have: 9 } })

describe('tips', () => {
  const greeted = (): Machine => {
    const machine = new Machine({ held: vector({ [ann]: 9 }), cursor: cursorAt(4) })
    machine.placesItself = false
    return machine.open(behind(vector({ [ann]: 5, [bob]: 2 }), { cursorValid: true }))
  }

  it('SYNC7 nothing is pushed or pulled before it is known what the tips mean here', () => {
    const machine = greeted()
    machine.sent()
    const [{ request }] = machine.take('place')
    expect(machine.status.online).toBe(false)
    machine.input({ kind: 'localAppended', held: vector({ [ann]: 10 }) })
    expect(machine.take('readOutbox')).toEqual([])
    machine.input({ kind: 'placed', request, vector: vector({ [ann]: 5, [bob]: 2 }), unverified: [bob], forked: [] })
    expect(machine.status.online).toBe(true)
    expect(machine.take('readOutbox')).toMatchObject([{ above: vector({ [ann]: 5, [bob]: 2 }) }])
    expect(machine.sent()).toMatchObject([{ type: 'pull', after: cursorAt(4) }])
  })

  it('SYNC10 at the end of a catch-up the tips are placed again: not found, it goes by vector; still not, it gives up', () => {
    const machine = greeted()
    const unverified = { kind: 'placed', vector: vector({ [ann]: 5 }), unverified: [bob], forked: [] } as const
    machine.input({ ...unverified, request: machine.take('place')[0].request })
    machine.hear(page(4, cursorAt(4), [], { id: machine.state.pull! }))
    machine.sent()
    expect(machine.status.caughtUp).toBe(false)
    machine.input({ ...unverified, request: machine.take('place')[0].request })
    expect(machine.sent()).toMatchObject([{ type: 'pull', above: encodeVector(vector({ [ann]: 5 })) }])
    machine.hear(page(0, cursorAt(9), [], { id: machine.state.pull! }))
    machine.input({ ...unverified, request: machine.take('place')[0].request })
    expect(machine.status).toMatchObject({ caughtUp: false, error: { code: 'GAP' } })
  })

  it('a local store that cannot place them ends the connection, and is tried again after a while', () => {
    const machine = greeted()
    const [{ request }] = machine.take('place')
    machine.input({ kind: 'storeFailed', request, code: 'STORAGE_FAILED', message: 'busy' })
    expect(machine.status).toMatchObject({ phase: 'waiting', error: { code: 'STORAGE_FAILED' } })
  })
})

describe('where histories part', () => {
  /** The server ends otherwise than ann's nine batches do. */
  const forked = (): Machine => {
    const machine = new Machine({ held: vector({ [ann]: 9, [bob]: 1 }), cursor: cursorAt(4) })
    machine.placesItself = false
    machine.open(behind(vector({ [ann]: 8, [bob]: 1 })))
    const [{ request }] = machine.take('place')
    machine.sent()
    return machine.input({ kind: 'placed', request, vector: vector({ [bob]: 1 }), unverified: [ann], forked: [ann] })
  }

  it('SYNC22 asks until the places are named in full; then both sides go on from there', () => {
    const machine = forked()
    expect(machine.take('readOutbox')).toEqual([])
    expect(machine.sent()).toEqual([])
    machine.points({ device: ann, points: points(3, 6, 9), isComplete: false }).locate(3)
    expect(machine.take('readPoints')).toMatchObject([{ branch: ann, above: 3, upTo: 5 }])
    const reading = machine.state.asking?.step
    const path = [{ branch: ann, base: 0 }]
    const request = reading?.kind === 'reading' ? reading.request : 0
    machine.input({ kind: 'pointsRead', request, device: ann, path, points: points(4, 5), isComplete: true })
    machine.locate(4)
    expect(machine.take('readOutbox')).toMatchObject([{ above: vector({ [ann]: 4, [bob]: 1 }) }])
    expect(machine.sent()).toMatchObject([{ type: 'pull', above: encodeVector(vector({ [ann]: 4, [bob]: 1 })) }])
    expect(machine.status.refused).toEqual([])
  })

  it('SYNC22 a server that has nothing in common gets all, and is asked for all', () => {
    const machine = forked()
    machine.points({ device: ann, points: points(3, 6, 9) }).locate(0)
    expect(machine.take('readOutbox')).toMatchObject([{ above: vector({ [bob]: 1 }) }])
    expect(machine.sent()).toMatchObject([{ type: 'pull', above: encodeVector(vector({ [bob]: 1 })) }])
  })

  it('SYNC22 of a branch further down the path is known what is held above it', () => {
    const machine = forked()
    const path = [
      { branch: bob, base: 0 },
      { branch: ann, base: 6 },
    ]
    machine.points({ device: bob, path, points: points(3, 6, 9) }).locate(3)
    expect(machine.state.server).toEqual(vector({ [bob]: 3 }))
    const deeper = forked()
    deeper.points({ device: bob, path, points: points(3, 6, 8, 9) }).locate(8)
    expect(deeper.state.server).toEqual(vector({ [bob]: 6, [ann]: 8 }))
  })

  it('an answer that names no place that was asked for ends the connection', () => {
    const machine = forked()
    machine.points({ device: ann, points: points(3, 6, 9) }).locate(4)
    expect(machine.status).toMatchObject({ phase: 'waiting', error: { code: 'PROTOCOL_VIOLATION' } })
  })

  it('a server that cannot say now is asked again later', () => {
    const machine = forked()
    machine.points({ device: ann, points: points(3, 6, 9) })
    const [locate] = machine.sent()
    const id = locate.type === 'locate' ? locate.id : 0
    machine.hear({ type: 'refused', id, code: 'UNAVAILABLE', message: 'later', details: {} })
    expect(machine.take('readPoints')).toEqual([])
    machine.input({ kind: 'timer', name: 'pullRetry' })
    expect(machine.take('readPoints')).toMatchObject([{ branch: ann, above: 0 }])
  })

  it('SYNC22 a page that does not join: the cursor stays, it is asked where to part, and pulled by vector from there', () => {
    const machine = new Machine({ held: vector({ [ann]: 5 }), cursor: cursorAt(4) })
    machine.open(behind(vector({ [ann]: 7 }), { cursorValid: true })).sent()
    const answered = (from: number, refused: RefusedBranch[]): void => {
      machine.hear(page(from, cursorAt(7), [batchOf(ann, 6, 7)], { id: machine.state.pull! }))
      machine.stored(vector({ [ann]: 5 }), { refused })
    }
    answered(4, [fork(ann)])
    expect(machine.state.cursor).toEqual(cursorAt(4))
    machine.points({ device: ann, points: points(2, 5) }).locate(2)
    expect(machine.sent()).toMatchObject([{ type: 'pull', above: encodeVector(vector({ [ann]: 2 })) }])
    machine.outbox()
    // And once more at the same place: nothing can be done about it, so it is shown, and the rest goes on.
    answered(0, [fork(ann)])
    machine.points({ device: ann, points: points(2, 5) }).locate(2)
    expect(machine.status.refused).toMatchObject([{ branch: ann, code: 'FORK' }])
    machine.outbox()
    answered(0, [fork(ann)])
    expect(machine.state.cursor).toEqual(cursorAt(7))
    expect(machine.status).toMatchObject({ caughtUp: true, syncing: false, error: { code: 'FORK' } })
  })

  it('SYNC22 a push that does not join waits for the answers of the others, asks, and pulls', () => {
    const machine = new Machine({ held: vector({ [ann]: 9 }) }).open(behind(new Map()))
    machine.outbox(batchOf(ann, 4)).sent()
    machine.refuse(machine.state.inFlight[0].id, 'FORK', { have: 9 })
    machine.points({ device: ann, points: points(1, 9) }).locate(1)
    expect(machine.take('readOutbox')).toMatchObject([{ above: vector({ [ann]: 1 }) }])
    expect(machine.sent()).toMatchObject([{ type: 'pull', above: encodeVector(vector({ [ann]: 1 })) }])
  })
})

describe('renaming', () => {
  it('SYNC23 names that changed end what is known of the server: a new connection, at once', () => {
    const byIngest = new Machine({ held: vector({ [ann]: 1 }) }).open()
    byIngest.hear(page(9, cursorAt(10), [batchOf(ann, 2)]))
    byIngest.effects = byIngest.take('ingest')
    byIngest.stored(vector({ [bob]: 2 }), { taken: [{ branch: ann, toSeq: 2 }], isRenamed: true })
    const byTab = new Machine({ held: vector({ [ann]: 1 }) }).open()
    byTab.effects = []
    byTab.input({ kind: 'renamed', held: vector({ [bob]: 2 }) })
    for (const machine of [byIngest, byTab]) {
      expect(machine.effects.map(({ kind }) => kind).filter((kind) => /connect/.test(kind))).toEqual([
        'disconnect',
        'connect',
      ])
      expect(machine.take('startTimer').map(({ name }) => name)).not.toContain('backoff')
      expect(machine.state.held).toEqual(vector({ [bob]: 2 }))
      expect(machine.state.failures).toBe(0)
    }
    expect(byIngest.state.cursor).toEqual(cursorAt(10))
  })

  it('SYNC23 while waiting or offline it changes what is held, and no more', () => {
    const machine = new Machine({ held: vector({ [ann]: 1 }) }).open().input({ kind: 'disconnected' })
    machine.effects = []
    machine.input({ kind: 'renamed', held: vector({ [bob]: 2 }) })
    expect(machine.effects).toEqual([])
    expect(machine.state.timers.has('backoff')).toBe(true)
  })

  it('SYNC14 pages and pushes count for the branches that they are of here', () => {
    const machine = new Machine({ held: vector({ [bob]: 3 }) }).open({ ...inSync, end: cursorAt(0) })
    machine.hear(page(0, cursorAt(1), [batchOf(ann, 2)]))
    machine.stored(vector({ [bob]: 4 }), { taken: [{ branch: bob, toSeq: 4 }] })
    expect(machine.state.server).toEqual(vector({ [bob]: 4 }))
    machine.input({ kind: 'localAppended', held: vector({ [bob]: 5 }) })
    const [reading] = machine.take('readOutbox')
    const batches = [{ ...asOutbox(batchOf(ann, 5)), branch: bob }]
    machine.input({ kind: 'outboxRead', request: reading.request, batches, more: false })
    machine.hear({ type: 'pushed', id: machine.state.inFlight[0].id, outcomes: [{ kind: 'appended' }] })
    expect(machine.state.server).toEqual(vector({ [bob]: 5 }))
  })
})
