/**
 * The port of what is measured. A workload drives every subject through it, so that all of them do the same work; what
 * the ways of a subject add (a log, a signature, an fsync) is in the figures and in its notes.
 *
 * Functions that return `void | Promise<void>` are awaited only where they return a promise: a subject that answers at
 * once pays nothing for those that do not.
 */
import type { Change, Task } from '../data/tasks.ts'

export type Done = void | Promise<void>

/** One copy of the data. */
export interface Device {
  /** One transaction. */
  insert(task: Task): Done
  /** One transaction of one row. */
  update(id: string, change: Change): Done
  /** All of them in one transaction, or as few as the subject can. */
  insertAll(tasks: readonly Task[]): Done
  /** The row as a query of the subject's own language returns it. */
  read(id: string): Promise<Task | undefined>
  /** How many rows a query counts. */
  count(): Promise<number>
  readAll(): Promise<Task[]>
  /** Resolves when everything written is as durable as the subject's note says. */
  stored(): Promise<void>
  /** Everything that was written, as the subject would send it. */
  log(): Promise<readonly Uint8Array[]>
  close(): Promise<void>
}

/** Devices that hold the same rows, and the way by which they exchange what they wrote. */
export interface Group {
  readonly devices: readonly Device[]
  /** Brings all devices to the same state. Returns what each of them sent, once. */
  converge(): Promise<readonly Uint8Array[]>
  close(): Promise<void>
}

/** A device that lacks the last ops of another one. */
export interface Behind {
  readonly device: Device
  /** Fetches and takes in what is missing. */
  catchUp(): Promise<void>
  /** What is missing, as it is sent. */
  readonly missing: readonly Uint8Array[]
  close(): Promise<void>
}

/** A device with a live connection to a server. */
export interface Connected extends Device {
  /** Calls `seen` with the title whenever a query of this row shows another one. */
  watchTitle(id: string, seen: (title: string) => void): Promise<() => void>
  /** Resolves when the server has confirmed everything written here. */
  acknowledged(): Promise<void>
  /** Resolves when everything that the server has is here too. */
  inSync(): Promise<void>
}

export interface Server {
  connect(): Promise<Connected>
  close(): Promise<void>
}

/** How a log of this many ops is made: `tasks` inserts, then updates. */
export interface History {
  readonly tasks: number
  readonly ops: number
  readonly seed: number
}

export interface Subject {
  readonly name: string
  /** Workload → durability, encryption and what else makes its figure differ in kind. */
  note(workload: string): string
  openInMemory(): Promise<Device>
  /** A file that promises durability: see `note`. */
  openFile(path: string): Promise<Device>
  /** In memory, all with the same rows. */
  openGroup(size: number, tasks: readonly Task[]): Promise<Group>
  /** Leaves in `folder` what `openCold` starts from. */
  prepareCold(folder: string, history: History): Promise<void>
  openCold(folder: string): Promise<Device>
  /** Leaves in `folder` a device that lacks the last `behind` ops of a history. */
  prepareBehind(folder: string, history: History, behind: number): Promise<void>
  openBehind(folder: string): Promise<Behind>
  /** A server in a process of its own, on the loopback interface. */
  startServer(folder: string): Promise<Server>
}
