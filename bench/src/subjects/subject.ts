/**
 * The port of what is measured. A workload drives every subject through it, so that all of them do the same work; what
 * the ways of a subject add (a log, a signature, an fsync) is in the figures and in its notes.
 *
 * Functions that return `void | Promise<void>` are awaited only where they return a promise: a subject that answers at
 * once pays nothing for those that do not.
 */
import type { History } from '../data/history.ts'
import type { Change, Task, Update } from '../data/tasks.ts'

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
  /** The rows of one list, by a query. Left out where there is none: then it is sought in all rows. */
  readList?(listId: string): Promise<Task[]>
  /** Resolves when everything written is as durable as the subject's note says. */
  stored(): Promise<void>
  /** Everything that was written, as the subject would send it. Left out where the library hides that. */
  log?(): Promise<readonly Uint8Array[]>
  close(): Promise<void>
}

/** Devices that hold the same rows, and the way by which they exchange what they wrote. */
export interface Group {
  readonly devices: readonly Device[]
  /** Brings all devices to the same state. Returns what each of them sent, once, where the library shows it. */
  converge(): Promise<readonly Uint8Array[] | undefined>
  close(): Promise<void>
}

/** A device that lacks the last ops of another one. */
export interface Behind {
  readonly device: Device
  /** Fetches and takes in what is missing. */
  catchUp(): Promise<void>
  /** What travelled while it caught up, where the library shows it. */
  travelled(): readonly Uint8Array[] | undefined
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

/** A device whose queries tell when their answers change. */
export interface Watchable extends Device {
  /** Calls `seen` with the number of open tasks of a list: at once, and whenever it changes. */
  watchOpen(listId: string, seen: (count: number) => void): Promise<void>
  /**
   * Watches the same with a query that answers differently each time that it runs (it asks for a random number), and
   * calls `ran` with each answer. Left out where queries do not run again but are kept up to date.
   */
  watchRuns?(listId: string, ran: () => void): Promise<void>
}

/** Batches sealed beforehand, for a server that has nothing else to do and for a store without a server. */
export interface Feed {
  /** Brings the batches of a round to the server. Resolves when all of them are confirmed. */
  push(round: number): Promise<void>
  /** Appends the same batches, in the same groups, to another store of the same kind in this process. */
  append(round: number): Promise<void>
  close(): Promise<void>
}

export interface FeedSize {
  readonly devices: number
  readonly rounds: number
  /** Of each device, in each round. */
  readonly ops: number
  readonly opsABatch: number
}

/** What a subject can do. A workload needs one of them; a subject that lacks it says why in its facts. */
export interface Abilities {
  openInMemory(): Promise<Device>
  /** A file that promises durability: see the facts. */
  openFile(path: string): Promise<Device>
  /** In memory, all with the same rows. */
  openGroup(size: number, tasks: readonly Task[]): Promise<Group>
  /** Something stored that a fresh process starts from. */
  readonly cold: {
    /** Leaves in `folder` what `open` starts from. */
    prepare(folder: string, history: History): Promise<void>
    open(folder: string): Promise<Device>
  }
  /** A device of which a part of the log is missing. */
  readonly late: {
    /** Leaves in `folder` a device that lacks the last `behind` ops of a history. */
    prepare(folder: string, history: History, behind: number): Promise<void>
    open(folder: string): Promise<Behind>
  }
  /** A device that has `tasks` and lacks what each author, with the same tasks and knowing no other, wrote. */
  openReader(tasks: readonly Task[], authors: readonly (readonly Update[])[]): Promise<Behind>
  openWatchable(): Promise<Watchable>
  /** A server in a process of its own, on the loopback interface. */
  startServer(folder: string): Promise<Server>
  /** The server of `startServer`, alone: nothing is projected, sealed or fanned out while it works. */
  openFeed(folder: string, size: FeedSize): Promise<Feed>
}

export type Ability = keyof Abilities

export type Subject = Partial<Abilities>

/** What makes the figures of a subject differ in kind from those of another; printed beside them. */
export interface Facts {
  /** Packages whose versions are printed, as package.json pins them. */
  readonly packages: readonly string[]
  readonly durability: string
  readonly encryption: string
  readonly history: string
  readonly queries: string
  readonly sync: string
  /** Whether what a device would send grows with each op; where it holds a state only, bytes an op mean nothing. */
  readonly keepsOps: boolean
  /** What the subject has no cell of, and why. */
  readonly lacks: Readonly<Partial<Record<Ability, string>>>
  /** In a few words, on each of its rows. */
  readonly brief: string
  /** Workload → what its figure includes beside the work that all subjects do; others are in memory. */
  readonly notes: Readonly<Record<string, string>>
}
