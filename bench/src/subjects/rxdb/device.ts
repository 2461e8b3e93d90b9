import { createRxDatabase, type RxCollection, type RxDatabase } from 'rxdb'
import { getRxStorageMemory } from 'rxdb/plugins/storage-memory'
import type { Change, Task } from '../../data/tasks.ts'
import type { Watchable } from '../subject.ts'

const SCHEMA = {
  version: 0,
  primaryKey: 'id',
  type: 'object',
  properties: {
    id: { type: 'string', maxLength: 21 },
    title: { type: 'string' },
    done: { type: 'boolean' },
    priority: { type: 'number' },
    listId: { type: 'string' },
    changedAt: { type: 'number' },
  },
  required: ['id', 'title', 'done', 'priority', 'listId', 'changedAt'],
} as const

let databases = 0

export class RxDevice implements Watchable {
  readonly tasks: RxCollection<Task>
  private readonly database: RxDatabase

  constructor(database: RxDatabase, tasks: RxCollection<Task>) {
    this.database = database
    this.tasks = tasks
  }

  async insert(task: Task): Promise<void> {
    await this.tasks.insert(task)
  }

  async update(id: string, change: Change): Promise<void> {
    const found = await this.tasks.findOne(id).exec(true)
    await found.incrementalPatch(change)
  }

  async insertAll(tasks: readonly Task[]): Promise<void> {
    const { error } = await this.tasks.bulkInsert([...tasks])
    if (error.length > 0) throw new Error(`${error.length} rows were refused`)
  }

  async read(id: string): Promise<Task | undefined> {
    const found = await this.tasks.findOne(id).exec()
    return found?.toJSON()
  }

  count(): Promise<number> {
    return this.tasks.count().exec()
  }

  async readAll(): Promise<Task[]> {
    return (await this.tasks.find().exec()).map((found) => found.toJSON())
  }

  async readList(listId: string): Promise<Task[]> {
    return (await this.tasks.find({ selector: { listId } }).exec()).map((found) => found.toJSON())
  }

  async watchOpen(listId: string, seen: (count: number) => void): Promise<void> {
    this.tasks.count({ selector: { listId, done: false } }).$.subscribe(seen)
  }

  async stored(): Promise<void> {}

  async log(): Promise<readonly Uint8Array[]> {
    return [new TextEncoder().encode(JSON.stringify(await this.readAll()))]
  }

  async close(): Promise<void> {
    await this.database.close()
  }
}

export const openDevice = async (): Promise<RxDevice> => {
  const database = await createRxDatabase({
    name: `tasks-${databases++}`,
    storage: getRxStorageMemory(),
    multiInstance: false,
  })
  const { tasks } = await database.addCollections({ tasks: { schema: SCHEMA } })
  return new RxDevice(database, tasks as RxCollection<Task>)
}
