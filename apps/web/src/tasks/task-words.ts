import { dayInWords, type Day } from '../data/days.ts'
import type { List, TaskField, TaskState } from '../data/schema.ts'

export const stateWords = { open: 'Open', doing: 'Doing', waiting: 'Waiting' } as const satisfies Record<
  TaskState,
  string
>

export const priorityWords = ['None', 'Low', 'Medium', 'High'] as const

export const fieldWords = {
  title: 'Title',
  done: 'Done',
  who: 'Who',
  state: 'State',
  due: 'Due',
  priority: 'Priority',
  list: 'List',
  notes: 'Notes',
} as const satisfies Record<TaskField, string>

export const listInWords = (id: string | null, lists: readonly List[]): string =>
  lists.find((list) => list.id === id)?.name ?? 'Inbox'

/** Any value of a field, for people. */
export const valueInWords = (field: TaskField, value: unknown, today: Day, lists: readonly List[]): string => {
  switch (field) {
    case 'done':
      return value === true ? 'Done' : 'Not done'
    case 'due':
      return value instanceof Date ? dayInWords(value, today) : 'No date'
    case 'priority':
      return priorityWords[Number(value)] ?? String(value)
    case 'state':
      return stateWords[value as TaskState] ?? String(value)
    case 'list':
      return listInWords(typeof value === 'string' ? value : null, lists)
    case 'title':
    case 'who':
    case 'notes':
      return String(value)
  }
}
