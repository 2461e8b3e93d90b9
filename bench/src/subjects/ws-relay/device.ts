import type { Change, Task } from '../../data/tasks.ts'
import type { RelaySocket } from '../shared/relay.ts'
import type { Connected } from '../subject.ts'

const ENCODER = new TextEncoder()
const DECODER = new TextDecoder()

type Message = { readonly id: string } & Change

/** Rows in a map, changes as JSON: no merging, no history, nothing but the wire. */
export class PlainDevice implements Connected {
  private readonly rows = new Map<string, Task>()
  private readonly watched = new Map<string, (title: string) => void>()
  private readonly socket: RelaySocket

  constructor(socket: RelaySocket) {
    this.socket = socket
    socket.receive((bytes) => {
      const message = JSON.parse(DECODER.decode(bytes)) as Message
      this.rows.set(message.id, { ...this.rows.get(message.id)!, ...message })
      if (message.title !== undefined) this.watched.get(message.id)?.(message.title)
    })
  }

  insert(task: Task): void {
    this.rows.set(task.id, task)
    this.socket.send(ENCODER.encode(JSON.stringify(task)))
  }

  update(id: string, change: Change): void {
    this.rows.set(id, { ...this.rows.get(id)!, ...change })
    this.socket.send(ENCODER.encode(JSON.stringify({ id, ...change })))
  }

  insertAll(tasks: readonly Task[]): void {
    for (const task of tasks) this.insert(task)
  }

  async read(id: string): Promise<Task | undefined> {
    return this.rows.get(id)
  }

  async count(): Promise<number> {
    return this.rows.size
  }

  async readAll(): Promise<Task[]> {
    return [...this.rows.values()]
  }

  async stored(): Promise<void> {}

  async watchTitle(id: string, seen: (title: string) => void): Promise<() => void> {
    this.watched.set(id, seen)
    return () => this.watched.delete(id)
  }

  acknowledged(): Promise<void> {
    return this.socket.acknowledged()
  }

  inSync(): Promise<void> {
    return this.socket.acknowledged()
  }

  async close(): Promise<void> {
    this.socket.close()
  }
}
