import {
  AppName,
  createAppOwner,
  createQueryBuilder,
  FiniteNumber,
  id,
  type InferType,
  OwnerSecret,
  SqliteBoolean,
  String,
} from '@evolu/common'
import type { Change, Task } from '../../data/tasks.ts'

const TaskId = id('Task')

export const schema = {
  tasks: {
    id: TaskId,
    title: String,
    done: SqliteBoolean,
    priority: FiniteNumber,
    listId: String,
    changedAt: FiniteNumber,
  },
}

export const createQuery = createQueryBuilder(schema)

export const appName = AppName.orThrow('bench')
/** All devices are those of one person. */
export const appOwner = createAppOwner(OwnerSecret.orThrow(new Uint8Array(32).fill(7)))

/** Its ids are 22 characters that spell 16 bytes, of which the last can be an A; those of the data have 21. */
const FILLER = 'A'

export const idOf = (task: string): InferType<typeof TaskId> => TaskId.orThrow(task + FILLER)

type Values<T> = Omit<T, 'id' | 'done'> & { readonly done?: 0 | 1 }

export const valuesOf = ({ done, ...others }: Change): Values<Change> =>
  done === undefined ? others : { ...others, done: done ? 1 : 0 }

export interface Found {
  readonly id: string
  readonly title: string | null
  readonly done: number | null
  readonly priority: number | null
  readonly listId: string | null
  readonly changedAt: number | null
}

export const taskOf = ({ id, done, title, priority, listId, changedAt }: Found): Task =>
  ({ id: id.slice(0, -FILLER.length), title, done: done === 1, priority, listId, changedAt }) as Task
