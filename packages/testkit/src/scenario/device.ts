/** A device of a scenario, as tests use it. One that is not open is opened by whatever asks something of it. */
import type { Candidate, Draft, Receipt, Replica, Status, Tx } from '@driftlog/client'
import type { Conflict, MemoryMedium, Schema } from '@driftlog/core'
import { type Duration, toMs } from './duration.ts'
import { openHistory } from './history.ts'
import type { Host, TableRow } from './host.ts'
import { type Report, reportOf } from './report.ts'
import type { Stage } from './stage.ts'

/** What a disk held once. */
export interface Backup {
  readonly medium: MemoryMedium
}

/** A device's own clock, which stamps what is written there. */
export interface ScenarioClock {
  /** How far it is ahead of the true time, in milliseconds. */
  readonly aheadMs: number
  /** Sets it forward or, with less than 0, back. */
  jump(by: Duration): void
  /** 1 is right; 1.01 gains a second in a hundred. */
  runAt(rate: number): void
  /** Shows the true time from now on. */
  correct(): void
}

export class ScenarioDevice<S extends Schema> {
  readonly clock: ScenarioClock
  /** Runs a Kysely select on the device's tables, in SQL. */
  readonly query: Replica<S>['query']
  readonly #stage: Stage
  readonly #host: Host<S>

  constructor(stage: Stage, host: Host<S>) {
    this.#stage = stage
    this.#host = host
    this.query = (query) => stage.turn(async () => (await host.open()).query(query))
    const { clock } = host
    this.clock = {
      get aheadMs() {
        return clock.offsetMs
      },
      jump: (by) => clock.jump(toMs(by)),
      runAt: (rate) => clock.runAt(rate),
      correct: () => clock.correct(),
    }
  }

  get name(): string {
    return this.#host.name
  }

  get isOpen(): boolean {
    return this.#host.replica !== undefined
  }

  /** The replica that the app has. Throws where the device is not open. */
  get replica(): Replica<S> {
    return this.#host.expectReplica()
  }

  get status(): Status {
    return this.replica.status
  }

  /**
   * Runs a mutation of the app and waits until it is stored. Answers what it returns; rejects with what it throws, and where
   * it cannot be stored: it is shown then, and stored as soon as that is possible.
   */
  mutate<T>(change: (tx: Tx<S>) => T): Promise<T> {
    return this.#stage.turn(async () => {
      await this.#host.open()
      this.#stage.tick()
      const { value, stored } = this.#host.mutate(change)
      await this.#stage.settled(this.#orFails(stored), `storing on ${this.name}`)
      return value
    })
  }

  /** The rows of a table as the device shows them, by id; read in SQL. */
  rows<K extends keyof S['tables'] & string>(table: K): Promise<TableRow<S, K>[]> {
    return this.#stage.turn(async () => {
      await this.#host.open()
      return this.#host.rows(table)
    })
  }

  /** A row as the device shows it; undefined where it is not there or deleted. */
  row<K extends keyof S['tables'] & string>(table: K, id: string): Promise<TableRow<S, K> | undefined> {
    return this.#stage.turn(async () => (await this.#host.open()).mutate((tx) => tx[table].get(id)).value)
  }

  /** The concurrent values of a field, the shown one first. */
  candidates<K extends keyof S['tables'] & string>(
    table: K,
    id: string,
    field: keyof S['tables'][K]['fields'] & string,
  ): Promise<Candidate[]> {
    return this.#stage.turn(async () => (await this.#host.open()).candidates(table, id, field))
  }

  /** What is concurrent there now; with `settled`, what was and is settled. */
  conflicts(which: 'now' | 'settled' = 'now'): Promise<readonly Conflict[]> {
    return this.#stage.turn(async () => {
      const replica = await this.#host.open()
      return which === 'now' ? replica.conflicts : replica.settledConflicts()
    })
  }

  /** As `Replica.resolve`; waits until it is stored. */
  resolve(conflict: Conflict, value: unknown, reason?: string): Promise<void> {
    return this.#write((replica) => replica.resolve(conflict, value, reason))
  }

  /** As `Replica.reopen`; waits until it is stored. */
  reopen(conflict: Conflict): Promise<void> {
    return this.#write((replica) => replica.reopen(conflict))
  }

  /** Takes back the device's last mutation since it was opened; waits until that is stored. */
  undo(): Promise<void> {
    return this.#write((replica) => replica.undo())
  }

  redo(): Promise<void> {
    return this.#write((replica) => replica.redo())
  }

  /** Opens a form on a row; what is saved goes by `save`. */
  draft<K extends keyof S['tables'] & string>(table: K, id: string): Promise<Draft<S['tables'][K]>> {
    return this.#stage.turn(async () => (await this.#host.open()).draft(table, id))
  }

  /** Saves a form that was opened on this device; waits until it is stored. */
  save<K extends keyof S['tables'] & string>(
    draft: Draft<S['tables'][K]>,
    changes: Parameters<Draft<S['tables'][K]>['save']>[0],
  ): Promise<void> {
    return this.#write(() => draft.save(changes))
  }

  #write(act: (replica: Replica<S>) => Receipt<unknown> | undefined): Promise<void> {
    return this.#stage.turn(async () => {
      await this.#host.open()
      this.#stage.tick()
      const receipt = this.#host.write(act)
      if (receipt !== undefined) await this.#stage.settled(this.#orFails(receipt.stored), `storing on ${this.name}`)
    })
  }

  /** Opens the app where it is not open. */
  open(): Promise<void> {
    return this.#stage.turn(async () => void (await this.#host.open()))
  }

  /** Closes the app in good order. */
  close(): Promise<void> {
    return this.#stage.turn(() => this.#host.close())
  }

  /** The power fails. What was stored is still there when it is opened again. */
  crash(): Promise<void> {
    return this.#stage.turn(() => this.#host.crash())
  }

  /** The user goes offline. */
  disconnect(): Promise<void> {
    return this.#stage.turn(async () => this.#host.setConnected(false))
  }

  /** The user comes online, over a network that works. Nothing arrives before time passes: see `sync` and `wait`. */
  connect(): Promise<void> {
    return this.#stage.turn(async () => this.#host.setConnected(true))
  }

  /** Nothing gets through to the server or back, until `connect` or `sync`, and nobody is told. */
  partition(): Promise<void> {
    return this.#stage.turn(async () => this.#host.link.partition(Number.MAX_SAFE_INTEGER))
  }

  /**
   * The next push breaks: so many frames of it (64 mutations each at most) get to the server, whose answer to the last of
   * them is lost, and nothing follows. Then the connection is gone, and the device tries again by itself.
   */
  interruptPush({ arrives = 1 }: { readonly arrives?: number } = {}): Promise<void> {
    return this.#stage.turn(async () => {
      const { breaker, isRoundTrip, link } = this.#host
      if (!isRoundTrip) breaker.arm(arrives)
      else if (arrives === 0) link.arm('dropFrame', 'up', 0)
      else link.arm('loseAck', 'down', 0)
    })
  }

  /** The disk is full, fails at every call, or is slow, until `mendDisk`. The app turns read-only, as it would. */
  breakDisk(how: 'full' | 'fails' | 'slow'): Promise<void> {
    return this.#stage.turn(async () => this.#host.disk.begin(how, Number.MAX_SAFE_INTEGER, () => undefined))
  }

  /** It works again. The app finds out when it tries again, within a minute. */
  mendDisk(): Promise<void> {
    return this.#stage.turn(async () => this.#host.disk.heal())
  }

  /** A copy of the disk as it is now. */
  backup(): Promise<Backup> {
    return this.#stage.turn(async () => ({ medium: await this.#host.disk.copy() }))
  }

  /** Ends the app, and puts a backup, of this device or another one, in the place of what its disk holds. */
  restore({ medium }: Backup): Promise<void> {
    return this.#stage.turn(() => this.#host.restore(medium))
  }

  /** Who wrote what and who won, in all that this device has stored. */
  report(): Promise<Report> {
    return this.#stage.turn(async () =>
      reportOf(this.#host.schema, await openHistory(this.#stage, [this.#host.disk.durable])),
    )
  }

  /** Rejects as soon as the replica says that its storage fails. */
  #orFails(stored: Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      const watching = this.replica.status$.subscribe(({ readOnly, error }) => {
        if (readOnly) reject(new Error(`${this.name} could not store it: ${error?.code}, ${error?.message}`))
      })
      stored.then(resolve, reject).finally(() => watching.unsubscribe())
    })
  }
}
