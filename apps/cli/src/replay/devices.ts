/**
 * The replicas of a replay: real ones, each with a store of its own in memory, and a clock that shows what the author's
 * clock showed.
 */
import { createHash } from 'node:crypto'
import {
  type Batch,
  type BatchStore,
  decodeBatch,
  type DeviceId,
  f,
  memoryStore,
  type Ports,
  type RecordChange,
  startCursor,
  systemPorts,
} from '@driftlog/core'
import { openReplica, type Replica, type Transport } from '@driftlog/client'
import { CliError } from '../errors.ts'
import { courierTransport, Mailbox } from './courier.ts'
import type { Commit } from './history.ts'
import { replaySchema, rowIdOf } from './schema.ts'

const SYNC_TIMEOUT_MS = 120_000
const DISK_PAGE = { batches: 1_000, bytes: 8_000_000 }

/** A path as a replica shows it. */
export interface ShownFile {
  readonly path: string
  readonly lines: number
  readonly commits: number
  readonly lastCommit: number
  readonly lastAuthor: number
  /** The concurrent values of lastCommit by rising stamp. */
  readonly lastCommits: readonly number[]
}

/** What a device holds once it has everything. */
export interface DeviceOutcome {
  readonly device: number
  readonly id: DeviceId
  readonly digest: string
  readonly ops: number
  /** Fields with more than one concurrent value. */
  readonly conflicts: number
  /** Ops that are held and not shown. */
  readonly waiting: number
}

export interface DeviceOptions {
  readonly index: number
  readonly space: string
  /** A round-trip transport to the server. */
  readonly direct: Transport
}

/** What a closed device leaves behind, as its disk would. */
export interface DeviceDisk {
  readonly batches: readonly Uint8Array[]
  readonly records: readonly RecordChange[]
  readonly mailbox: Mailbox
}

export class ReplayDevice {
  readonly index: number
  readonly mailbox: Mailbox
  readonly #replica: Replica<typeof replaySchema>
  readonly #store: BatchStore
  readonly #clock: { nowMs: number }

  private constructor(parts: {
    index: number
    mailbox: Mailbox
    replica: Replica<typeof replaySchema>
    store: BatchStore
    clock: { nowMs: number }
  }) {
    this.index = parts.index
    this.mailbox = parts.mailbox
    this.#replica = parts.replica
    this.#store = parts.store
    this.#clock = parts.clock
  }

  /** A new device, or one that was closed before. Offline. */
  static async open({ index, space, direct }: DeviceOptions, disk?: DeviceDisk): Promise<ReplayDevice> {
    const mailbox = disk?.mailbox ?? new Mailbox()
    const clock = { nowMs: 0 }
    const store = memoryStore()
    if (disk !== undefined) await store.append(space, disk.batches.map(decodeBatch), { records: disk.records })
    const replica = await openReplica({
      schema: replaySchema,
      space,
      key: 'unencrypted',
      store,
      transport: courierTransport(direct, mailbox, () => systemPorts.clock.now()),
      ports: devicePorts(index, clock),
      online: false,
    })
    return new ReplayDevice({ index, mailbox, replica, store, clock })
  }

  get id(): DeviceId {
    return this.#replica.device
  }

  /** Its own last op. */
  get seq(): number {
    return this.#replica.held().get(this.id) ?? 0
  }

  /** Writes commits one after the other, without a pause: the device is offline. */
  write(commits: readonly Commit[]): void {
    for (const commit of commits) this.#write(commit)
  }

  #write({ name, author, authoredMs, files }: Commit): void {
    this.#clock.nowMs = authoredMs
    this.#replica.mutate((tx) => {
      for (const { path, added, removed } of files) {
        const id = rowIdOf(path)
        const last = { lastCommit: name, lastAuthor: author }
        // Who knows no row for the path introduces it; who knows one leaves its path alone.
        if (tx.files.get(id) === undefined) tx.files.insert({ id, path, ...last })
        else tx.files.update(id, last)
        tx.files.update(id, { lines: f.increment(added - removed), commits: f.increment(1) })
      }
    })
  }

  /** Online for as long as it takes to push and pull what there is. Rejects with the engine's error, or REPLAY_FAILED. */
  async sync(): Promise<void> {
    this.#replica.setOnline(true)
    try {
      await within(SYNC_TIMEOUT_MS, this.#replica.sync(), `device ${this.index} does not get in sync`)
    } finally {
      this.#replica.setOnline(false)
    }
  }

  outcome(): DeviceOutcome {
    const { waiting } = this.#replica.status
    const conflicts = this.#replica.conflicts.filter(({ kind }) => kind === 'field').length
    const ops = [...this.#replica.projected().values()].reduce((sum, seq) => sum + seq, 0)
    return { device: this.index, id: this.id, digest: this.#replica.digest(), ops, conflicts, waiting }
  }

  /** Every path, through SQL. */
  async files(): Promise<ShownFile[]> {
    const rows = await this.#replica.query((db) =>
      db.selectFrom('files').select(['id', 'path', 'lines', 'commits', 'lastCommit', 'lastAuthor']),
    )
    return rows.map(({ id, ...file }) => {
      const candidates = this.#replica.candidates('files', id, 'lastCommit').map(({ value }) => value as number)
      return { ...file, lastCommits: candidates.reverse() }
    })
  }

  /** `share`: the same bytes from where others hold them too. Thousands of batches on each of hundreds of disks are a lot. */
  async closeToDisk(share: (batch: Batch) => Uint8Array): Promise<DeviceDisk> {
    const { space } = this.#replica
    await this.#replica.close()
    const batches: Uint8Array[] = []
    for (let cursor = startCursor, more = true; more; ) {
      const page = await this.#store.readAfter(space, cursor, DISK_PAGE)
      for (const { batch } of page.batches) batches.push(share(batch))
      cursor = page.cursor
      more = page.more
    }
    const records = await this.#store.records(space, '')
    await this.#store.close()
    return { batches, records, mailbox: this.mailbox }
  }

  async close(): Promise<void> {
    await this.#replica.close()
    await this.#store.close()
  }
}

/**
 * Keys and ids are drawn from the device's number, so that a history replays to the same digest every time. Nobody keeps
 * anything in a space of a replay.
 */
const devicePorts = (index: number, clock: { readonly nowMs: number }): Ports => {
  let drawn = 0
  return {
    clock: { now: () => clock.nowMs },
    timers: systemPorts.timers,
    random: {
      bytes(length) {
        const bytes = new Uint8Array(length)
        for (let at = 0; at < length; at += 32) {
          const block = createHash('sha256').update(`driftlog replay ${index} ${drawn++}`).digest()
          bytes.set(block.subarray(0, length - at), at)
        }
        return bytes
      },
    },
  }
}

const within = async <T>(ms: number, work: Promise<T>, what: string): Promise<T> => {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new CliError('REPLAY_FAILED', `${what} within ${ms / 1_000} s`)), ms)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
