import initSqlJs, { type Database, type SqlValue, type Statement } from 'sql.js'
import { type Change, TASK_FIELDS, type Task } from '../../data/tasks.ts'

const { Database: SqlDatabase } = await initSqlJs()

/** Beside each field stands the clock of who wrote it last: the least that merging needs. */
const CREATE = `create table tasks (id text primary key, ${TASK_FIELDS.map((name) => `${name}, ${name}_at integer`).join(', ')})`
const INSERT = `insert into tasks (id, ${TASK_FIELDS.join(', ')}) values (?, ?, ?, ?, ?, ?)`
const GUARDED = `insert into tasks (id, ${TASK_FIELDS.flatMap((name) => [name, `${name}_at`]).join(', ')}) values (${'?, '.repeat(10)}?)
  on conflict (id) do update set ${TASK_FIELDS.map((name) => `${name} = excluded.${name}, ${name}_at = excluded.${name}_at`).join(', ')}
  where excluded.title_at > title_at`

export type Field = (typeof TASK_FIELDS)[number]

export interface Statements {
  readonly db: Database
  readonly insert: Statement
  readonly upsert: Statement
  readonly update: Readonly<Record<Field, Statement>>
  readonly updateGuarded: Readonly<Record<Field, Statement>>
  readonly read: Statement
}

const perField = (make: (field: Field) => Statement): Record<Field, Statement> =>
  Object.fromEntries(TASK_FIELDS.map((field) => [field, make(field)])) as Record<Field, Statement>

export const openDatabase = (saved?: Uint8Array): Statements => {
  const db = new SqlDatabase(saved)
  if (saved === undefined) db.run(CREATE)
  return {
    db,
    insert: db.prepare(INSERT),
    upsert: db.prepare(GUARDED),
    update: perField((field) => db.prepare(`update tasks set ${field} = ? where id = ?`)),
    updateGuarded: perField((field) =>
      db.prepare(
        `update tasks set ${field} = ?, ${field}_at = ? where id = ? and (${field}_at is null or ${field}_at < ?)`,
      ),
    ),
    read: db.prepare(`select id, ${TASK_FIELDS.join(', ')} from tasks where id = ?`),
  }
}

export const valueOf = (value: string | number | boolean): SqlValue =>
  typeof value === 'boolean' ? Number(value) : value

export const valuesOf = (task: Task): SqlValue[] => [task.id, ...TASK_FIELDS.map((field) => valueOf(task[field]))]

export const guardedValuesOf = (task: Task, clock: number): SqlValue[] => [
  task.id,
  ...TASK_FIELDS.flatMap((field) => [valueOf(task[field]), clock]),
]

/** The one field of a change, and its value. */
export const fieldOf = (change: Change): [Field, SqlValue] => {
  const [[field, value]] = Object.entries(change) as [Field, string | number | boolean][]
  return [field, valueOf(value)]
}

export const taskOf = ([id, title, done, priority, listId, changedAt]: readonly SqlValue[]): Task =>
  ({ id, title, done: done === 1, priority, listId, changedAt }) as Task

export const readTask = ({ read }: Statements, id: string): Task | undefined => {
  read.bind([id])
  const task = read.step() ? taskOf(read.get()) : undefined
  read.reset()
  return task
}

export const countTasks = ({ db }: Statements): number =>
  db.exec('select count(*) from tasks')[0].values[0][0] as number

/** 0 without rows. */
export const lastClock = ({ db }: Statements): number => {
  const clocks = db.exec(
    `select max(${TASK_FIELDS.map((field) => `${field}_at`).join(', ')}) as clock from tasks order by clock desc limit 1`,
  )
  return (clocks[0]?.values[0][0] ?? 0) as number
}

export const readTasks = ({ db }: Statements): Task[] => {
  const [{ values } = { values: [] }] = db.exec(`select id, ${TASK_FIELDS.join(', ')} from tasks`)
  return values.map(taskOf)
}
