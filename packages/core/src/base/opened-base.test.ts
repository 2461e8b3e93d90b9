import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import type { DeviceId } from '../clock/dot.ts'
import { Keyring } from '../crypto/keyring.ts'
import { cryptoReady, hash } from '../crypto/sodium.ts'
import { decodeBatch } from '../log/batch.ts'
import { Writer } from '../log/writer.ts'
import { byRow, type NewChange } from '../op/author.ts'
import type { Shape } from '../op/run.ts'
import type { Value } from '../op/value.ts'
import { lawKinds, lawSteps, runLawHistory } from '../projection/law-histories.test-support.ts'
import { saveSnapshot } from '../snapshot/snapshot.ts'
import {
  codeOf,
  createReplica,
  hexOf,
  identityOf,
  seededRandom,
  shapes,
  SPACE,
  START_MS,
} from '../testing/replicas.test-support.ts'
import { treeForger } from '../testing/tree-forger.test-support.ts'
import { decodeBase, encodeBase } from './base-bytes.ts'
import {
  folded,
  type Held,
  heldOf,
  keyring,
  opened,
  receiveAll,
  replay,
  restOf,
  shownBy,
  type State,
  told,
  vectorFor,
} from './bases.test-support.ts'
import { compareBases } from './compare-bases.ts'
import { foldBase } from './fold-base.ts'
import { openBase } from './open-base.ts'

beforeAll(cryptoReady)

/** Two devices that have seen all of each other, and what each then writes alone. */
const twoDevices = () => {
  const [a, b] = [createReplica(1), createReplica(2)]
  const all: Uint8Array[] = []
  const sync = (): void => {
    for (const [from, to] of [
      [a, b],
      [b, a],
    ]) {
      for (const bytes of from.seal()) {
        all.push(bytes)
        to.receive(bytes)
      }
    }
  }
  return { a, b, all, sync }
}

describe('what goes on from a base', () => {
  it.each(Object.entries(lawKinds))(
    '[CUT5 CUT10] %s: what a schema shows and its conflicts are those of the log',
    (_, kinds) => {
      fc.assert(
        fc.property(lawSteps(kinds, { replicas: 3, rows: 2, length: 30 }), fc.nat(), (steps, pick) => {
          const { batches, ops } = runLawHistory(steps, 3)
          fc.pre(ops.length > 0)
          const held = heldOf(batches)
          const naming = ops.flatMap(({ dot, changes }) => changes.flatMap(({ over }) => (over ? [{ dot, over }] : [])))
          const cut = ops[pick % ops.length].stamp
          const base = folded(held, cut, vectorFor(held, cut, { naming }))
          const state = opened(base)
          receiveAll(state, restOf(held, state))
          expect(shownBy(state)).toEqual(shownBy(replay(held)))
        }),
        { numRuns: 60 },
      )
    },
  )

  it('[CUT5 WR1] a device writes on from it, and who has the whole log reads that', () => {
    const { a, b, all, sync } = twoDevices()
    a.write(START_MS, a.change(shapes.insert, 'x'), a.change(shapes.title, 'x', 'first'))
    sync()
    b.write(START_MS + 1, b.change(shapes.title, 'x', 'second'), b.change(shapes.votes, 'x', 2))
    sync()
    // So the write of the title is named by its register alone.
    b.write(START_MS + 2, b.change(shapes.insert, 'y'))
    sync()
    a.write(START_MS + 3, a.change(shapes.votes, 'x', 1))
    sync()
    const held = heldOf(all)
    for (const cut of [a.projector.highest - 2 * 4096, a.projector.highest]) {
      const base = folded(held, cut, vectorFor(held, cut))
      const state = opened(base)
      receiveAll(state, restOf(held, state))
      const writer = new Writer(identityOf(3), state.log, state.projector, 0, seededRandom(3))
      const change = (shape: Shape, rowId: string, value: Value, over?: NewChange['over']): NewChange => {
        const row = state.projector.cells.table('tasks').rows.get(rowId)!
        return {
          shape,
          rowId,
          handle: state.projector.handleOf(row),
          value,
          ...(over === undefined ? { over } : { over }),
        }
      }
      const over = [{ device: b.device, seq: 1 }]
      writer.write(
        byRow([change(shapes.title, 'x', 'third', over), change(shapes.votes, 'x', 3)]),
        writer.nextStamp(START_MS + 9),
        1,
      )
      const written = writer.seal().map(({ bytes }) => bytes)
      const reader = replay([...held, ...heldOf(written)])
      expect(reader.log.damage).toBeUndefined()
      expect(reader.projector.voidCount).toBe(0)
      expect(hexOf(state.projector.cells.digest())).toBe(hexOf(reader.projector.cells.digest()))
    }
  })

  it('[CUT4] of a run that the cut divides the rest comes with its batch, and what refers to the run waits for that', () => {
    const [a, b] = [createReplica(1), createReplica(2)]
    a.write(START_MS, a.change(shapes.insert, 'x'))
    a.write(START_MS + 5, a.change(shapes.votes, 'x', 1))
    const cut = a.projector.ops.lastStamp(0) - 1
    const [divided] = a.seal()
    b.receive(divided)
    b.write(START_MS + 9, b.change(shapes.votes, 'x', 2))
    const held = heldOf([divided, ...b.seal()])
    const state = opened(folded(held, cut, new Map([[a.device, 2]])))
    expect([...state.projector.projected]).toEqual([[a.device, 1]])
    expect(state.log.heldSeq(a.device)).toBe(0)
    receiveAll(state, [held[1]])
    expect(state.log.backlog()).toMatchObject({ waiting: 1 })
    expect(state.log.damage).toBeUndefined()
    receiveAll(state, [held[0]])
    expect(told(state)).toEqual(told(replay(held)))
  })

  it('[CUT4 LOG2] who refers to what is below the cut in a run that waits, waits for that run', () => {
    const [a, c, e] = [treeForger(1), treeForger(2), treeForger(3)]
    const insert = (id: string) => ({ shape: shapes.insert, row: { id } })
    const cause = c.seal(c.root, [[{ hlc: 20, changes: [insert('c')] }]])
    const heads = [{ device: c.device, seq: 1 }]
    const ops = [
      { hlc: 10, changes: [insert('a')] },
      { hlc: 30, heads, changes: [insert('b')] },
    ]
    const divided = a.seal(a.root, [ops], { references: [cause.end.hash] })
    const odd = e.seal(e.root, [[{ hlc: 40, heads: [{ device: a.device, seq: 1 }] }]], {
      references: [divided.end.hash],
    })
    const [first, second, third]: Held[] = [cause, divided, odd].map(({ batch }) => ({
      batch,
      branch: batch.header.device,
    }))
    const held = [first, second, third]
    const state = opened(folded(held, 10, replay(held).log.held()))
    receiveAll(state, [second, third])
    expect(state.log.damage).toBeUndefined()
    expect(state.log.backlog()).toMatchObject({ waiting: 3 })
    receiveAll(state, [first])
    expect(told(state)).toEqual(told(replay(held)))
  })

  it('[CUT8] a shift does not reach what is pruned: who folds the log anew would have other stamps, so it is not to be admitted', () => {
    const [d, m] = [treeForger(1), treeForger(2)]
    const insert = (id: string) => [{ shape: shapes.insert, row: { id } }]
    const one = d.seal(d.root, [[{ hlc: 100, changes: insert('a') }]])
    const two = d.seal(one.end, [[{ hlc: 200, changes: insert('b') }]])
    const shift = { device: d.device, base: 0, firstTag: d.tag(one.end.hash), shift: 50, floor: 0 }
    const late = m.seal(m.root, [[{ hlc: 150 }]], { shifts: [shift] })
    const held: Held[] = [one, two, late].map(({ batch }) => ({ batch, branch: batch.header.device }))
    const all = replay(held).log.held()
    const stamps = (state: State): number[] => {
      const { ops, cells } = state.projector
      return [...cells.table('tasks').rows.values()].map(({ created }) => ops.stamp(created))
    }
    const onBase = (vector: ReadonlyMap<DeviceId, number>): number[] => {
      const state = opened(folded(held, 100, vector))
      receiveAll(state, restOf(held, state))
      return stamps(state)
    }
    expect(stamps(replay(held))).toEqual([50, 150])
    // Stated in the vector it counts, otherwise not.
    expect(onBase(all)).toEqual([50, 150])
    expect(onBase(new Map([[d.device, 1]]))).toEqual([100, 200])
  })

  it('[CUT4 ENV1] batches may hold runs below it and after it', () => {
    const d = treeForger(1)
    const op = (hlc: number, id: string) => [{ hlc, changes: [{ shape: shapes.insert, row: { id } }] }]
    const one = d.seal(d.root, [op(10, 'a'), op(20, 'b'), op(30, 'c')])
    const two = d.seal(one.end, [op(40, 'd')])
    const held: Held[] = [one, two].map(({ batch }) => ({ batch, branch: d.device }))
    const vector = new Map([[d.device, 3]])
    for (const cut of [10, 15, 20, 30]) {
      const base = folded(held, cut, vector)
      const state = opened(base)
      receiveAll(state, held)
      expect(told(state)).toEqual(told(replay(held)))
      // A vector inside of a batch is one all the same.
      expect(hexOf(folded(held, cut, new Map([[d.device, 3]])).bytes)).toBe(hexOf(base.bytes))
    }
    const apart = d.seal(d.root, [op(10, 'a')])
    const rest = d.seal(apart.end, [op(20, 'b'), op(30, 'c')])
    const otherwise: Held[] = [apart, rest].map(({ batch }) => ({ batch, branch: d.device }))
    expect(hexOf(folded(otherwise, 20, vector).bytes)).toBe(hexOf(folded(held, 20, vector).bytes))
  })

  it('[CUT5 ENV3] of an encrypted space, and of runs of several epochs', () => {
    const ring = Keyring.encrypted(SPACE, new Map([[1, new Uint8Array(32).fill(1)]]))
    const a = createReplica(1, SPACE, undefined, ring)
    a.write(START_MS, a.change(shapes.insert, 'x'))
    const first = a.seal()
    const cut = a.projector.highest
    ring.add(2, new Uint8Array(32).fill(2))
    a.write(START_MS + 1, a.change(shapes.title, 'x', 'second'))
    const held = heldOf([...first, ...a.seal()])
    const base = foldBase({ keyring: ring, cut, vector: new Map([[a.device, 1]]), batches: held })
    const state = openBase(base.bytes, ring, { digest: base.digest })
    for (const { batch, branch } of held) state.log.receive(state.log.open(batch), branch)
    expect(hexOf(state.projector.cells.digest())).toBe(a.digest())
    const locked = Keyring.encrypted(SPACE, new Map())
    expect(codeOf(() => openBase(base.bytes, locked, { digest: base.digest }))).toBe('KEY_MISSING')
  })

  it('[CELL6] the bytes of a row that was erased are gone when the cut passes it, and its id absorbs what comes', () => {
    const { a, b, all, sync } = twoDevices()
    a.write(START_MS, a.change(shapes.insert, 'x'), a.change(shapes.title, 'x', 'a secret'))
    sync()
    const before = a.projector.highest
    b.write(START_MS + 1, b.change({ law: 13, table: 'tasks', path: [] }, 'x'))
    a.write(START_MS + 2, a.change(shapes.title, 'x', 'another secret'))
    sync()
    sync()
    const held = heldOf(all)
    const has = (bytes: Uint8Array): boolean => Buffer.from(bytes).includes('secret')
    expect(has(folded(held, before, vectorFor(held, before)).bytes)).toBe(true)
    const end = folded(held, a.projector.highest, a.log.held())
    expect(has(end.bytes)).toBe(false)
    expect(Buffer.from(end.bytes).includes('x')).toBe(true)
  })

  it('[CUT7 CUT10] what is below it and not told any more has an answer', () => {
    const { a, b, all, sync } = twoDevices()
    a.write(START_MS, a.change(shapes.insert, 'x'), a.change(shapes.title, 'x', 'first'))
    sync()
    a.write(START_MS + 1, a.change(shapes.title, 'x', 'second'))
    sync()
    const held = heldOf(all)
    const state = opened(folded(held, a.projector.highest, a.log.held()))
    const { log, projector } = state
    expect(log.runEnds(a.device, 0, 2)).toEqual([])
    expect(log.tagAt(a.device, 1)).toBeUndefined()
    expect(log.tagAt(a.device, 2)).toEqual(decodeBatch(all[1]).header.tagAfter)
    expect(log.runAfter(a.device, 0)).toBeUndefined()
    expect(log.receive(log.open(held[0].batch))).toBe(false)
    expect(projector.ops.sawBeyond(a.device, 1, new Map())).toBeUndefined()
    expect(saveSnapshot(log, projector)).toBeUndefined()
    // Who signs a reference to what nothing named: it and what follows of its device is not shown, everybody else goes on.
    const d = treeForger(7)
    const one = replay(held).log.chain.covering(a.device, 1)!
    const odd = d.seal(d.root, [[{ hlc: a.projector.highest + 9, heads: [{ device: a.device, seq: 1 }] }]], {
      references: [one],
    })
    log.receive(log.open(odd.batch))
    expect(log.damage?.code).toBe('CHAIN_BROKEN')
    b.write(START_MS + 9, b.change(shapes.insert, 'y'))
    for (const bytes of b.seal()) log.receive(log.open(decodeBatch(bytes)))
    expect(projector.projected.get(b.device)).toBe(1)
  })

  it('[CUT4] nothing is folded of what is not held, nor back behind the base before', () => {
    const { a, all, sync } = twoDevices()
    for (let row = 0; row < 4; row++) {
      a.write(START_MS + row, a.change(shapes.insert, `${row}`))
      sync()
    }
    const held = heldOf(all)
    const cut = a.projector.highest
    const vector = (seq: number) => new Map<DeviceId, number>([[a.device, seq]])
    expect(codeOf(() => folded(held, cut, vector(5)))).toBe('OPTION_INVALID')
    expect(codeOf(() => folded(held.slice(1), cut, vector(4)))).toBe('GAP')
    const base = folded(held, cut, vector(4))
    expect(codeOf(() => folded(held, cut - 1, vector(4), base))).toBe('OPTION_INVALID')
    expect(codeOf(() => folded(held, cut, vector(3), base))).toBe('OPTION_INVALID')
    expect(hexOf(folded([], cut, vector(4), base).bytes)).toBe(hexOf(base.bytes))
  })
})

describe('the bytes of a base', () => {
  const example = () => {
    const { batches, ops } = runLawHistory(
      fc.sample(lawSteps(lawKinds['all laws'], { replicas: 3, rows: 3, length: 60 }), { numRuns: 4, seed: 5 }).flat(),
      3,
    )
    const held = heldOf(batches)
    return folded(held, ops[Math.floor(ops.length * 0.7)].stamp, replay(held).log.held())
  }

  it('[BASE1] what is cut short, longer or has a bit flipped is refused', () => {
    const { bytes, digest } = example()
    expect(hexOf(digest)).toBe(hexOf(hash(bytes)))
    expect(bytes.length).toBeGreaterThan(1_000)
    for (let at = 0; at < bytes.length; at++) {
      expect(codeOf(() => decodeBase(bytes.subarray(0, at)))).toBe('MALFORMED')
      const flipped = bytes.slice()
      flipped[at] ^= 1 << (at % 8)
      expect(codeOf(() => openBase(flipped, keyring, { digest }))).toBe('MALFORMED')
      // Whoever can make a digest can make bytes for it: they decode or are refused, and nothing else happens.
      const open = (): Uint8Array => openBase(flipped, keyring, { digest: hash(flipped) }).projector.cells.digest()
      expect(['ok', 'MALFORMED', 'FORMAT_UNKNOWN', 'TOO_LARGE', 'KEY_MISSING']).toContain(codeOf(open))
    }
    expect(codeOf(() => decodeBase(Uint8Array.of(...bytes, 0)))).toBe('MALFORMED')
    const elsewhere = Keyring.unencrypted('elsewhere')
    expect(codeOf(() => openBase(bytes, elsewhere, { digest }))).toBe('MALFORMED')
  })

  it('[BASE1] what is decoded is encoded alike', () => {
    const { bytes } = example()
    expect(hexOf(encodeBase(decodeBase(bytes)))).toBe(hexOf(bytes))
  })

  it('[CUT9] of two bases of one cut, the first cell that differs is named', () => {
    const history = (title: string, isTwice: boolean) => {
      const a = createReplica(1)
      a.write(START_MS, a.change(shapes.insert, 'x'), a.change(shapes.title, 'x', 'same'))
      a.write(
        START_MS + 1,
        a.change(shapes.insert, 'y'),
        a.change(shapes.title, 'y', title),
        a.change(shapes.done, 'y', isTwice),
      )
      const held = heldOf(a.seal())
      return decodeBase(folded(held, a.projector.highest, a.log.held()).bytes)
    }
    const one = history('one', true)
    expect(compareBases(one, history('one', true))).toBeUndefined()
    const column = { law: shapes.title.law, path: ['title'] }
    expect(compareBases(one, history('two', true))).toEqual({ part: 'cells', table: 'tasks', row: 'y', column })
    const done = { law: shapes.done.law, path: ['done'] }
    expect(compareBases(one, history('two', false))).toEqual({ part: 'cells', table: 'tasks', row: 'y', column: done })
    expect(compareBases(one, { ...one, cut: 5 })).toEqual({ part: 'cut' })
    expect(compareBases(one, { ...one, vector: new Map() })).toEqual({ part: 'vector' })
    expect(compareBases(one, { ...one, voidCount: 7 })).toEqual({ part: 'log' })
    expect(compareBases(one, { ...one, tables: [] })).toEqual({ part: 'cells', table: 'tasks', row: 'x' })
  })
})
