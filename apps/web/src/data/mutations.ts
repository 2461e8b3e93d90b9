/** Every change that the app makes to its data, by name. */
import type { Draft, Replica, Tx } from '@driftlog/client'
import { type Conflict, DriftlogError, f, type ItemChange } from '@driftlog/core'
import type { AppSchema, List, Task, TaskField } from './schema.ts'

export interface NewTask {
  readonly title: string
  readonly list: string | null
  readonly due: Date | null
}

/** What an edit of a task may set; each field is a write of its own, so that edits of different fields never compete. */
export type TaskChange = Partial<Pick<Task, TaskField>>
/** A form that is open on a task: what comes in meanwhile is a conflict, and is not overwritten. */
export type TaskDraft = Draft<AppSchema['tables']['tasks']>

export type Mutations = ReturnType<typeof createMutations>

/** `objection`: why nothing may be written now. `onRefused` hears of mutations that were refused: nothing of them happened, and the mutation returns undefined. */
export const createMutations = (
  replica: Replica<AppSchema>,
  objection: () => DriftlogError | undefined,
  onRefused: (error: DriftlogError) => void,
) => {
  const attempt = <T>(run: () => T): T | undefined => {
    try {
      const why = objection()
      if (why !== undefined) throw why
      return run()
    } catch (error) {
      if (!(error instanceof DriftlogError)) throw error
      onRefused(error)
      return undefined
    }
  }
  const write = <T>(change: (tx: Tx<AppSchema>) => T): T | undefined => attempt(() => replica.mutate(change).value)
  /** False where it was refused. */
  const isWritten = (change: (tx: Tx<AppSchema>) => void): boolean =>
    attempt(() => replica.mutate(change)) !== undefined

  return {
    addTask: (task: NewTask): string | undefined => write((tx) => tx.tasks.insert(task)),

    /** False where it was refused. */
    changeTask: (id: string, change: TaskChange): boolean => isWritten((tx) => tx.tasks.update(id, change)),

    /** undefined where the task is gone. */
    openForm: (id: string): TaskDraft | undefined => attempt(() => replica.draft('tasks', id)),

    saveForm: (draft: TaskDraft, change: TaskChange): boolean => attempt(() => draft.save(change)) !== undefined,

    deleteTask: (id: string): Task | undefined =>
      write((tx) => {
        const task = tx.tasks.get(id)
        if (task !== undefined) tx.tasks.delete(id)
        return task
      }),

    /** As it was, and as others may have changed it since. */
    restoreTask: (id: string): boolean => isWritten((tx) => tx.tasks.restore(id)),

    addTag: (id: string, tag: string): boolean => isWritten((tx) => tx.tasks.update(id, { tags: f.add(tag) })),

    removeTag: (id: string, tag: string): boolean => isWritten((tx) => tx.tasks.update(id, { tags: f.remove(tag) })),

    /** Insert, move, change or remove a step. */
    changeSteps: (id: string, change: ItemChange<string>): boolean =>
      isWritten((tx) => tx.tasks.update(id, { steps: change })),

    tickStep: (id: string, step: string, isDone: boolean): boolean =>
      isWritten((tx) => tx.tasks.update(id, { stepsDone: isDone ? f.add(step) : f.remove(step) })),

    addList: (name: string): string | undefined => write((tx) => tx.lists.insert({ name })),

    renameList: (id: string, name: string): boolean => isWritten((tx) => tx.lists.update(id, { name })),

    /** Its tasks stay, in the inbox; what another device adds to it meanwhile gets there too. */
    deleteList: (id: string): List | undefined =>
      write((tx) => {
        const list = tx.lists.get(id)
        if (list !== undefined) tx.lists.delete(id)
        return list
      }),

    /** Its tasks still name it, so they return with it. */
    restoreList: (id: string): boolean => isWritten((tx) => tx.lists.restore(id)),

    /** What whoever writes in this window is called everywhere. */
    nameMe: (name: string): boolean => isWritten((tx) => void tx.people.insert({ id: replica.device, name })),

    /** Settles a conflict on every device, and says why. */
    settle: (conflict: Conflict, value: unknown, reason: string): boolean =>
      attempt(() => replica.resolve(conflict, value, reason)) !== undefined,

    /** Takes back what settled a conflict: its values stand beside each other again, on every device. */
    reopen: (id: string): boolean =>
      attempt(() => {
        const conflict = replica.settledConflicts().find((settled) => settled.id === id)
        if (conflict === undefined) throw new DriftlogError('CONFLICT_GONE', id)
        return replica.reopen(conflict)
      }) !== undefined,

    /** Takes back the last change that was made in this window. False where there is none. */
    undo: (): boolean => attempt(() => replica.undo()) !== undefined,

    redo: (): boolean => attempt(() => replica.redo()) !== undefined,
  }
}
