import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { cryptoReady } from '../crypto/sodium.ts'
import { createReplica, permutations, shapes, START_MS } from '../testing/replicas.test-support.ts'
import { type DeleteLaw, insert, isLive, isTombstone, type Life, remove, touch } from './life.ts'

type Kind = 'insert' | 'update' | 'delete'

/** A change with a name of its own, the seen set of its op, and the place of its op among the author's. */
interface Change {
  readonly ref: number
  readonly kind: Kind
  readonly seen: ReadonlySet<number>
}

const kinds: readonly Kind[] = ['insert', 'update', 'delete']

const apply = (life: Life, { kind, ref, seen }: Change): void => {
  const sees = (other: number): boolean => other === ref || seen.has(other)
  if (kind === 'delete') remove(life, ref, sees)
  else if (kind === 'insert') insert(life, ref, sees)
  else touch(life, ref, sees)
}

/** CELL5, word for word, over all changes at once. */
const naiveIsLive = (changes: readonly Change[], law: DeleteLaw): boolean => {
  const deletes = changes.filter(({ kind }) => kind === 'delete')
  const isAlive = changes.some(({ kind, ref }) => kind !== 'delete' && !deletes.some(({ seen }) => seen.has(ref)))
  const inserts = changes.filter(({ kind }) => kind === 'insert')
  const isDeleted = deletes.some(({ ref }) => !inserts.some(({ seen }) => seen.has(ref)))
  return isAlive && (law === 'update-wins' || !isDeleted)
}

/** All orders of changes in which what a change saw comes before it. */
const causalOrders = (changes: readonly Change[]): Change[][] =>
  permutations(changes).filter((order) =>
    order.every(({ seen }, at) => [...seen].every((ref) => order.slice(0, at).some((other) => other.ref === ref))),
  )

const byRef = (a: number, b: number): number => a - b
const sorted = ({ touches, deletes }: Life) => ({ touches: touches.toSorted(byRef), deletes: deletes.toSorted(byRef) })

/** Change n may have seen any of those before it; what these saw, it saw. */
const histories = (length: number): fc.Arbitrary<Change[]> =>
  fc
    .array(fc.record({ kind: fc.constantFrom(...kinds), sees: fc.array(fc.nat(length)) }), { maxLength: length })
    .map((list) => {
      const changes: Change[] = []
      list.forEach(({ kind, sees }, at) => {
        const seen = new Set<number>()
        for (const other of sees) {
          if (other >= at) continue
          seen.add(other + 1)
          for (const ref of changes[other].seen) seen.add(ref)
        }
        changes.push({ ref: at + 1, kind, seen })
      })
      return changes
    })

const laws: readonly DeleteLaw[] = ['update-wins', 'delete-wins']

beforeAll(cryptoReady)

describe('life of a row', () => {
  it('[CELL5] is the one of the definition under both laws, in every causal order', () => {
    fc.assert(
      fc.property(histories(5), (changes) => {
        const states = causalOrders(changes).map((order) => {
          const life: Life = { touches: [], deletes: [] }
          for (const change of order) {
            apply(life, change)
            const upTo = order.slice(0, order.indexOf(change) + 1)
            for (const law of laws) expect(isLive(life, law)).toBe(naiveIsLive(upTo, law))
            expect(isTombstone(life)).toBe(!naiveIsLive(upTo, 'update-wins'))
          }
          return sorted(life)
        })
        for (const state of states) expect(state).toEqual(states[0])
      }),
      { numRuns: 300 },
    )
  })

  it.each<[string, Kind, Kind, boolean, boolean]>([
    ['delete', 'update', 'delete', true, false],
    ['delete', 'insert', 'delete', true, false],
    ['delete', 'delete', 'delete', false, false],
    ['update', 'update', 'update', true, true],
    ['insert', 'insert', 'insert', true, true],
  ])('[CELL5] concurrently with a %s: %s', (_, first, second, updateWins, deleteWins) => {
    // On a row that both had seen.
    const seen = new Set([1])
    const changes: Change[] = [
      { ref: 1, kind: 'insert', seen: new Set() },
      { ref: 2, kind: first, seen },
      { ref: 3, kind: second, seen },
    ]
    for (const order of causalOrders(changes)) {
      const life: Life = { touches: [], deletes: [] }
      for (const change of order) apply(life, change)
      expect([isLive(life, 'update-wins'), isLive(life, 'delete-wins')]).toEqual([updateWins, deleteWins])
    }
  })

  it('[CELL5] an insert that saw the delete brings the row back under both laws, an update under update-wins only', () => {
    for (const [kind, deleteWins] of [
      ['insert', true],
      ['update', false],
    ] as const) {
      const life: Life = { touches: [], deletes: [] }
      apply(life, { ref: 1, kind: 'insert', seen: new Set() })
      apply(life, { ref: 2, kind: 'delete', seen: new Set([1]) })
      expect([isLive(life, 'update-wins'), isLive(life, 'delete-wins')]).toEqual([false, false])
      apply(life, { ref: 3, kind, seen: new Set([1, 2]) })
      expect([isLive(life, 'update-wins'), isLive(life, 'delete-wins')]).toEqual([true, deleteWins])
    }
  })

  it('[CELL5] within one op, later changes have seen earlier ones', () => {
    const cases: [Kind[], boolean, boolean][] = [
      [['insert', 'delete'], false, false],
      [['delete', 'insert'], true, true],
      [['delete', 'update'], true, false],
      [['update', 'delete', 'insert', 'update'], true, true],
    ]
    for (const [changes, updateWins, deleteWins] of cases) {
      const life: Life = { touches: [], deletes: [] }
      for (const kind of changes) apply(life, { ref: 1, kind, seen: new Set() })
      expect([isLive(life, 'update-wins'), isLive(life, 'delete-wins')]).toEqual([updateWins, deleteWins])
    }
  })

  it('[CELL5 CELL7] three devices race on one row: all replicas agree in all orders, and the row comes back with its fields', () => {
    const shapeOf = { insert: shapes.insert, update: shapes.title, delete: shapes.delete }
    for (const first of kinds)
      for (const second of kinds)
        for (const third of kinds) {
          const base = createReplica(1)
          base.write(START_MS, base.change(shapes.insert, 'x'), base.change(shapes.done, 'x', true))
          const [start] = base.seal()
          const writers = [2, 3, 4].map((number) => createReplica(number))
          const batches = [first, second, third].map((kind, index) => {
            const writer = writers[index]
            writer.receive(start)
            writer.write(START_MS + index, writer.change(shapeOf[kind], 'x', kind === 'update' ? index : null))
            return writer.seal()[0]
          })
          const racing = [first, second, third]
          const alive = racing.some((kind) => kind !== 'delete')
          const digests = permutations([start, ...batches]).map((order) => {
            const reader = createReplica(9)
            for (const bytes of order) reader.load(bytes)
            const row = reader.row('x')!
            expect(isLive(row, 'update-wins')).toBe(alive)
            expect(isLive(row, 'delete-wins')).toBe(!racing.includes('delete'))
            const column = row.table.columns.findIndex(({ path }) => path[0] === 'done')
            expect(row.values[column]).toBe(true)
            return reader.digest()
          })
          expect(new Set(digests).size).toBe(1)
        }
  })
})
