/**
 * A device of a scenario, from inside: a disk, a clock, a link to the server, and the app's replica, which is opened, closed,
 * killed and opened again.
 */
import { openReplica, type Receipt, type Replica, type Tx } from '@driftlog/client'
import { copyMedium, DriftlogError, type InferRow, type MemoryMedium, type Schema } from '@driftlog/core'
import { DeviceClock } from '../simulator/device-clock.ts'
import { SimulatedDisk } from '../simulator/disk.ts'
import { SPACE } from '../simulator/disk-copy.ts'
import { Link } from '../simulator/link.ts'
import { SimulatedProcess } from '../simulator/process.ts'
import type { Random } from '../simulator/random.ts'
import { PushBreaker, transportOver } from './connect.ts'
import type { Stage } from './stage.ts'

export interface HostOptions<S extends Schema> {
  readonly name: string
  readonly schema: S
  /** Syncs by HTTP round trips instead of a live connection. */
  readonly isRoundTrip: boolean
}

export type TableRow<S extends Schema, K extends keyof S['tables'] & string> = InferRow<S['tables'][K]>

export class Host<S extends Schema> {
  readonly name: string
  readonly index: number
  readonly schema: S
  readonly isRoundTrip: boolean
  readonly clock: DeviceClock
  readonly disk: SimulatedDisk
  readonly link: Link
  readonly breaker = new PushBreaker()
  process: SimulatedProcess | undefined
  /** undefined while it is opening, or closed. */
  replica: Replica<S> | undefined
  isConnected = true
  /** Whether its disk was set back to an older state: what it had stored since may be gone. */
  wasSetBack = false
  /** Devices whose disks began as copies of this one's. */
  readonly clones: Host<S>[] = []
  readonly #stage: Stage
  readonly #random: Random
  #runs = 0

  constructor(stage: Stage, { name, schema, isRoundTrip }: HostOptions<S>) {
    const { kernel } = stage
    this.#stage = stage
    this.name = name
    this.schema = schema
    this.isRoundTrip = isRoundTrip
    this.index = stage.hosts.length
    this.#random = kernel.random.stream(`device ${this.index}`)
    const clock = new DeviceClock(kernel.time)
    this.clock = clock
    this.disk = new SimulatedDisk(kernel, this.index, this.#random.stream('disk'), () => clock.latestMs)
    this.link = new Link(kernel, this.index, this.#random.stream('link'))
    stage.hosts.push(this as unknown as Host<Schema>)
  }

  /** Opens the app where it is not open, and lets time pass until it is. Rejects as `openReplica` does. */
  async open(): Promise<Replica<S>> {
    if (this.replica !== undefined) return this.replica
    this.launch()
    await this.#stage.settled(this.opening, `opening ${this.name}`)
    return this.expectReplica()
  }

  /** Settles with the opening of the present process. */
  opening: Promise<void> = Promise.resolve()

  /** Begins to open the app where it is not running. */
  launch(): void {
    if (this.process !== undefined) return
    const { kernel } = this.#stage
    const process = new SimulatedProcess(kernel, this.name, this.clock, this.#random.stream(`run ${++this.#runs}`))
    this.process = process
    kernel.trace.note(this.name, 'opens')
    this.opening = this.#openIn(process)
    // Whoever waits for it hears of it; whoever does not, tries again.
    this.opening.catch(() => undefined)
  }

  async #openIn(process: SimulatedProcess): Promise<void> {
    const { kernel, server } = this.#stage
    const ends = { kernel, link: this.link, client: process, server: server.running }
    const store = this.disk.open(process)
    try {
      const replica = await openReplica({
        schema: this.schema,
        space: SPACE,
        key: 'unencrypted',
        store,
        transport: transportOver({ ends, machine: this.index, isRoundTrip: this.isRoundTrip, breaker: this.breaker }),
        ports: process.ports,
        online: this.isConnected,
      })
      if (!process.isAlive) return
      this.replica = replica
      kernel.trace.note(this.name, 'opened', replica.device)
    } catch (error) {
      await store.close()
      process.end()
      if (this.process === process) this.process = undefined
      throw error
    }
  }

  expectReplica(): Replica<S> {
    if (this.replica === undefined) throw new Error(`${this.name} is not open`)
    return this.replica
  }

  /** Makes a mutation of the open app, and writes down when. Throws what it throws. */
  mutate<T>(change: (tx: Tx<S>) => T): Receipt<T> {
    return this.write((replica) => replica.mutate(change))
  }

  /** As `mutate`, by whatever call of the replica makes one. */
  write<R extends Receipt<unknown> | undefined>(act: (replica: Replica<S>) => R): R {
    const replica = this.expectReplica()
    const before = replica.held().get(replica.device) ?? 0
    const receipt = act(replica)
    const dot = receipt?.dot
    if (dot !== undefined) {
      this.#stage.origins.wrote(this.index, dot.device, before + 1, dot.seq, this.#stage.nowMs)
      this.#stage.kernel.trace.note(this.name, 'mutates', dot.seq)
    }
    return receipt
  }

  /** The rows of a table as the open app shows them, by id. */
  async rows<K extends keyof S['tables'] & string>(table: K): Promise<TableRow<S, K>[]> {
    const rows = await this.expectReplica().query((db) => (db as never as AnyBuilder).selectFrom(table).selectAll())
    return (rows as TableRow<S, K>[]).toSorted((a, b) => (a.id < b.id ? -1 : 1))
  }

  /** Closes the app in good order. */
  async close(): Promise<void> {
    const { replica, process } = this
    if (replica === undefined || process === undefined) return
    this.replica = undefined
    await this.#stage.settled(this.#closeReplica(replica, process), `closing ${this.name}`)
  }

  /** Begins to close it. */
  shut(): void {
    const { replica, process } = this
    if (replica === undefined || process === undefined) return
    this.replica = undefined
    // What could not be stored is lost, as its user was told.
    this.#closeReplica(replica, process).catch(() => undefined)
  }

  async #closeReplica(replica: Replica<S>, process: SimulatedProcess): Promise<void> {
    try {
      await replica.close()
    } finally {
      process.end()
      if (this.process === process) this.process = undefined
      this.#stage.kernel.trace.note(this.name, 'closed')
    }
  }

  /** The power fails. Resolves when the disk is as the next start finds it. */
  async crash(): Promise<void> {
    this.process?.end()
    this.process = undefined
    this.replica = undefined
    await this.disk.crash()
    this.#stage.kernel.trace.note(this.name, 'crashed')
  }

  /** A backup may be put back more than once, so it is copied. */
  async restore(medium: MemoryMedium): Promise<void> {
    await this.crash()
    this.wasSetBack = true
    this.disk.replace(copyMedium(medium))
  }

  setConnected(isConnected: boolean): void {
    this.isConnected = isConnected
    if (isConnected) {
      this.link.heal()
      this.link.cut()
    }
    this.replica?.setOnline(isConnected)
  }

  /** Comes online where it is not, and leaves a connection that works alone. */
  async join(): Promise<void> {
    if (!this.isConnected || this.link.isPartitioned) this.setConnected(true)
    await this.open()
  }

  /** Whether nothing of it is left to be sent, stored or waited for. */
  get isAtRest(): boolean {
    if (this.replica === undefined) return false
    const { online, syncing, pending, unsaved, waiting, readOnly } = this.replica.status
    return online && !syncing && pending === 0 && unsaved === 0 && waiting === 0 && !readOnly
  }

  /** What it has to say for itself, in a line. */
  get describes(): string {
    if (this.replica === undefined) return `${this.name} is not open`
    const { summary, pending, unsaved, waiting, error } = this.replica.status
    const why = error === undefined ? '' : `: ${error.code}, ${error.message}`
    return `${this.name} is ${summary}, ${pending} to push, ${unsaved} to store, ${waiting} waiting${why}`
  }
}

export const isReadOnly = (error: unknown): boolean => error instanceof DriftlogError && error.code === 'READ_ONLY'

export const textOfError = (error: unknown): string =>
  error instanceof DriftlogError ? `${error.code}: ${error.message}` : String(error)

interface AnyBuilder {
  selectFrom(table: string): { selectAll(): never }
}
