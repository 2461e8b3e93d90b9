/** The rows and updates that every subject gets: the same for the same seed. */
import { createPrng } from './prng.ts'

export interface Task {
  readonly id: string
  readonly title: string
  readonly done: boolean
  readonly priority: number
  readonly listId: string
  /** Milliseconds since the Unix epoch, kept by the app as a plain number field. */
  readonly changedAt: number
}

export type Change = Partial<Omit<Task, 'id'>>

/** One field of one row. */
export interface Update {
  readonly id: string
  readonly change: Change
}

export const TASK_FIELDS = ['title', 'done', 'priority', 'listId', 'changedAt'] as const

const LISTS = 50
const START_MS = Date.UTC(2026, 0, 1)
const WORDS = 'buy milk call mother fix bike write report plan trip water plants read book pay rent'.split(' ')

export const makeTasks = (count: number, seed: number): Task[] => {
  const random = createPrng(seed)
  const title = (): string => Array.from({ length: 2 + random.int(4) }, () => WORDS[random.int(WORDS.length)]).join(' ')
  return Array.from({ length: count }, (_, index) => ({
    id: random.text(21),
    title: `${title()} ${index}`,
    done: random.int(4) === 0,
    priority: random.int(5),
    listId: `list-${random.int(LISTS)}`,
    changedAt: START_MS + index * 1000,
  }))
}

/** Rows and fields at random; no update writes the value that its field has. */
export const makeUpdates = (tasks: readonly Task[], count: number, seed: number): Update[] => {
  const random = createPrng(seed)
  const now = tasks.map((task) => ({ ...task }))
  return Array.from({ length: count }, (_, index) => {
    const task = now[random.int(now.length)]
    const change = makeChange(task, random.int(TASK_FIELDS.length), random.int(4), index)
    Object.assign(task, change)
    return { id: task.id, change }
  })
}

const makeChange = (task: Task, field: number, step: number, index: number): Change => {
  if (field === 0) return { title: `${task.title.split(' ').slice(0, 4).join(' ')} ~${index}` }
  if (field === 1) return { done: !task.done }
  if (field === 2) return { priority: (task.priority + 1 + step) % 5 }
  if (field === 3) return { listId: `list-${(Number(task.listId.slice(5)) + 1 + step) % LISTS}` }
  return { changedAt: task.changedAt + 1000 + index }
}
