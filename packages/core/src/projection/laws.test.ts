import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { columnOf, writesOf } from '../cells/cell-state.ts'
import { ABSENT, type Row } from '../cells/row.ts'
import { cryptoReady } from '../crypto/sodium.ts'
import { type Elements, lastWrite, observedRemove } from '../laws/elements.ts'
import { isLive } from '../laws/life.ts'
import { items, type List } from '../laws/list.ts'
import { shown as shownTree, type Tree } from '../laws/tree.ts'
import type { DotRef } from '../op/dot-ref.ts'
import { Law } from '../op/law.ts'
import type { Replica } from '../testing/replicas.test-support.ts'
import { definitions } from './law-definitions.test-support.ts'
import { lateReader, lawKinds, lawShapes, lawSteps, runLawHistory, TABLE } from './law-histories.test-support.ts'

const text = (value: unknown): string => JSON.stringify(value) ?? 'undefined'

/** What a replica has of a row, as `definitions` tells it. */
const stateOf = (replica: Replica, row: Row) => {
  const { ops, cells } = replica.projector
  const table = cells.table(TABLE)
  const compare = (a: DotRef, b: DotRef): number => ops.compare(a, b)
  const name = (ref: DotRef): string => {
    const { device, seq } = ops.dotOf(ref)
    return `${device}/${seq}`
  }
  const known = cells.settled.newest().filter((settled) => settled.row === row)
  if (row.erased !== ABSENT) {
    expect([row.values, row.refs, row.touches, row.deletes, known]).toEqual([[], [], [], [], []])
    return { erased: name(row.erased) }
  }
  const cell = <State>(law: number, field: string): State | undefined =>
    row.values[columnOf(table, { law, table: TABLE, path: [field] })] as State | undefined
  const [tags, settings, steps] = [
    cell<Elements>(Law.add, 'tags'),
    cell<Tree>(Law.put, 'settings'),
    cell<List>(Law.item, 'steps'),
  ]
  const names = (refs: readonly DotRef[]): string[] => refs.toSorted(compare).map(name)
  return {
    erased: undefined,
    touches: names(row.touches),
    deletes: names(row.deletes),
    created: row.created === ABSENT ? undefined : name(row.created),
    updated: row.updated === ABSENT ? undefined : name(row.updated),
    live: {
      'update-wins': isLive(row, 'update-wins'),
      manual: isLive(row, 'manual'),
      'delete-wins': isLive(row, 'delete-wins'),
    },
    title: writesOf(row, columnOf(table, lawShapes.set)).map(({ ref, value }) => `${name(ref)}=${text(value)}`),
    votes: cell<number>(Law.increment, 'votes') ?? 0,
    seen: cell<number>(Law.grow, 'seen') ?? 0,
    tags: tags === undefined ? [] : observedRemove(tags).map(text),
    lastTags: tags === undefined ? [] : lastWrite(tags, compare).map(text),
    settings: settings && shownTree(settings, compare),
    steps: steps === undefined ? [] : items(steps, compare),
    settled: {
      fields: known.flatMap((one) =>
        one.column === undefined
          ? []
          : [
              {
                by: name(one.by),
                reason: one.reason,
                candidates: one.candidates
                  .map(({ ref, value }) => `${name(ref)}=${value === undefined ? '?' : text(value)}`)
                  .sort(),
                outcome: one.outcome,
              },
            ],
      ),
      lives: known.flatMap((one) =>
        one.column === undefined
          ? [
              {
                by: name(one.by),
                reason: one.reason,
                sides: one.sides.map(({ ref, isDelete }) => `${name(ref)}:${isDelete}`).sort(),
                isDeleted: one.isDeleted,
              },
            ]
          : [],
      ),
    },
  }
}

/** In no order that means something: of records, by who settled; of elements, by their bytes. */
const sorted = (state: ReturnType<typeof definitions>) => {
  if (!('settled' in state)) return state
  const byText = <T>(list: readonly T[]): T[] => list.toSorted((a, b) => (text(a) < text(b) ? -1 : 1))
  const { settled, tags, lastTags } = state
  return {
    ...state,
    tags: byText(tags!),
    lastTags: byText(lastTags!),
    settled: { fields: byText(settled!.fields), lives: byText(settled!.lives) },
  }
}

beforeAll(cryptoReady)

describe('the laws, over whole histories', () => {
  it.each(Object.entries(lawKinds))(
    '[CELL CONF6] %s: any causal order, batching and duplication ends in what the definitions say',
    (name, kinds) => {
      const rows = name === 'all laws' ? 2 : 1
      fc.assert(
        fc.property(
          lawSteps(kinds, { replicas: 4, rows, length: 40 }),
          fc.array(fc.array(fc.nat(), { minLength: 1, maxLength: 30 }), { minLength: 2, maxLength: 2 }),
          (steps, shuffles) => {
            const history = runLawHistory(steps, 4)
            const late = shuffles.map((shuffle, index) => lateReader(history, shuffle, 90 + index))
            for (const replica of history.replicas) for (const bytes of history.batches) replica.receive(bytes)
            for (const replica of [...history.replicas, ...late]) {
              expect(replica.projector.voidCount).toBe(0)
              expect(replica.log.backlog()).toMatchObject({ waiting: 0, parked: 0 })
              expect(replica.digest()).toBe(late[0].digest())
              for (const [id, row] of replica.projector.cells.table(TABLE).rows) {
                expect(sorted(stateOf(replica, row))).toEqual(sorted(definitions(history.ops, id)))
              }
            }
          },
        ),
        { numRuns: 100 },
      )
    },
  )

  it('[CELL7] the incremental digest equals the one from scratch, whatever the laws', () => {
    fc.assert(
      fc.property(lawSteps(lawKinds['all laws'], { replicas: 3, rows: 2, length: 40 }), (steps) => {
        const history = runLawHistory(steps, 3)
        const [asked, once] = [lateReader({ ...history, batches: [] }, []), lateReader(history, [])]
        for (const bytes of history.batches) {
          asked.receive(bytes)
          asked.digest()
        }
        expect(asked.digest()).toBe(once.digest())
      }),
      { numRuns: 50 },
    )
  })
})
