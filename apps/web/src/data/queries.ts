/** Every question that the app asks its data, by name. */
import type { QueryBuilder } from '@driftlog/core'
import type { Place, Show } from '../app/route.ts'
import { type Day, dateOf } from './days.ts'
import type { AppSchema } from './schema.ts'

type Db = QueryBuilder<AppSchema>

export const allLists = (db: Db) => db.selectFrom('lists').selectAll().orderBy('createdAt').orderBy('id')

export const allPeople = (db: Db) => db.selectFrom('people').selectAll().orderBy('name').orderBy('id')

/** What people have decided about the fields of a task, the latest first. */
export const decisionsOn = (task: string) => (db: Db) =>
  db
    .selectFrom('_conflicts')
    .selectAll()
    .where('tableName', '=', 'tasks')
    .where('rowId', '=', task)
    .where('status', '=', 'settled')
    .where('kind', '=', 'field')
    .orderBy('settledAt', 'desc')
    .orderBy('id')

const undecided = (db: Db) =>
  db.selectFrom('_conflicts').select('rowId').where('tableName', '=', 'tasks').where('status', '=', 'open')

/** One row per list that is named by a task (null: none), also per list that was deleted. */
export const countsByList = (db: Db) =>
  db
    .selectFrom('tasks')
    .select((eb) => ['list', eb.fn.countAll<number>().as('open')])
    .where('done', '=', false)
    .groupBy('list')

export const countDue = (today: Day) => (db: Db) =>
  db
    .selectFrom('tasks')
    .select((eb) => eb.fn.countAll<number>().as('open'))
    .where('done', '=', false)
    .where('due', '<=', dateOf(today) ?? null)

export const oneTask = (id: string) => (db: Db) => db.selectFrom('tasks').selectAll().where('id', '=', id)

export interface TaskSelection {
  readonly place: Place
  readonly show: Show
  readonly today: Day
  /** Tasks that stay although `show` no longer includes them: those ticked while one looks. */
  readonly lingering: readonly string[]
  readonly limit: number
}

export const tasksOf =
  ({ place, show, today, lingering, limit }: TaskSelection) =>
  (db: Db) => {
    let query = db.selectFrom('tasks').selectAll()
    if (place.kind === 'search') query = query.where(db.search('tasks', place.text))
    if (place.kind === 'list') query = query.where('list', '=', place.id)
    if (place.kind === 'due') query = query.where('due', '<=', dateOf(today) ?? null)
    if (place.kind === 'undecided') query = query.where('id', 'in', undecided(db))
    if (place.kind === 'inbox') {
      query = query.where((eb) =>
        eb.or([eb('list', 'is', null), eb('list', 'not in', db.selectFrom('lists').select('id'))]),
      )
    }
    // What waits for a person waits also where it is ticked.
    if (show !== 'all' && place.kind !== 'undecided') {
      query = query.where((eb) => eb.or([eb('done', '=', show === 'done'), eb('id', 'in', [...lingering])]))
    }
    return query
      .orderBy('priority', 'desc')
      .orderBy('due', (order) => order.asc().nullsLast())
      .orderBy('createdAt')
      .orderBy('id')
      .limit(limit)
  }
