/**
 * What users do: a schema in two versions, and mutations drawn at random. Every mutation also writes a row of its author's
 * own with its marker, and counts itself there: so that an op is known by its content wherever it turns up, and one that
 * is missing, or counts twice, shows.
 */
import { defineSchema, f, type Schema, table } from '@driftlog/core'
import type { Tx } from '@driftlog/client'
import { lawTables } from './laws/schema.ts'
import type { AskedChange } from './ledger.ts'
import type { SimulatorOptions } from './options.ts'
import type { Random } from './random.ts'

const journals = table({ mark: f.integer(), ops: f.counter() })
const tasks = {
  title: f.string().default(''),
  done: f.boolean().default(false),
  rank: f.integer().default(0),
  votes: f.counter(),
  mark: f.integer().default(0),
}
const notes = { text: f.string().default(''), stars: f.counter() }

/** Version 2 has a field and a table more, and shows some fields by other strategies. */
export const schemas = {
  1: defineSchema({
    version: 1,
    tables: { journals, tasks: table(tasks), notes: table(notes, { onDelete: 'delete-wins' }), ...lawTables[1] },
  }),
  2: defineSchema({
    version: 2,
    tables: {
      journals,
      tasks: table({ ...tasks, owner: f.string().default('nobody') }),
      notes: table(notes, { onDelete: 'delete-wins' }),
      labels: table({ text: f.string().default('') }),
      ...lawTables[2],
    },
  }),
} as const

/** Both rows are written by one mutation, always with the same mark. */
export const PAIR = ['pair-a', 'pair-b'] as const

/** A mutation while it is made: does what it is told, and writes down what that was. */
export class Recorder {
  readonly changes: AskedChange[] = []
  readonly #tx: Tx<Schema>

  constructor(tx: Tx<Schema>) {
    this.#tx = tx
  }

  isLive(table: string, id: string): boolean {
    return this.#tx[table].get(id) !== undefined
  }

  /** Inserts the row where it is not there. */
  write(table: string, row: string, set: AskedChange['set'], add: AskedChange['add'] = {}): void {
    const isLive = this.isLive(table, row)
    if (isLive) {
      const increments = Object.entries(add).map(([field, by]) => [field, f.increment(by)])
      this.#tx[table].update(row, { ...set, ...Object.fromEntries(increments) } as never)
    } else this.#tx[table].insert({ id: row, ...set, ...add } as never)
    this.changes.push({ table, row, act: isLive ? 'update' : 'insert', set, add })
  }

  remove(table: string, row: string): void {
    if (!this.isLive(table, row)) return
    this.#tx[table].delete(row)
    this.changes.push({ table, row, act: 'delete', set: {}, add: {} })
  }
}

export interface WorkContext {
  readonly random: Random
  readonly options: SimulatorOptions
  readonly marker: number
  /** Names the tab. */
  readonly author: string
  readonly version: 1 | 2
}

/** Makes one mutation. */
export const mutateAtRandom = (work: Recorder, context: WorkContext): void => {
  const { random, options, marker, author } = context
  work.write('journals', author, { mark: marker }, { ops: 1 })
  if (options.groups && random.chance(0.02)) {
    writeGroup(work, marker)
    return
  }
  const row = `row-${random.below(options.rows)}`
  if (random.chance(options.deletes)) {
    work.remove(random.chance(0.5) ? 'tasks' : 'notes', row)
    return
  }
  switch (random.below(6)) {
    case 0:
      work.write('tasks', row, { title: `title ${marker}`, rank: random.between(-5, 5) })
      break
    case 1:
      work.write('tasks', row, {}, { votes: random.between(-3, 5) })
      break
    case 2:
      work.write('tasks', row, { done: random.chance(0.5) }, { votes: 1 })
      break
    case 3:
      for (const id of PAIR) work.write('tasks', id, { mark: marker })
      break
    case 4:
      work.write('notes', row, { text: `text ${marker}` }, { stars: random.between(1, 9) })
      break
    default:
      if (context.version === 1) work.write('tasks', row, { rank: marker })
      else {
        work.write('tasks', row, { owner: author })
        work.write('labels', row, { text: `label ${marker}` })
      }
  }
}

/** More than one op can hold, with the pair at both its ends. */
const writeGroup = (work: Recorder, marker: number): void => {
  const long = `${marker} `.repeat(20_000)
  work.write('tasks', PAIR[0], { mark: marker })
  for (let part = 0; part < 4; part++) work.write('tasks', `group-${part}`, { title: long.slice(0, 100_000) })
  work.write('tasks', PAIR[1], { mark: marker })
}
