import * as A from '@automerge/automerge'
import type { Change, Task } from '../../data/tasks.ts'
import type { DocumentDevice } from '../shared/documents.ts'
import { assign, type Doc, type Row, rowOf, taskOf } from './rows.ts'

export class AutomergeDevice implements DocumentDevice<A.Heads> {
  private doc: A.Doc<Doc>

  constructor(saved?: Uint8Array) {
    this.doc = saved === undefined ? A.change(A.init<Doc>(), (doc) => void (doc.tasks = {})) : A.load<Doc>(saved)
  }

  insert(task: Task): void {
    this.doc = A.change(this.doc, ({ tasks }) => void (tasks[task.id] = rowOf(task)))
  }

  update(id: string, change: Change): void {
    this.doc = A.change(this.doc, ({ tasks }) => assign(tasks[id], change))
  }

  insertAll(added: readonly Task[]): void {
    this.doc = A.change(this.doc, ({ tasks }) => {
      for (const task of added) tasks[task.id] = rowOf(task)
    })
  }

  async read(id: string): Promise<Task | undefined> {
    const row: Row | undefined = this.doc.tasks[id]
    return row && taskOf(id, row)
  }

  async count(): Promise<number> {
    return Object.keys(this.doc.tasks).length
  }

  async readAll(): Promise<Task[]> {
    return Object.entries(this.doc.tasks).map(([id, row]) => taskOf(id, row))
  }

  async stored(): Promise<void> {}

  async log(): Promise<readonly Uint8Array[]> {
    return [this.save()]
  }

  version(): A.Heads {
    return A.getHeads(this.doc)
  }

  changesSince(version: A.Heads): Uint8Array {
    return A.saveSince(this.doc, version)
  }

  take(changes: readonly Uint8Array[]): void {
    for (const change of changes) this.doc = A.loadIncremental(this.doc, change)
  }

  save(): Uint8Array {
    return A.save(this.doc)
  }

  async close(): Promise<void> {
    A.free(this.doc)
  }
}
