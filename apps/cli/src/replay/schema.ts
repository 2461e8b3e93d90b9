import { createHash } from 'node:crypto'
import { defineSchema, f, table } from '@driftlog/core'

/** A row a path. `lastCommit` is the commit's name in the history, `lastAuthor` its author. */
export const replaySchema = defineSchema({
  version: 1,
  tables: {
    files: table({
      path: f.string(),
      lastCommit: f.integer(),
      lastAuthor: f.integer(),
      lines: f.counter(),
      commits: f.counter(),
    }),
  },
})

const MAX_PLAIN_ID_LENGTH = 96

/** The row of a path: the path itself where it is short, so that logs read well; else a hash of it. */
export const rowIdOf = (path: string): string =>
  path.length <= MAX_PLAIN_ID_LENGTH ? `:${path}` : createHash('sha256').update(path).digest('hex')
