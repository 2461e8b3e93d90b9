import { useCallback, useState } from 'react'
import { go, type Route, routeHash } from '../app/route.ts'
import { useMutations } from '../data/mutations-context.tsx'
import { useQuery } from '../data/hooks.ts'
import type { TaskChange } from '../data/mutations.ts'
import { type TaskSelection, tasksOf } from '../data/queries.ts'
import type { Task } from '../data/schema.ts'
import { useNotify } from '../ui/notices.tsx'
import { useToday } from '../ui/use-now.ts'

/** Enough for any list that people keep; a longer one is shown in steps, so that it stays quick. */
const STEP = 200

/** The tasks of a place, and what can be done to them. */
export const useTasks = ({ place, show }: Route) => {
  const { changeTask, deleteTask, restoreTask } = useMutations()
  const notify = useNotify()
  const today = useToday()
  const here = routeHash({ place, show, task: undefined })
  // What was ticked here stays in sight until the person goes elsewhere: a row that vanishes under the pointer is a trap.
  const [view, setView] = useState({ here, lingering: [] as readonly string[], limit: STEP })
  if (view.here !== here) setView({ here, lingering: [], limit: STEP })
  const { lingering, limit } = view

  const selection: TaskSelection = { place, show, today, lingering, limit: limit + 1 }
  const found = useQuery(tasksOf(selection), [here, today, lingering, limit])
  // Another tick changes the query; until its rows are there the ones of before stay.
  const [kept, setKept] = useState({ here, tasks: found })
  if (found !== undefined && found !== kept.tasks) setKept({ here, tasks: found })
  const tasks = found ?? (kept.here === here ? kept.tasks : undefined)

  return {
    today,
    tasks: tasks?.slice(0, limit),
    hasMore: (tasks?.length ?? 0) > limit,
    showMore: useCallback(() => setView((now) => ({ ...now, limit: now.limit + STEP })), []),
    change: useCallback(
      (task: Task, change: TaskChange) => {
        if (change.done !== undefined) setView((now) => ({ ...now, lingering: [...now.lingering, task.id] }))
        return changeTask(task.id, change)
      },
      [changeTask],
    ),
    remove: useCallback(
      (id: string) => {
        const deleted = deleteTask(id)
        if (deleted === undefined) return
        go({ task: undefined }, { replace: true })
        notify({
          text: `“${deleted.title}” is deleted.`,
          action: { label: 'Undo', run: () => restoreTask(deleted.id) },
        })
      },
      [deleteTask, restoreTask, notify],
    ),
  }
}
