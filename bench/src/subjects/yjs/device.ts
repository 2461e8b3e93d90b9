import * as Y from 'yjs'
import type { Change, Task } from '../../data/tasks.ts'
import type { DocumentDevice } from '../shared/documents.ts'

type Field = string | number | boolean

/** A map of rows, each a map of fields, so that concurrent edits of different fields both stay. */
export class YjsDevice implements DocumentDevice<Uint8Array> {
  readonly doc: Y.Doc
  protected readonly rows: Y.Map<Y.Map<Field>>
  /** Bytes of updates. Whoever stores or sends what is written listens to them, and they are made for listeners only. */
  toldBytes = 0

  constructor(saved?: Uint8Array) {
    this.doc = new Y.Doc()
    this.rows = this.doc.getMap('tasks')
    this.doc.on('update', (update: Uint8Array) => {
      this.toldBytes += update.length
    })
    if (saved !== undefined) Y.applyUpdate(this.doc, saved)
  }

  insert(task: Task): void {
    this.doc.transact(() => this.put(task))
  }

  update(id: string, change: Change): void {
    this.doc.transact(() => {
      const row = this.rows.get(id)!
      for (const [field, value] of Object.entries(change)) row.set(field, value)
    })
  }

  insertAll(tasks: readonly Task[]): void {
    this.doc.transact(() => {
      for (const task of tasks) this.put(task)
    })
  }

  private put({ id, ...fields }: Task): void {
    this.rows.set(id, new Y.Map<Field>(Object.entries(fields)))
  }

  async read(id: string): Promise<Task | undefined> {
    const row = this.rows.get(id)
    return row && ({ id, ...row.toJSON() } as Task)
  }

  async count(): Promise<number> {
    return this.rows.size
  }

  async readAll(): Promise<Task[]> {
    return [...this.rows.entries()].map(([id, row]) => ({ id, ...row.toJSON() }) as Task)
  }

  async stored(): Promise<void> {}

  async log(): Promise<readonly Uint8Array[]> {
    return [this.save()]
  }

  version(): Uint8Array {
    return Y.encodeStateVector(this.doc)
  }

  changesSince(version: Uint8Array): Uint8Array {
    return Y.encodeStateAsUpdate(this.doc, version)
  }

  take(changes: readonly Uint8Array[]): void {
    for (const change of changes) Y.applyUpdate(this.doc, change)
  }

  save(): Uint8Array {
    return Y.encodeStateAsUpdate(this.doc)
  }

  async close(): Promise<void> {
    this.doc.destroy()
  }
}
