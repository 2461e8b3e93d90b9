/** Tables with a field for each law and strategy. The two versions show the same cells in different ways. */
import { f, table } from '@driftlog/core'

export const ELEMENTS = ['red', 'green', 'blue', 'grey'] as const
export const CODES = ['c0', 'c1', 'c2', 'c3', 'c4', 'c5'] as const
export const FOLDERS = ['folder-0', 'folder-1', 'folder-2'] as const

/** Priority goes by this, and not by the size. */
export const rankOf = (level: number): number => level % 4

export const highest = (values: readonly number[]): number => Math.max(...values)

const common = {
  tags: f.set(f.string()),
  steps: f.list(f.string()),
  body: f.json().optional().deepMerge(),
  seen: f.counter().growOnly(),
  price: f
    .integer()
    .default(0)
    .custom({ name: 'highest', version: 1, merge: (candidates) => highest(candidates.map(({ value }) => value)) }),
  due: f.integer().default(0).timestamp({ tie: 'least' }),
  code: f.string().optional().unique(),
  folder: f.ref('folders', { onDelete: 'cascade' }).optional(),
  friend: f.ref('things', { onDelete: 'set-null' }).optional(),
}

const folder = { name: f.string().default(''), inside: f.ref('folders', { onDelete: 'cascade' }).optional() }

export const lawTables = {
  1: {
    things: table({
      ...common,
      marks: f.set(f.string()),
      state: f.string().default(''),
      level: f
        .integer()
        .default(0)
        .priority(({ value }) => rankOf(value)),
    }),
    folders: table(folder, { onDelete: 'delete-wins' }),
  },
  2: {
    things: table(
      {
        ...common,
        marks: f.set(f.string()).lastWrite(),
        state: f.string().default('').manual(),
        level: f.integer().default(0),
      },
      { onDelete: 'manual' },
    ),
    folders: table(folder),
  },
} as const
