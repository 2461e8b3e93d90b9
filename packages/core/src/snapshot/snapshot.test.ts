import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { Keyring } from '../crypto/keyring.ts'
import { makeCertificate } from '../crypto/identity.ts'
import { cryptoReady, signingKeysFromSeed } from '../crypto/sodium.ts'
import { decodeBatch } from '../log/batch.ts'
import { memoryStore } from '../log/memory-store.ts'
import type { OpLog } from '../log/op-log.ts'
import { verifyBatch } from '../log/signature.ts'
import { Writer } from '../log/writer.ts'
import { positionsBetween } from '../laws/positions.ts'
import { byRow } from '../op/author.ts'
import { Law } from '../op/law.ts'
import type { Shape } from '../op/run.ts'
import type { Value } from '../op/value.ts'
import { lateReader, lawKinds, lawSteps, runLawHistory } from '../projection/law-histories.test-support.ts'
import type { Projector } from '../projection/projector.ts'
import { createTreeForger } from '../testing/fork-forger.test-support.ts'
import {
  createReplica,
  hexOf,
  identityOf,
  NO_BACKLOG,
  seededRandom,
  shapes,
  SPACE,
  START_MS,
} from '../testing/replicas.test-support.ts'
import { restoreSnapshot, saveSnapshot, type Snapshot } from './snapshot.ts'

beforeAll(cryptoReady)

interface State {
  readonly log: OpLog
  readonly projector: Projector
}

const saved = ({ log, projector }: State): Snapshot => saveSnapshot(log, projector)!
const again = (state: State): State => {
  const { state: bytes, cells } = saved(state)
  return restoreSnapshot({ state: bytes, cells: () => cells }, state.log.keyring)!
}

const inHex = ({ state, cells }: Snapshot) => [hexOf(state), hexOf(cells)]

const sorted = (seqs: ReadonlyMap<string, number>) => [...seqs].sort(([a], [b]) => (a < b ? -1 : 1))

/** What can be told of a state from outside. */
const told = ({ log, projector }: State) => ({
  digest: hexOf(projector.cells.digest()),
  projected: sorted(projector.projected),
  held: sorted(log.held()),
  frontier: sorted(projector.frontier),
  highest: projector.highest,
  voids: projector.voidCount,
  backlog: log.backlog(),
  contested: [...projector.cells.contested].map(({ id }) => id).sort(),
  settled: projector.cells.settled.newest().map(({ row, ...one }) => ({ ...one, row: row.id })),
})

const receive = ({ log }: State, bytes: Uint8Array): boolean => log.receive(log.check(decodeBatch(bytes)))

describe('a local snapshot', () => {
  it.each(Object.entries(lawKinds))('[SNAP1] %s: what is restored is what was saved, and goes on as it', (_, kinds) => {
    fc.assert(
      fc.property(
        lawSteps(kinds, { replicas: 3, rows: 3, length: 40 }),
        fc.array(fc.nat(), { minLength: 1, maxLength: 30 }),
        fc.nat(),
        (steps, shuffle, cut) => {
          const history = runLawHistory(steps, 3)
          const reader = lateReader({ ...history, batches: [] }, shuffle)
          const { batches } = history
          const first = batches.slice(0, batches.length === 0 ? 0 : cut % batches.length)
          for (const bytes of first) reader.receive(bytes)
          const restored = again(reader)
          // What waits is received again, as from a store.
          for (const bytes of first) receive(restored, bytes)
          expect(told(restored)).toEqual(told(reader))
          expect(inHex(saved(restored))).toEqual(inHex(saved(reader)))
          for (const bytes of batches) {
            expect(receive(restored, bytes)).toBe(reader.receive(bytes))
          }
          expect(told(restored)).toEqual(told(reader))
        },
      ),
      { numRuns: 40 },
    )
  })

  it('[SNAP1] its device writes on as if nothing had been: the same bytes', () => {
    for (const keyring of [Keyring.unencrypted(SPACE), Keyring.encrypted(SPACE, new Map([[1, new Uint8Array(32)]]))]) {
      const other = createReplica(2, SPACE, undefined, keyring)
      const a = createReplica(1, SPACE, undefined, keyring)
      other.write(START_MS, other.change(shapes.insert, 'theirs'))
      for (const bytes of other.seal()) a.receive(bytes)
      a.write(START_MS, a.change(shapes.insert, 'mine'), a.change(shapes.title, 'mine', 'text'))
      a.seal()
      const { log, projector } = again(a)
      const writer = new Writer(identityOf(1), log, projector, a.writer.ownHighest, seededRandom(1))
      const changes = byRow([a.change(shapes.title, 'theirs', 'edited'), a.change(shapes.votes, 'mine', 4)])
      const stamp = a.writer.nextStamp(START_MS + 9)
      a.writer.write(changes, stamp, 1)
      writer.write(changes, stamp, 1)
      const [mine] = a.writer.seal()
      const [restored] = writer.seal()
      expect(hexOf(restored.headerBytes)).toBe(hexOf(mine.headerBytes))
      expect(hexOf(projector.cells.digest())).toBe(a.digest())
    }
  })

  it('[SNAP1 BR1] branches, and what is shifted, are as they were', async () => {
    const forger = createTreeForger(1)
    const insert = (id: string) => ({ shape: shapes.insert, row: { id } })
    const stem = forger.seal(forger.root, [{ hlc: 10, changes: [insert('a')] }])
    const left = forger.seal(stem.end, [{ hlc: 20, changes: [insert('b')] }])
    const right = forger.seal(stem.end, [{ hlc: 30, changes: [insert('c')] }])
    const store = memoryStore()
    const batches = [stem, left, right].map(({ batch }) => batch)
    await store.append(SPACE, batches)
    const page = await store.readAbove(SPACE, new Map(), { batches: 100, bytes: 1e9 })
    const state = createReplica(5, SPACE, (log) => {
      for (const { batch, branch } of page.batches) log.receive(log.open(batch), branch)
    })
    expect(state.log.held().size).toBe(3)
    const restored = again(state)
    expect(told(restored)).toEqual(told(state))
    for (const { header } of batches) expect(restored.log.holder(header)).toBe(state.log.holder(header))
  })

  it('[SNAP1 OP8] a device that wrote nothing yet begins with the certificate that it has when it writes', () => {
    const a = createReplica(1)
    const { log, projector } = again(a)
    const installation = signingKeysFromSeed(new Uint8Array(32).fill(77))
    const { keys, device, space } = identityOf(1)
    const certificate = makeCertificate(space, keys.publicKey, installation)
    const writer = new Writer({ space, device, keys, certificate }, log, projector, 0, seededRandom(1))
    writer.write(byRow([a.change(shapes.insert, 'x')]), START_MS, 1)
    const [batch] = writer.seal()
    verifyBatch(batch, undefined)
    expect(createReplica(2).receive(batch.bytes)).toBe(true)
  })

  it('[SNAP2] what waits, or cannot be opened, is not in it: it is received again from the store', () => {
    const keyring = Keyring.encrypted(SPACE, new Map([[1, new Uint8Array(32)]]))
    const a = createReplica(1, SPACE, undefined, keyring)
    a.write(START_MS, a.change(shapes.insert, 'x'))
    const [first] = a.seal()
    const b = createReplica(2, SPACE, undefined, keyring)
    b.receive(first)
    b.write(START_MS, b.change(shapes.title, 'x', 'y'))
    const [second] = b.seal()
    const stranger = createReplica(9)
    stranger.write(START_MS, stranger.change(shapes.insert, 'junk'))
    const junk = decodeBatch(stranger.seal()[0])
    const own = createReplica(4, SPACE, undefined, keyring)
    own.write(START_MS, own.change(shapes.insert, 'own'))
    const [mine] = own.seal()
    const reader = createReplica(3, SPACE, (log) => log.receive(log.open(junk)), keyring)
    for (const bytes of [mine, second]) reader.receive(bytes)
    expect(reader.log.backlog()).toEqual({ ...NO_BACKLOG, waiting: 1, unopenable: 1 })
    const restored = again(reader)
    expect([...restored.log.held()]).toEqual([[own.device, 1]])
    restored.log.receive(restored.log.open(junk))
    for (const bytes of [mine, second]) receive(restored, bytes)
    expect(told(restored)).toEqual(told(reader))
    for (const state of [reader, restored]) receive(state, first)
    expect(told(restored)).toEqual(told(reader))
    expect(restored.log.backlog()).toEqual({ ...NO_BACKLOG, unopenable: 1 })
  })

  it('[SNAP1] values keep their names, whatever these mean to JavaScript', () => {
    const value = JSON.parse('{"__proto__":{"a":1},"constructor":2,"toJSON":3}') as Value
    const shape = (law: number, field: string): Shape => ({ law, table: 'tasks', path: [field] })
    const [position] = positionsBetween(undefined, undefined, 1, { author: 'a', unique: 'b' })
    const a = createReplica(1)
    a.write(
      START_MS,
      a.change(shapes.insert, 'x'),
      a.change(shape(Law.add, 'tags'), 'x', value),
      a.change(shape(Law.item, 'steps'), 'x', ['i', position, value]),
      a.change(shape(Law.put, 'settings'), 'x', [value]),
      a.change(shapes.title, 'x', value),
    )
    expect(a.projector.voidCount).toBe(0)
    a.seal()
    expect(told(again(a))).toEqual(told(a))
  })

  it('[SNAP3] one that is damaged, or of another format, is none', () => {
    const a = createReplica(1)
    for (let row = 0; row < 20; row++) a.write(START_MS, a.change(shapes.insert, `row ${row}`))
    a.seal()
    const { state, cells } = saved(a)
    for (let at = 0; at < state.length; at++) {
      const damaged = state.slice()
      damaged[at] ^= 16
      expect(restoreSnapshot({ state: damaged, cells: () => cells }, a.log.keyring)).toBeUndefined()
      expect(restoreSnapshot({ state: state.slice(0, at), cells: () => cells }, a.log.keyring)).toBeUndefined()
    }
    // Of the cells whoever keeps them sees to that; what is not right is never taken for right.
    for (let at = 0; at < cells.length; at++) {
      const damaged = cells.slice()
      damaged[at] ^= 16
      const { projector } = restoreSnapshot({ state, cells: () => damaged }, a.log.keyring)!
      expect(() => projector.cells.awaken()).toThrow()
    }
  })
})
