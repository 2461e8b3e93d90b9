/**
 * The connection to one IndexedDB database, from the first use until it ends for good.
 *
 *     idle ──first use──► opening ──► open ──► ended (by close, by a newer version of the app, by the browser)
 *       ▲                    │
 *       └──────failed────────┘
 *
 * Invariants:
 * - an ended connection never opens again: after an eviction the database would come back empty, as if nothing had
 *   ever been written;
 * - a write transaction is on the disk when its promise resolves (durability: 'strict');
 * - inside a transaction nothing is awaited but its own requests: it commits itself at anything else.
 */
import { DriftlogError } from '@driftlog/core'
import { type IDBPDatabase, openDB } from 'idb'
import { storageError } from './errors.ts'
import { DATABASE_VERSION, type Schema, type StoreName, type Transaction, upgrade } from './schema.ts'

export interface ConnectionEvents {
  /** An older tab keeps the database open; opening goes on when that tab lets go. */
  blocked(): void
  /** The connection has ended without a call of `close`. */
  ended(): void
}

/** What a write answers with where nothing of it is to be kept. */
export class Undone<Result> {
  readonly result: Result

  constructor(result: Result) {
    this.result = result
  }
}

export class Connection {
  readonly #name: string
  readonly #events: ConnectionEvents
  readonly #running = new Set<Promise<unknown>>()
  #opening: Promise<IDBPDatabase<Schema>> | undefined
  #end: (() => DriftlogError) | undefined

  constructor(name: string, events: ConnectionEvents) {
    this.#name = name
    this.#events = events
  }

  /** Throws CLOSED or, where the browser has ended the connection, STORAGE_FAILED. */
  checkOpen(): void {
    if (this.#end !== undefined) throw this.#end()
  }

  read<Result>(stores: readonly StoreName[], work: (transaction: Transaction<'readonly'>) => Promise<Result>) {
    return this.#track(async () => this.#transact(await this.#database(), stores, 'readonly', work))
  }

  write<Result>(
    stores: readonly StoreName[],
    work: (transaction: Transaction<'readwrite'>) => Promise<Result | Undone<Result>>,
  ): Promise<Result> {
    return this.#track(async () => this.#transact(await this.#database(), stores, 'readwrite', work))
  }

  /** Waits for what was asked for before. */
  async close(): Promise<void> {
    this.#end ??= () => new DriftlogError('CLOSED', this.#name, { name: this.#name })
    await Promise.allSettled(this.#running)
    const database = await this.#opening?.catch(() => undefined)
    database?.close()
  }

  #track<Result>(run: () => Promise<Result>): Promise<Result> {
    this.checkOpen()
    const running = run().catch((error: unknown) => {
      throw storageError(error, this.#name)
    })
    this.#running.add(running)
    const settled = (): void => void this.#running.delete(running)
    running.then(settled, settled)
    return running
  }

  async #transact<Mode extends 'readonly' | 'readwrite', Result>(
    database: IDBPDatabase<Schema>,
    stores: readonly StoreName[],
    mode: Mode,
    work: (transaction: Transaction<Mode>) => Promise<Result | Undone<Result>>,
  ): Promise<Result> {
    let transaction: Transaction<Mode>
    try {
      transaction = database.transaction<StoreName[], Mode>([...stores], mode, { durability: 'strict' })
    } catch (error) {
      // Between the call and here the connection may have ended.
      this.checkOpen()
      throw error
    }
    // Handled below; without this an abort before we get there would count as unhandled.
    transaction.done.catch(() => {})
    try {
      const result = await work(transaction)
      if (result instanceof Undone) {
        transaction.abort()
        await transaction.done.catch(() => {})
        return result.result
      }
      await transaction.done
      return result
    } catch (error) {
      abort(transaction)
      await transaction.done.catch(() => {})
      // The transaction knows why (a full disk, say) where a request only knows that it was aborted.
      throw transaction.error ?? error
    }
  }

  #database(): Promise<IDBPDatabase<Schema>> {
    this.#opening ??= this.#open().catch((error: unknown) => {
      // A failure may pass: the next use tries again.
      this.#opening = undefined
      throw error
    })
    return this.#opening
  }

  async #open(): Promise<IDBPDatabase<Schema>> {
    if (typeof indexedDB === 'undefined') {
      throw new DriftlogError('STORAGE_FAILED', 'there is no IndexedDB here', { name: this.#name })
    }
    return openDB<Schema>(this.#name, DATABASE_VERSION, {
      upgrade: (database, version, _, transaction) => {
        // Handled below; without this an abort would count as unhandled.
        transaction.done.catch(() => {})
        // Where it fails nothing of it is kept, and the opening fails with it.
        upgrade(database, version, () => transaction.objectStore('branch')).catch(() => abort(transaction))
      },
      blocked: () => this.#events.blocked(),
      blocking: () => {
        // A newer app waits to upgrade; until this connection closes it cannot even start.
        this.#endWith(
          () => new DriftlogError('CLOSED', 'a newer version of this app is open: reload', { name: this.#name }),
        )
        void this.#opening?.then((database) => database.close())
      },
      terminated: () =>
        this.#endWith(
          () => new DriftlogError('STORAGE_FAILED', 'the browser ended the connection: reload', { name: this.#name }),
        ),
    })
  }

  #endWith(end: () => DriftlogError): void {
    if (this.#end !== undefined) return
    this.#end = end
    this.#events.ended()
  }
}

const abort = (transaction: { abort(): void }): void => {
  try {
    transaction.abort()
  } catch {
    // It has aborted by itself.
  }
}
