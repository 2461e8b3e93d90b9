/** Every change that the app makes to its data, by name. */
import type { Replica, Tx } from '@driftlog/client'
import { DriftlogError } from '@driftlog/core'
import type { AppSchema, List, Task, TaskField } from './schema.ts'

export interface NewTask {
  readonly title: string
  readonly list: string | null
  readonly due: Date | null
}

/** What an edit of a task may set; each field is a write of its own, so that edits of different fields never compete. */
export type TaskChange = Partial<Pick<Task, TaskField>>

export type Mutations = ReturnType<typeof createMutations>

/** `onRefused` hears of mutations that were refused: nothing of them happened, and the mutation returns undefined. */
export const createMutations = (replica: Replica<AppSchema>, onRefused: (error: DriftlogError) => void) => {
  const write = <T>(change: (tx: Tx<AppSchema>) => T): T | undefined => {
    try {
      return replica.mutate(change).value
    } catch (error) {
      if (!(error instanceof DriftlogError)) throw error
      onRefused(error)
      return undefined
    }
  }

  return {
    addTask: (task: NewTask): string | undefined => write((tx) => tx.tasks.insert(task)),

    /** False where it was refused. */
    changeTask: (id: string, change: TaskChange): boolean =>
      write((tx) => {
        tx.tasks.update(id, change)
        return true
      }) ?? false,

    deleteTask: (id: string): Task | undefined =>
      write((tx) => {
        const task = tx.tasks.get(id)
        if (task !== undefined) tx.tasks.delete(id)
        return task
      }),

    /** Brings a deleted task back under its id, as it was. */
    restoreTask: ({ id, title, done, state, due, priority, list, notes }: Task): string | undefined =>
      write((tx) => tx.tasks.insert({ id, title, done, state, due, priority, list, notes })),

    addList: (name: string): string | undefined => write((tx) => tx.lists.insert({ name })),

    renameList: (id: string, name: string): boolean =>
      write((tx) => {
        tx.lists.update(id, { name })
        return true
      }) ?? false,

    /** Its tasks stay, in the inbox; what another device adds to it meanwhile gets there too. */
    deleteList: (id: string): List | undefined =>
      write((tx) => {
        const list = tx.lists.get(id)
        if (list !== undefined) tx.lists.delete(id)
        return list
      }),

    /** Its tasks still name it, so they return with it. */
    restoreList: ({ id, name }: List): string | undefined => write((tx) => tx.lists.insert({ id, name })),
  }
}
