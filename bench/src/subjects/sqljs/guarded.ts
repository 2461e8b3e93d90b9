import type { Change, Task } from '../../data/tasks.ts'
import type { DocumentDevice } from '../shared/documents.ts'
import {
  countTasks,
  lastClock,
  fieldOf,
  guardedValuesOf,
  openDatabase,
  readTask,
  readTasks,
  type Statements,
} from './database.ts'

const ENCODER = new TextEncoder()
const DECODER = new TextDecoder()

interface Op {
  readonly id: string
  readonly change: Change
  readonly clock: number
}

/** Clocks of different devices are never equal. */
const DEVICES = 2 ** 20
let devices = 0

/**
 * The floor of merging: one transaction for everything, each cell guarded by a clock, ops as JSON. It keeps its ops only
 * until it is closed.
 */
export class GuardedDevice implements DocumentDevice<number> {
  private readonly statements: Statements
  private readonly device = devices++
  private readonly ops: Op[] = []
  private ticks = 0

  constructor(saved?: Uint8Array) {
    this.statements = openDatabase(saved)
    this.ticks = Math.ceil(lastClock(this.statements) / DEVICES)
    this.statements.db.run('begin')
  }

  insert(task: Task): void {
    this.statements.upsert.run(guardedValuesOf(task, this.tick()))
  }

  update(id: string, change: Change): void {
    const op = { id, change, clock: this.tick() }
    this.ops.push(op)
    this.apply(op)
  }

  insertAll(tasks: readonly Task[]): void {
    for (const task of tasks) this.insert(task)
  }

  private tick(): number {
    return ++this.ticks * DEVICES + this.device
  }

  private apply({ id, change, clock }: Op): void {
    const [field, value] = fieldOf(change)
    this.statements.updateGuarded[field].run([value, clock, id, clock])
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

  version(): number {
    return this.ops.length
  }

  changesSince(version: number): Uint8Array {
    return ENCODER.encode(JSON.stringify(this.ops.slice(version)))
  }

  take(changes: readonly Uint8Array[]): void {
    for (const bytes of changes) for (const op of JSON.parse(DECODER.decode(bytes)) as Op[]) this.apply(op)
  }

  save(): Uint8Array {
    this.statements.db.run('commit')
    const saved = this.statements.db.export()
    // An export frees all statements, so this device is done.
    return saved
  }

  async close(): Promise<void> {
    this.statements.db.close()
  }
}
