/**
 * The base of a pruned space among the items of a backup, after the entries and before the batches: its statement, then its chunks, each
 * behind "DLC".
 */
import {
  type BatchStore,
  concatBytes,
  DriftlogError,
  equalBytes,
  Keyring,
  type Membership,
  type PlantedFloor,
  type RecordChange,
  unsealBase,
} from '@driftlog/core'
import { floorsOfBase } from '../pruning/base-work.ts'
import { baseOf, baseRecords, loadBaseItems, loadBaseOutline } from '../storage/stored-base.ts'

const CHUNK = [0x44, 0x4c, 0x43]
const STATEMENT = [0x44, 0x4c, 0x53]

const begins = (item: Uint8Array, magic: readonly number[]): boolean => magic.every((byte, at) => item[at] === byte)

export const isBaseItem = (item: Uint8Array): boolean => begins(item, STATEMENT) || begins(item, CHUNK)

/** None where the store has all of the log. */
export const exportBase = async (store: BatchStore, space: string): Promise<Uint8Array[]> => {
  const items = await loadBaseItems(store, space)
  if (items === undefined) return []
  const asItem = (chunk: Uint8Array): Uint8Array => concatBytes(new Uint8Array(CHUNK), chunk)
  return [items.statement, ...items.chunks.map(asItem)]
}

export interface RestoredBase {
  readonly digest: Uint8Array
  readonly floors: readonly PlantedFloor[]
  readonly records: readonly RecordChange[]
}

/** Collects the items of a base as they come. */
export class BaseItems {
  #statement: Uint8Array | undefined
  readonly #chunks: Uint8Array[] = []

  add(item: Uint8Array): void {
    if (begins(item, CHUNK)) this.#chunks.push(item.slice(CHUNK.length))
    else if (this.#statement === undefined) this.#statement = item.slice()
    else throw new DriftlogError('BACKUP_DAMAGED', 'two bases')
  }

  /** undefined: there is none. Throws BACKUP_DAMAGED where it is not one of this space, whole. */
  restored(epochs: ReadonlyMap<number, Uint8Array> | undefined, membership: Membership): RestoredBase | undefined {
    const [statement, chunks] = [this.#statement, this.#chunks]
    if (statement === undefined && chunks.length === 0) return undefined
    try {
      if (statement === undefined) throw new DriftlogError('MALFORMED', 'chunks of no base')
      const outline = baseOf(statement)
      const keyring = Keyring.encrypted(membership.space, epochs ?? new Map())
      const bytes = unsealBase(outline, chunks, keyring)
      const floors = floorsOfBase(bytes, outline, keyring, membership)
      return { digest: outline.digest, floors, records: baseRecords(statement, chunks, undefined) }
    } catch (cause) {
      if (!(cause instanceof DriftlogError)) throw cause
      throw new DriftlogError('BACKUP_DAMAGED', `a base: ${cause.code}`, {}, { cause })
    }
  }
}

/**
 * Puts a base into a store, with what is to be stored before it. Answers whether it was put there: not where that very base is there
 * already. Rejects with FORK where the store has other history of the space.
 */
export const plantBase = async (
  store: BatchStore,
  space: string,
  base: RestoredBase,
  records: readonly RecordChange[],
): Promise<boolean> => {
  const here = await loadBaseOutline(store, space)
  if (here !== undefined && equalBytes(here.digest, base.digest)) return false
  if (here !== undefined || (await store.vector(space)).size > 0) {
    throw new DriftlogError('FORK', 'the history of this backup was pruned: it needs a store without the space', {
      space,
    })
  }
  await store.plant(space, base.floors, { records: [...records, ...base.records] })
  return true
}
