import { LoroDoc, LoroMap, type VersionVector } from 'loro-crdt'
import type { Change, Task } from '../../data/tasks.ts'
import type { DocumentDevice } from '../shared/documents.ts'

/** A map of rows, each a map of fields, so that concurrent edits of different fields both stay. */
export class LoroDevice implements DocumentDevice<VersionVector> {
  readonly doc: LoroDoc
  protected readonly rows: LoroMap
  /** Bytes of local updates. Whoever stores or sends what is written listens to them, and they are made for listeners only. */
  toldBytes = 0

  constructor(saved?: Uint8Array) {
    this.doc = saved === undefined ? new LoroDoc() : LoroDoc.fromSnapshot(saved)
    this.rows = this.doc.getMap('tasks')
    this.doc.subscribeLocalUpdates((update) => {
      this.toldBytes += update.length
    })
  }

  insert(task: Task): void {
    this.put(task)
    this.doc.commit()
  }

  update(id: string, change: Change): void {
    const row = this.row(id)!
    for (const [field, value] of Object.entries(change)) row.set(field, value)
    this.doc.commit()
  }

  insertAll(tasks: readonly Task[]): void {
    for (const task of tasks) this.put(task)
    this.doc.commit()
  }

  private put({ id, ...fields }: Task): void {
    const row = this.rows.setContainer(id, new LoroMap())
    for (const [field, value] of Object.entries(fields)) row.set(field, value)
  }

  protected row(id: string): LoroMap | undefined {
    return this.rows.get(id) as LoroMap | undefined
  }

  async read(id: string): Promise<Task | undefined> {
    const row = this.row(id)
    return row && ({ id, ...row.toJSON() } as Task)
  }

  async count(): Promise<number> {
    return this.rows.size
  }

  async readAll(): Promise<Task[]> {
    const rows = this.rows.toJSON() as Record<string, Omit<Task, 'id'>>
    return Object.entries(rows).map(([id, fields]) => ({ id, ...fields }))
  }

  async stored(): Promise<void> {}

  async log(): Promise<readonly Uint8Array[]> {
    return [this.doc.export({ mode: 'update' })]
  }

  version(): VersionVector {
    return this.doc.version()
  }

  changesSince(version: VersionVector): Uint8Array {
    return this.doc.export({ mode: 'update', from: version })
  }

  take(changes: readonly Uint8Array[]): void {
    this.doc.importBatch([...changes])
  }

  save(): Uint8Array {
    return this.doc.export({ mode: 'snapshot' })
  }

  async close(): Promise<void> {
    this.doc.free()
  }
}
