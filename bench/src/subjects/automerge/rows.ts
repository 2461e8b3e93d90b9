import { ImmutableString } from '@automerge/automerge'
import type { Change, Task } from '../../data/tasks.ts'

/** Strings that are replaced whole, as in every other subject: a plain string would be a collaborative text. */
export interface Row {
  title: ImmutableString
  done: boolean
  priority: number
  listId: ImmutableString
  changedAt: number
}

export interface Doc {
  tasks: Record<string, Row>
}

const valueOf = (value: string | number | boolean): ImmutableString | number | boolean =>
  typeof value === 'string' ? new ImmutableString(value) : value

export const rowOf = ({ title, done, priority, listId, changedAt }: Task): Row => ({
  done,
  priority,
  changedAt,
  title: new ImmutableString(title),
  listId: new ImmutableString(listId),
})

export const taskOf = (id: string, row: Row): Task => ({
  ...row,
  id,
  title: row.title.toString(),
  listId: row.listId.toString(),
})

export const assign = (row: Row, change: Change): void => {
  for (const [field, value] of Object.entries(change)) Object.assign(row, { [field]: valueOf(value) })
}
