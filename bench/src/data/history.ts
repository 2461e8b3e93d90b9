/** A log of many ops by one author, as single steps, and what it comes to. */
import { type Change, makeTasks, makeUpdates, type Task } from './tasks.ts'

/** How it is made: `tasks` inserts, then updates. */
export interface History {
  readonly tasks: number
  readonly ops: number
  readonly seed: number
}

export interface Writer {
  insert(task: Task): void | Promise<void>
  update(id: string, change: Change): void | Promise<void>
}

/** Writes ops `[from, to)` of a history, and calls `paused` after every `opsAPause` of them and at the end. */
export const writeHistory = async (
  writer: Writer,
  history: History,
  { from = 0, to = history.ops, opsAPause = 100, paused = async () => {} }: Partial<Span> = {},
): Promise<void> => {
  const tasks = makeTasks(history.tasks, history.seed)
  const updates = makeUpdates(tasks, history.ops - history.tasks, history.seed + 1)
  for (let op = from; op < to; op++) {
    const done =
      op < tasks.length
        ? writer.insert(tasks[op])
        : writer.update(updates[op - tasks.length].id, updates[op - tasks.length].change)
    if (done !== undefined) await done
    if (op % opsAPause === opsAPause - 1) await paused()
  }
  await paused()
}

interface Span {
  readonly from: number
  readonly to: number
  readonly opsAPause: number
  readonly paused: () => Promise<void>
}

/** The rows after the first `ops` of a history, which are all unless told otherwise. */
export const endOfHistory = (history: History, ops = history.ops): Task[] => {
  const inserted = makeTasks(history.tasks, history.seed)
  const updates = makeUpdates(inserted, history.ops - history.tasks, history.seed + 1)
  const tasks = new Map(inserted.slice(0, ops).map((task) => [task.id, task]))
  for (const { id, change } of updates.slice(0, Math.max(0, ops - history.tasks))) {
    tasks.set(id, { ...tasks.get(id)!, ...change })
  }
  return [...tasks.values()]
}
