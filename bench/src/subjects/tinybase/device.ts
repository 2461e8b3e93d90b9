import { createMergeableStore, type MergeableContent, type MergeableStore } from 'tinybase'
import type { Change, Task } from '../../data/tasks.ts'
import type { Device } from '../subject.ts'

const TABLE = 'tasks'
const ENCODER = new TextEncoder()
const DECODER = new TextDecoder()

export class TinyDevice implements Device {
  readonly store: MergeableStore

  constructor(saved?: Uint8Array) {
    this.store = createMergeableStore()
    if (saved !== undefined) this.store.setMergeableContent(JSON.parse(DECODER.decode(saved)) as MergeableContent)
  }

  insert({ id, ...fields }: Task): void {
    this.store.setRow(TABLE, id, fields)
  }

  update(id: string, change: Change): void {
    this.store.setPartialRow(TABLE, id, change)
  }

  insertAll(tasks: readonly Task[]): void {
    this.store.transaction(() => {
      for (const task of tasks) this.insert(task)
    })
  }

  async read(id: string): Promise<Task | undefined> {
    return this.store.hasRow(TABLE, id) ? ({ id, ...this.store.getRow(TABLE, id) } as unknown as Task) : undefined
  }

  async count(): Promise<number> {
    return this.store.getRowCount(TABLE)
  }

  async readAll(): Promise<Task[]> {
    return Object.entries(this.store.getTable(TABLE)).map(([id, fields]) => ({ id, ...fields }) as unknown as Task)
  }

  async stored(): Promise<void> {}

  async log(): Promise<readonly Uint8Array[]> {
    return [this.save()]
  }

  save(): Uint8Array {
    return ENCODER.encode(JSON.stringify(this.store.getMergeableContent()))
  }

  async close(): Promise<void> {}
}
