/** Whether what came out is right. */
import { TASK_FIELDS, type Task, type Update } from '../data/tasks.ts'

const byId = (tasks: readonly Task[]): Map<string, Task> => new Map(tasks.map((task) => [task.id, task]))

const isEqual = (a: Task | undefined, b: Task | undefined): boolean =>
  a !== undefined && b !== undefined && TASK_FIELDS.every((field) => a[field] === b[field])

/** Throws unless these are the same rows, in whatever order. */
export const checkRows = (found: readonly Task[], expected: readonly Task[]): void => {
  const rows = byId(found)
  const wrong = expected.filter((task) => !isEqual(rows.get(task.id), task)).length
  if (wrong > 0 || found.length !== expected.length) {
    throw new Error(`${wrong} of ${expected.length} rows are not as expected, ${found.length} were found`)
  }
}

/**
 * Cells of converged replicas that are lost: one replica differs from another, or the value is not one that some author
 * wrote last (of a cell that nobody wrote: the one it had). All cells of a row that a replica lacks are lost.
 */
export const lostCells = (
  before: readonly Task[],
  authors: readonly (readonly Update[])[],
  replicas: readonly (readonly Task[])[],
): number => {
  const rows = replicas.map(byId)
  const ends = authors.map(lastWritten)
  let lost = 0
  for (const task of before) {
    for (const field of TASK_FIELDS) {
      const written = ends.flatMap((end) => end.get(task.id)?.[field] ?? [])
      const allowed = written.length > 0 ? written : [task[field]]
      const [value, ...others] = rows.map((row) => row.get(task.id)?.[field])
      if (value === undefined || !allowed.includes(value) || others.some((other) => other !== value)) lost++
    }
  }
  return lost
}

const lastWritten = (updates: readonly Update[]): Map<string, Update['change']> => {
  const end = new Map<string, Update['change']>()
  for (const { id, change } of updates) end.set(id, { ...end.get(id), ...change })
  return end
}
