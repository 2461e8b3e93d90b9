import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { cryptoReady } from '../../crypto/sodium.ts'
import { decodeField, shownValue } from '../../schema/encode.ts'
import { f } from '../../schema/f.ts'
import { defineSchema, type Schema, table } from '../../schema/schema.ts'
import { strategies, type Strategy } from '../../schema/strategy.ts'
import type { Replica } from '../../testing/replicas.test-support.ts'
import { lateReader, lawKinds, lawSteps, runLawHistory, TABLE } from '../law-histories.test-support.ts'
import { SchemaView } from './schema-view.ts'

const schemaWith = (strategy: Strategy, onDelete: 'update-wins' | 'delete-wins' | 'manual'): Schema =>
  defineSchema({
    version: 1,
    tables: {
      [TABLE]: table(
        {
          title: f.json().optional(),
          votes: f.counter(),
          seen: f.counter().growOnly(),
          tags: f.set(f.string()),
          settings: f.json().deepMerge().optional(),
          steps: f.list(f.json()),
        },
        { strategy, onDelete },
      ),
    },
  })

const longest = {
  name: 'longest',
  version: 1,
  merge: (all: readonly { value: unknown }[]) =>
    all
      .map(({ value }) => String(value))
      .sort()
      .join(),
}
const schemas: Readonly<Record<string, Schema>> = {
  'last-writer-wins': schemaWith(strategies.lastWriterWins(), 'update-wins'),
  'timestamp, greatest': schemaWith(strategies.timestamp(), 'delete-wins'),
  'timestamp, least': schemaWith(strategies.timestamp({ tie: 'least' }), 'manual'),
  priority: schemaWith(
    strategies.priority(({ value }) => String(value).charCodeAt(0)),
    'update-wins',
  ),
  custom: schemaWith(strategies.custom(longest), 'update-wins'),
  'a custom that fails': schemaWith(
    strategies.custom({
      ...longest,
      merge: () => {
        throw new Error('no')
      },
    }),
    'delete-wins',
  ),
  manual: schemaWith(strategies.manual(), 'manual'),
  ...Object.fromEntries(
    (['lastWriterWins', 'timestamp', 'manual'] as const).map((name) => [
      `unique, ${name}`,
      defineSchema({
        version: 1,
        tables: { [TABLE]: table({ title: f.string().default('x').unique() }, { strategy: strategies[name]() }) },
      }),
    ]),
  ),
}

/** All that a view shows. */
const shownBy = (view: SchemaView) => {
  view.refresh()
  const rows = Object.values(view.schema.tables).flatMap((of) =>
    [...view.rows(of.name)]
      .filter((row) => view.isShown(row, of))
      .map((row) => ({
        id: `${of.name}/${row.id}`,
        fields: Object.values(of.fields).map((field) => [
          field.name,
          decodeField(field, shownValue(field, view.value(row, field))),
        ]),
      })),
  )
  const byId = <T extends { id: string }>(list: readonly T[]): T[] => list.toSorted((a, b) => (a.id < b.id ? -1 : 1))
  return { rows: byId(rows), conflicts: byId(view.conflicts()), settled: view.settled(), openCount: view.openCount }
}

const fromScratch = (schema: Schema, { projector: { cells } }: Replica): SchemaView => {
  cells.markAllDirty()
  for (const of of cells.tables()) for (const row of of.rows.values()) cells.contested.add(row)
  return new SchemaView(schema, cells)
}

beforeAll(cryptoReady)

describe('views of equal cells', () => {
  it.each(Object.entries(schemas))(
    '[STRAT1 CONF1 UNIQ1] %s: replicas that have projected the same ops show the same values and conflicts',
    (name, schema) => {
      const rows = name.startsWith('unique') ? 3 : 1
      fc.assert(
        fc.property(
          lawSteps(lawKinds['all laws'], { replicas: 3, rows, length: 30 }),
          fc.array(fc.nat(), { minLength: 1, maxLength: 30 }),
          (steps, shuffle) => {
            const history = runLawHistory(steps, 3)
            // It has a view from the start, which follows one batch after the other.
            const follower = lateReader({ ...history, batches: [] }, [], 98)
            const view = new SchemaView(schema, follower.projector.cells)
            for (const bytes of history.batches) {
              follower.receive(bytes)
              view.refresh()
              expect(view.openCount).toBe(view.conflicts().filter(({ status }) => status === 'open').length)
            }
            const late = lateReader(history, shuffle)
            const shown = shownBy(view)
            expect(shownBy(fromScratch(schema, late))).toEqual(shown)
            expect(shownBy(fromScratch(schema, follower))).toEqual(shown)
            for (const { candidates, settledAt } of [...shown.conflicts, ...shown.settled]) {
              expect(candidates.length).toBeGreaterThan(0)
              expect(candidates.map(({ stamp }) => stamp)).toEqual(
                candidates.map(({ stamp }) => stamp).toSorted((a, b) => a - b),
              )
              if (settledAt !== undefined) expect(Number.isNaN(settledAt.getTime())).toBe(false)
            }
          },
        ),
        { numRuns: 40 },
      )
    },
  )
})
