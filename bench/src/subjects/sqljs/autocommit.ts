import type { Change, Task } from '../../data/tasks.ts'
import type { Device } from '../subject.ts'
import { countTasks, fieldOf, openDatabase, readTask, readTasks, type Statements, valuesOf } from './database.ts'

/** Prepared statements, a transaction each unless many rows come at once. */
export class AutocommitDevice implements Device {
  private readonly statements: Statements = openDatabase()

  insert(task: Task): void {
    this.statements.insert.run(valuesOf(task))
  }

  update(id: string, change: Change): void {
    const [field, value] = fieldOf(change)
    this.statements.update[field].run([value, id])
  }

  insertAll(tasks: readonly Task[]): void {
    this.statements.db.run('begin')
    for (const task of tasks) this.insert(task)
    this.statements.db.run('commit')
  }

  async read(id: string): Promise<Task | undefined> {
    return readTask(this.statements, id)
  }

  async count(): Promise<number> {
    return countTasks(this.statements)
  }

  async readAll(): Promise<Task[]> {
    return readTasks(this.statements)
  }

  async stored(): Promise<void> {}

  async close(): Promise<void> {
    this.statements.db.close()
  }
}
