import { type Conflict, type ConflictRow } from '@driftlog/core'
import { type TaskField, taskFields, type TextField, textFields } from '../data/schema.ts'
import { fieldWords } from '../tasks/task-words.ts'

/** A conflict about the value of one field of a task, and not about a part of it, or about the task as a whole. */
export type FieldConflict = Conflict & { readonly kind: 'field'; readonly field: TaskField }

export const isFieldConflict = (conflict: Conflict): conflict is FieldConflict =>
  conflict.kind === 'field' && conflict.part === undefined && isTaskField(conflict.field)

export const isTaskField = (field: string | null | undefined): field is TaskField =>
  taskFields.some((known) => known === field)

/** Whether its values are text that can be combined. */
export const isText = (field: TaskField): field is TextField => textFields.some((known) => known === field)

export const versions = (count: number): string => `${count === 2 ? 'two' : count} versions`

export const conflictHead = ({ field, candidates }: FieldConflict): string =>
  `${fieldWords[field]}: ${versions(candidates.length)}`

/** Which conflicts of fields a task has: those that wait for a person, and those where a rule has chosen meanwhile. */
export const conflictsOf = (task: string, conflicts: readonly Conflict[]) => {
  const own = conflicts.filter(({ table, rowId }) => table === 'tasks' && rowId === task)
  const ofFields = own.filter(isFieldConflict).toSorted((a, b) => orderOf(a) - orderOf(b))
  return {
    open: ofFields.filter(({ status }) => status === 'open'),
    byRule: ofFields.filter(({ status }) => status === 'by-rule'),
    /** Deleted by one, and changed by another one at the same time. */
    life: own.find(({ kind }) => kind === 'row'),
  }
}

const orderOf = ({ field }: FieldConflict): number => taskFields.indexOf(field)

/** How many tasks wait for a person. */
export const undecidedTasks = (conflicts: readonly Conflict[]): ReadonlySet<string> =>
  new Set(conflicts.filter(({ table, status }) => table === 'tasks' && status === 'open').map(({ rowId }) => rowId))

/** What somebody decided about a field. */
export interface Decision {
  readonly id: string
  readonly field: TaskField
  /** What was decided; a date as ISO text. */
  readonly value: unknown
  readonly by: string
  readonly at: Date
  readonly reason: string
  /** What else there was to choose from. */
  readonly others: readonly { readonly value: unknown; readonly author: string }[]
  /** Nothing has been decided or written since: it can be taken back. */
  readonly isInForce: boolean
}

/**
 * The decisions of people, the latest first, from the records of what was settled. A rule's choice that somebody simply wrote over is
 * none.
 */
export const decisionsFrom = (
  rows: readonly ConflictRow[],
  now: { readonly shown: Readonly<Record<TaskField, unknown>>; readonly open: readonly FieldConflict[] },
): Decision[] => {
  const seen = new Set<TaskField>(now.open.map(({ field }) => field))
  return rows.flatMap(({ id, field, rule, outcome, settledBy, settledAt, reason, candidates }): Decision[] => {
    if (!isTaskField(field) || settledBy === null || settledAt === null) return []
    const isFirst = !seen.has(field)
    seen.add(field)
    if (rule !== 'manual' && (reason === null || reason === '')) return []
    const isInForce = isFirst && asJson(now.shown[field]) === asJson(outcome)
    const others = candidates.filter(({ value }) => asJson(value) !== asJson(outcome))
    return [{ id, field, value: outcome, by: settledBy, at: settledAt, reason: reason ?? '', others, isInForce }]
  })
}

const asJson = (value: unknown): string => JSON.stringify(value ?? null)
