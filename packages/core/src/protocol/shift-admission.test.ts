/** BR2 and ING2: a server counts a shift where replicas apply it, and nowhere else, whatever a member signs. */
import { beforeAll, expect, it } from 'vitest'
import { hlcFromMs, MAX_HLC } from '../clock/hlc.ts'
import { cryptoReady } from '../crypto/sodium.ts'
import { assembleBatch, type Batch } from '../log/batch.ts'
import { memoryStore } from '../log/memory-store.ts'
import { sealBatch } from '../log/seal.ts'
import { signBatch } from '../log/signature.ts'
import { encodeRun } from '../op/run-codec.ts'
import {
  createReplica,
  forgeRun,
  identityOf,
  plainKeys,
  shapes,
  SPACE,
  START_MS,
} from '../testing/replicas.test-support.ts'
import { treeForger } from '../testing/tree-forger.test-support.ts'
import { bareHello } from './messages.ts'
import { readAdmission } from './read-admission.ts'
import { stepServerSession } from './server-session.ts'
import { createServerSession } from './server-state.ts'
import type { ServerEffect, ServerInput } from './server-types.ts'

beforeAll(cryptoReady)

const NOW = hlcFromMs(START_MS)
const FAR = MAX_HLC - 10
const insert = (id: string) => ({ shape: shapes.insert, row: { id } }) as const

/** A server on a store in memory, and who pushes to it. */
const createServer = () => {
  const store = memoryStore()
  const push = async (...batches: Batch[]): Promise<string[]> => {
    let state = createServerSession({ space: SPACE, mode: 'roundTrip' })
    const inputs: ServerInput[] = [
      { kind: 'message', message: bareHello(SPACE) },
      { kind: 'message', message: { type: 'push', id: 1, batches: batches.map(({ bytes }) => bytes) } },
    ]
    const answer = async (effect: ServerEffect): Promise<ServerInput | undefined> => {
      switch (effect.kind) {
        case 'authorize':
          return { kind: 'authorized', role: 'writer', serverTimeMs: START_MS }
        case 'readAdmission':
          return readAdmission(store, SPACE, effect)
        case 'append': {
          const { batches: taken, records, allOrNothing } = effect
          return { kind: 'appended', outcomes: await store.append(SPACE, taken, { records, allOrNothing }) }
        }
        default:
          return undefined
      }
    }
    for (let input = inputs.shift(); input !== undefined; input = inputs.shift()) {
      const step = stepServerSession(state, input)
      state = step.state
      for (const effect of step.effects) {
        if (effect.kind === 'send' && effect.message.type === 'pushed') {
          return effect.message.outcomes.map((outcome) => (outcome.kind === 'refused' ? outcome.code : outcome.kind))
        }
        const next = await answer(effect)
        if (next !== undefined) inputs.push(next)
      }
    }
    throw new Error('no answer')
  }
  /** How far a replica that holds what the server has is dragged along. */
  const highest = async (): Promise<number> => {
    const { batches } = await store.readAbove(SPACE, new Map(), { batches: 1000, bytes: 1e9 })
    const replica = createReplica(999, SPACE, (log) => {
      for (const { batch } of batches) log.addShifts(batch.header.shifts)
      for (const { batch, branch } of batches) log.receive(log.check(batch), branch)
    })
    return replica.writer.nextStamp(START_MS)
  }
  return { push, highest }
}

it('[ING2 BR2] a shift of a run that nobody has does not let its device into the far future', async () => {
  const server = createServer()
  const d = treeForger(1)
  const one = d.seal(d.root, [[{ hlc: NOW, changes: [insert('x')] }]])
  const two = d.seal(one.end, [[{ hlc: FAR, changes: [insert('y')] }]])
  const m = treeForger(3)
  const shift = { device: d.device, base: 0, firstTag: new Uint8Array(16), shift: MAX_HLC, floor: 0 }
  const stated = m.seal(m.root, [[{ hlc: 1 }]], { shifts: [shift] })
  expect(await server.push(stated.batch, one.batch, two.batch)).toEqual(['appended', 'appended', 'CLOCK_AHEAD'])
  expect(await server.push(two.batch)).toEqual(['CLOCK_AHEAD'])
  expect(await server.highest()).toBeLessThan(NOW + 4096)
})

it('[ING2 BR2] a shift of another branch, or of a run inside a batch, does not either', async () => {
  const server = createServer()
  const d = treeForger(1)
  const one = d.seal(d.root, [[{ hlc: NOW, changes: [insert('x')] }]])
  const left = d.seal(one.end, [[{ hlc: NOW + 1 }]])
  const right = d.seal(one.end, [[{ hlc: NOW + 2 }]])
  const rightFar = d.seal(right.end, [[{ hlc: FAR }]])
  const firstOfTwo = d.seal(right.end, [[{ hlc: NOW + 3 }]])
  const runs = d.seal(right.end, [[{ hlc: NOW + 3 }], [{ hlc: FAR }]])
  const m = treeForger(3)
  const shiftOf = (base: number, end: { readonly hash: Uint8Array }) => ({
    device: d.device,
    base,
    firstTag: d.tag(end.hash),
    shift: FAR,
    floor: 0,
  })
  const stated = m.seal(m.root, [[{ hlc: 1 }]], { shifts: [shiftOf(1, left.end), shiftOf(3, runs.end)] })
  expect(firstOfTwo.end.seq).toBe(3)
  expect(await server.push(stated.batch, one.batch, left.batch, right.batch)).not.toContain('CLOCK_AHEAD')
  expect(await server.push(rightFar.batch, runs.batch)).toEqual(['CLOCK_AHEAD', 'CLOCK_AHEAD'])
  // On the way on from the run that is named it counts, in the same push too.
  const leftFar = d.seal(left.end, [[{ hlc: FAR - 5 }]])
  const leftFarther = d.seal(leftFar.end, [[{ hlc: FAR }]])
  expect(await server.push(leftFar.batch, leftFarther.batch)).toEqual(['appended', 'appended'])
  expect(await server.highest()).toBeLessThan(NOW + 4096)
})

it('[ING2] the run that is named may come earlier in the push, or be the first of the batch', async () => {
  const server = createServer()
  const d = treeForger(1)
  const one = d.seal(d.root, [[{ hlc: FAR - 2 }]])
  const two = d.seal(one.end, [[{ hlc: FAR - 1 }], [{ hlc: FAR }]])
  const m = treeForger(3)
  const shift = { device: d.device, base: 0, firstTag: d.tag(one.end.hash), shift: FAR, floor: 0 }
  const stated = m.seal(m.root, [[{ hlc: 1 }]], { shifts: [shift] })
  expect(await server.push(one.batch, stated.batch)).toEqual(['CLOCK_AHEAD', 'appended'])
  expect(await server.push(one.batch, two.batch)).toEqual(['appended', 'appended'])
  expect(await server.highest()).toBeLessThan(NOW + 4096)
})

it('[ING2 BR2] shifts that are stated by what is not stored do not count', async () => {
  const server = createServer()
  const d = treeForger(1)
  const far = d.seal(d.root, [[{ hlc: FAR }]])
  const m = treeForger(3)
  const silent = m.seal(m.root, [[{ hlc: 1 }]])
  const shift = { device: d.device, base: 0, firstTag: d.tag(far.end.hash), shift: FAR, floor: 0 }
  const stated = m.seal(m.root, [[{ hlc: 1 }]], { shifts: [shift] })
  // As if it ended where another history of its device does: one of the two lies.
  const { header } = stated.batch
  const lie = sealBatch(
    { ...header, certificate: header.certificate!, maxHlc: 1, tagAfter: silent.batch.header.tagAfter },
    [encodeRun(forgeRun(m.device, 1, [{ hlc: 1 }]))],
    plainKeys(identityOf(3).keys),
  )
  expect(await server.push(silent.batch, lie, far.batch)).toEqual(['appended', 'FORK', 'CLOCK_AHEAD'])
  // Nor under the beginning of another history.
  const strange = sealBatch(
    { ...header, certificate: header.certificate!, maxHlc: 1, tagBefore: silent.batch.header.tagBefore },
    [encodeRun(forgeRun(m.device, 1, [{ hlc: 1 }]))],
    plainKeys(identityOf(3).keys),
  )
  expect(await server.push(strange, far.batch)).toEqual(['MALFORMED', 'CLOCK_AHEAD'])
  expect(await server.push(stated.batch, far.batch)).toEqual(['appended', 'appended'])
  expect(await server.highest()).toBeLessThan(NOW + 4096)
})

it('[ENV5 BR2] shifts count by the header, whatever the body beneath it is', async () => {
  const server = createServer()
  const d = treeForger(1)
  const far = d.seal(d.root, [[{ hlc: FAR }]])
  const m = treeForger(3)
  const shift = { device: d.device, base: 0, firstTag: d.tag(far.end.hash), shift: FAR, floor: 0 }
  const { headerBytes } = m.seal(m.root, [[{ hlc: 1 }]], { shifts: [shift] }).batch
  const body = Uint8Array.of(1, 2, 3)
  const stated = assembleBatch(headerBytes, body, signBatch(headerBytes, body, identityOf(3).keys))
  expect(await server.push(stated, far.batch)).toEqual(['appended', 'appended'])
  expect(await server.highest()).toBeLessThan(NOW + 4096)
})

it('[ING2] a floor near the end of the stamps is refused, with all that it would have lifted', async () => {
  const server = createServer()
  const d = treeForger(1)
  const one = d.seal(d.root, [[{ hlc: NOW }]])
  const m = treeForger(3)
  const shift = { device: d.device, base: 0, firstTag: d.tag(one.end.hash), shift: 0, floor: MAX_HLC }
  const stated = m.seal(m.root, [[{ hlc: 1 }]], { shifts: [shift] })
  expect(await server.push(one.batch, stated.batch)).toEqual(['appended', 'CLOCK_AHEAD'])
  expect(await server.highest()).toBeLessThan(NOW + 4096)
})
