import memoryAdapter from 'pouchdb-adapter-memory'
import PouchDB, { type Found } from 'pouchdb-core'
import replication from 'pouchdb-replication'
import type { Change, Task } from '../../data/tasks.ts'
import type { Device } from '../subject.ts'

PouchDB.plugin(memoryAdapter).plugin(replication)

type Fields = Omit<Task, 'id'>

/** An id of the data may begin with an underscore, which CouchDB keeps for itself. */
const PREFIX = 'task:'

let databases = 0

const docOf = ({ id, ...fields }: Task): Fields & { _id: string } => ({ _id: PREFIX + id, ...fields })

const taskOf = ({ _id: id, _rev, ...fields }: Found<Fields>): Task => ({ id: id.slice(PREFIX.length), ...fields })

export class PouchDevice implements Device {
  readonly database = new PouchDB<Fields>(`tasks-${databases++}`, { adapter: 'memory' })

  async insert(task: Task): Promise<void> {
    await this.database.put(docOf(task))
  }

  async update(id: string, change: Change): Promise<void> {
    await this.database.put({ ...(await this.database.get(PREFIX + id)), ...change })
  }

  async insertAll(tasks: readonly Task[]): Promise<void> {
    await this.database.bulkDocs(tasks.map(docOf))
  }

  async read(id: string): Promise<Task | undefined> {
    return taskOf(await this.database.get(PREFIX + id))
  }

  async count(): Promise<number> {
    return (await this.database.info()).doc_count
  }

  async readAll(): Promise<Task[]> {
    const { rows } = await this.database.allDocs({ include_docs: true })
    return rows.map(({ doc }) => taskOf(doc))
  }

  async stored(): Promise<void> {}

  async close(): Promise<void> {
    await this.database.close()
  }
}
