/** A tab of a device: a process with a replica in it, opened, used, and ended in one way or another. */
import {
  http,
  openReplica,
  type Receipt,
  type Replica,
  type Transport,
  type Tx,
  webSocket,
  type WebSocketOptions,
} from '@driftlog/client'
import { type BatchStore, DriftlogError, type Schema } from '@driftlog/core'
import { mayFork } from './checkers/identity-faults.ts'
import { SPACE } from './disk-copy.ts'
import type { TabName } from './events.ts'
import { LawUser } from './laws/law-user.ts'
import type { Machine } from './machine.ts'
import type { AskedChange, Mutation } from './ledger.ts'
import { administer } from './members.ts'
import { SimulatedProcess } from './process.ts'
import type { Random } from './random.ts'
import { fetchOver } from './round-trips.ts'
import { replicaKey } from './space-keys.ts'
import { tokenOf } from './server-machine.ts'
import { Wire } from './wire.ts'
import { mutateAtRandom, PAIR, Recorder } from './workload.ts'

const POLL_MS = 15_000
/** Mutations; a read costs as much as one. */
const READ_BACK_EVERY = 8

export class Tab {
  readonly machine: Machine
  readonly index: number
  name: TabName
  process: SimulatedProcess | undefined
  /** undefined while it is opening, or closed. */
  replica: Replica<Schema> | undefined
  /** Whether it is to be open: else a retry of an opening that failed would bring it back. */
  #isWanted = false
  /** What the user would have done while it was not there. */
  #waiting: { count: number; random: Random }[] = []
  /** Mutations that the storage did not take, and that the user will come back to. */
  #putOff = 0
  /** Uses the laws; of this run. */
  #lawUser: LawUser | undefined

  constructor(machine: Machine, index: number) {
    this.machine = machine
    this.index = index
    this.name = { machine: machine.index, tab: index, run: 0 }
  }

  get #label(): string {
    return `d${this.machine.index}.${this.index}`
  }

  /** Whether its user is through with everything. */
  get isIdle(): boolean {
    return this.#putOff === 0 && this.#waiting.length === 0
  }

  open(): void {
    this.#isWanted = true
    if (this.process !== undefined || !this.machine.isOn) return
    const { kernel, clock, seams, index, schema } = this.machine
    this.name = { ...this.name, run: this.name.run + 1 }
    const random = this.machine.random.stream(`tab ${this.index} run ${this.name.run}`)
    const process = new SimulatedProcess(kernel, this.#label, clock, random)
    this.process = process
    kernel.trace.note(this.#label, 'opens')
    const store = this.machine.disk.open(process)
    const transport = this.#transport(process)
    const { isOnline } = this.machine
    const opening = openReplica({
      schema: schema as Schema,
      space: SPACE,
      key: replicaKey(kernel.options, this.machine.installation),
      snapshotAfterOps: kernel.options.snapshotAfterOps,
      store: seams.store?.(store, index) ?? store,
      transport: seams.transport?.(transport, index) ?? transport,
      ports: seams.ports?.(process.ports, index) ?? process.ports,
      online: isOnline,
    })
    opening.then(
      (replica) => process.isAlive && this.#opened(replica, isOnline),
      (error: unknown) => process.isAlive && this.#notOpened(process, store, error),
    )
  }

  #transport(process: SimulatedProcess): Transport {
    const { kernel, link, server, index, isRoundTrip } = this.machine
    const ends = { kernel, link, client: process, server: server.running }
    const token = (): string => tokenOf(index)
    if (isRoundTrip) return http('http://server.test', { token, fetch: fetchOver(ends), pollMs: POLL_MS })
    const Connecting = function Connecting() {
      return new Wire(ends).socket
    }
    return webSocket('ws://server.test', { token, WebSocket: Connecting as unknown as WebSocketOptions['WebSocket'] })
  }

  /** `wasOnline`: when it was told; opening takes its time. */
  #opened(replica: Replica<Schema>, wasOnline: boolean): void {
    const { kernel, isOnline } = this.machine
    this.replica = replica
    if (isOnline !== wasOnline) replica.setOnline(isOnline)
    kernel.trace.note(this.#label, 'opened', replica.device)
    kernel.emit({ kind: 'opened', tab: this.name, device: replica.device, held: replica.held() })
    const { name } = this
    this.#lawUser = new LawUser({
      replica,
      rows: kernel.options.rows,
      version: this.machine.version,
      name: `${name.machine}.${name.tab}.${name.run}`,
      told: (what, expected, shown) => kernel.emit({ kind: 'edited', tab: name, what, expected, shown }),
    })
    replica.status$.subscribe((status) => {
      kernel.trace.note(this.#label, 'status', status.summary, status.pending, status.error?.code ?? '')
      kernel.emit({ kind: 'status', tab: name, status })
    })
    const waiting = this.#waiting
    this.#waiting = []
    for (const { count, random } of waiting) this.mutate(count, random)
  }

  /** The user tries again. */
  #notOpened(process: SimulatedProcess, store: BatchStore, error: unknown): void {
    this.machine.kernel.failed(`opening ${this.#label}`, error)
    void store.close()
    process.end()
    this.process = undefined
    this.machine.kernel.time.after(2_000, () => {
      if (this.#isWanted) this.open()
    })
  }

  /** `count` mutations one after the other; later, where the tab is not open. */
  mutate(count: number, random: Random): void {
    if (this.replica === undefined) {
      this.#waiting.push({ count, random })
      return
    }
    for (let done = 0; done < count; done++) {
      if (this.process?.isAlive !== true || this.replica === undefined) return
      if (!this.#mutateOnce(this.replica, random)) {
        // The storage fails. The user comes back to it.
        const left = count - done
        this.#putOff++
        this.machine.kernel.time.after(random.spread(1_000, 30_000), () => {
          this.#putOff--
          this.mutate(left, random)
        })
        return
      }
    }
  }

  /** An admin does something about the members. */
  administer(random: Random): void {
    const { replica, machine } = this
    if (replica === undefined) return
    administer(replica, random).catch((error: unknown) => machine.kernel.failed(`members ${this.#label}`, error))
  }

  #mutateOnce(replica: Replica<Schema>, random: Random): boolean {
    const { kernel, version } = this.machine
    const { options } = kernel
    try {
      // Not drawn where there are none, so that older schedules stay as they were.
      if (options.laws > 0 && random.chance(options.laws)) {
        this.#lawUser?.act(random, (isMarked, run) => this.#make(replica, isMarked, run))
        return true
      }
      this.#make(replica, true, (_, marker) =>
        replica.mutate(
          (tx) => {
            const recorder = new Recorder(tx)
            mutateAtRandom(recorder, { random, options, marker, author: this.#label, version })
            return recorder.changes
          },
          { isUndoable: false },
        ),
      )
      return true
    } catch (error) {
      // Who only reads does not write.
      if (error instanceof DriftlogError && error.code === 'FORBIDDEN') return true
      kernel.failed(`mutate ${this.#label}`, error)
      return !(error instanceof DriftlogError && error.code === 'READ_ONLY')
    }
  }

  /** Runs a mutation and writes down what it asked for. */
  #make(
    replica: Replica<Schema>,
    isMarked: boolean,
    run: (journal: (tx: Tx<Schema>) => AskedChange[], marker: number) => Receipt<unknown> | undefined,
  ): void {
    const { kernel, ledger, clock, index } = this.machine
    const { process, name } = this
    const marker = ledger.length + 1
    const seen = replica.projected()
    let journaled: readonly AskedChange[] = []
    const journal = (tx: Tx<Schema>): AskedChange[] => {
      const recorder = new Recorder(tx)
      recorder.write('journals', this.#label, { mark: marker }, { ops: 1 })
      journaled = recorder.changes
      return recorder.changes
    }
    const receipt = run(journal, marker)
    // It crashed in the middle: nobody will ever know of it.
    if (process?.isAlive !== true || receipt?.dot === undefined) return
    // After a fork an op that bears no marker could not be told from another.
    if (!isMarked && mayFork(kernel.options)) return
    const { dot, stored, acknowledged, value } = receipt
    const mutation: Mutation = {
      marker,
      isMarked,
      machine: index,
      tab: this.index,
      device: dot.device,
      seq: dot.seq,
      changes: Array.isArray(value) ? (value as AskedChange[]) : journaled,
      seen,
      atMs: kernel.time.nowMs,
      wallMs: clock.now(),
      isStored: false,
      isAcknowledged: false,
    }
    ledger.push(mutation)
    kernel.trace.note(this.#label, 'mutates', marker, dot.seq)
    kernel.emit({ kind: 'mutated', tab: name, mutation })
    if (isMarked && marker % READ_BACK_EVERY === 0) {
      kernel.emit({ kind: 'readBack', tab: name, mutation, mark: this.row('journals', this.#label)?.mark })
    }
    const isHere = (): boolean => process.isAlive
    stored.then(() => isHere() && this.#reached('stored', name, mutation), ignore)
    acknowledged.then(() => isHere() && this.#reached('acknowledged', name, mutation), ignore)
  }

  #reached(kind: 'stored' | 'acknowledged', name: TabName, mutation: Mutation): void {
    if (kind === 'stored') mutation.isStored = true
    else mutation.isAcknowledged = true
    this.machine.kernel.trace.note(this.#label, kind, mutation.marker)
    this.machine.kernel.emit({ kind, tab: name, mutation })
  }

  /** A look at what is shown. */
  sample(): void {
    const { replica } = this
    if (replica === undefined || replica.status.readOnly) return
    const digest = replica.digest()
    const pair = [this.row('tasks', PAIR[0])?.mark, this.row('tasks', PAIR[1])?.mark] as const
    // A read is a call of a port, and may have been its last.
    if (this.replica !== replica) return
    this.machine.kernel.trace.note(this.#label, 'shows', digest.slice(0, 16))
    this.machine.kernel.emit({
      kind: 'sampled',
      tab: this.name,
      device: replica.device,
      held: replica.held(),
      projected: replica.projected(),
      digest,
      pair,
      rot: { damaged: this.machine.disk.damaged.size, mended: this.machine.disk.mended },
    })
  }

  /** A row as the replica shows it: read inside a mutation that asks for nothing. */
  row(table: string, id: string): Readonly<Record<string, unknown>> | undefined {
    return this.replica?.mutate((tx) => (tx as Readonly<Record<string, (typeof tx)[string]>>)[table]?.get(id)).value
  }

  /** All that is stored, for a courier; undefined where the process does not live to give it. */
  async export(): Promise<readonly Uint8Array[] | undefined> {
    const { process } = this
    const batches = await this.replica?.export()
    return process?.isAlive === true ? batches : undefined
  }

  /** What a courier brings. Nobody minds where it comes to a closed door. */
  import(batches: readonly Uint8Array[]): void {
    this.machine.kernel.trace.note(this.#label, 'gets', batches.length)
    this.replica?.import(batches).catch((error: unknown) => this.machine.kernel.failed(`import ${this.#label}`, error))
  }

  setOnline(isOnline: boolean): void {
    this.replica?.setOnline(isOnline)
  }

  /** In good order. */
  close(): void {
    this.#isWanted = false
    const { replica, process } = this
    if (replica === undefined || process === undefined) return
    this.replica = undefined
    replica
      .close()
      .catch((error: unknown) => this.machine.kernel.failed(`close ${this.#label}`, error))
      .finally(() => {
        if (!process.isAlive) return
        this.end('closed')
      })
      .catch(ignore)
  }

  /** However it ends; what its disk makes of it is the machine's affair. */
  end(how: 'crashed' | 'killed' | 'closed'): void {
    const { process } = this
    this.replica = undefined
    this.process = undefined
    if (process === undefined) return
    process.end()
    this.machine.kernel.trace.note(this.#label, how)
    this.machine.kernel.emit({ kind: 'ended', tab: this.name, how })
    // Opened again while it was closing.
    if (how === 'closed' && this.#isWanted) this.open()
  }
}

const ignore = (): void => undefined
