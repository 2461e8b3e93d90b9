import {
  type BatchStore,
  cryptoReady,
  type DeviceId,
  DriftlogError,
  equalBytes,
  idSource,
  isSpaceId,
  type OpLog,
  type Ports,
  type Projector,
  quarantining,
  type Schema,
  schemaFingerprint,
  systemPorts,
  Writer,
} from '@driftlog/core'
import { loadKeys, type ReplicaKey } from './keys/load-keys.ts'
import { Members } from './members/members.ts'
import { MembersSync } from './members/members-sync.ts'
import { loadPruning, PruningSync } from './pruning/pruning-sync.ts'
import { type PruningOptions, PruningWork } from './pruning/pruning-work.ts'
import { CurrentView } from './query/current-view.ts'
import { LiveTables } from './query/live-tables.ts'
import { openSqlJs, type SqlJsOptions } from './query/sql-js.ts'
import { Replica } from './replica.ts'
import { CorrectedClock } from './state/corrected-clock.ts'
import { ReplicaState } from './state/replica-state.ts'
import { loadBookmarks } from './storage/bookmarks.ts'
import { enterLate } from './storage/late-branches.ts'
import { loadIdentity, passingIdentity, type RenewedIdentity, renewIdentity, takeOn } from './storage/identity.ts'
import { Keeper } from './storage/keeper.ts'
import { mustNotWrite, readStore } from './storage/read-store.ts'
import { readSnapshot, type SavedTables, Snapshots } from './storage/snapshots.ts'
import { loadBaseOutline } from './storage/stored-base.ts'
import { SyncEngine } from './sync/engine.ts'
import type { Transport } from './transport/transport.ts'

export interface ReplicaOptions<S extends Schema> {
  readonly schema: S
  /** The space: 1 to 64 letters, digits, `-` or `_`. */
  readonly space: string
  /** What it is encrypted with, end to end; or `'unencrypted'`, which is for you to say. See `ReplicaKey`. */
  readonly key: ReplicaKey
  /** Where batches are kept on this device. It stays open when the replica closes: who made it closes it. */
  readonly store: BatchStore
  /** The way to the server. Without one the replica is local, and can be opened with one later. */
  readonly transport?: Transport
  /** false: stay offline until `setOnline(true)`. Default true. */
  readonly online?: boolean
  /** Clock, timers and randomness; the real ones by default. */
  readonly ports?: Ports
  /**
   * How many new ops are worth a local snapshot, with which the replica opens faster next time. One is made when nothing happened
   * for five seconds, or when the replica closes. Default 1,000, or a tenth of a longer log.
   */
  readonly snapshotAfterOps?: number
  /** When a space that prunes its history (`Members.setHistory`) does so. */
  readonly pruning?: PruningOptions
  /** While an app is developed: custom strategies are asked twice, in both orders, and those that are not pure are told. */
  readonly development?: boolean
  /** Where SQLite's WebAssembly is found; only bundlers need it. */
  readonly sqlJs?: SqlJsOptions
}

/**
 * Opens a space on this device: everything stored is shown, and it syncs from then on. Several tabs or processes may open
 * the same store; each writes under a device id of its own.
 *
 * A batch whose stored bytes rotted is left out, with what goes on from it, until it was fetched again: see `Status.damaged`.
 *
 * Rejects with OPTION_INVALID, KEY_WRONG, KEY_MISSING, KEYS_DAMAGED, STORAGE_FAILED, STORAGE_FULL, STORAGE_DAMAGED (more than batches is damaged), or, where this device's own ops cannot all be
 * shown, FORMAT_UNKNOWN (a newer version of the app wrote them) or CHAIN_BROKEN.
 */
export const openReplica = async <S extends Schema>(options: ReplicaOptions<S>): Promise<Replica<S>> => {
  const { schema, space, transport, ports = systemPorts } = options
  const { random } = ports
  if (!isSpaceId(space)) throw new DriftlogError('OPTION_INVALID', `space id ${JSON.stringify(space)}`, { space })
  await cryptoReady()
  const store = quarantining(options.store)
  const { slot, release } = await store.claimSlot(space)
  try {
    await enterLate(store, space)
    const { keyring, records, members: local } = await loadKeys(store, space, options.key, random)
    const identities = records && { store, space, records, random }
    const renew = async (givenUp: DeviceId): Promise<RenewedIdentity> =>
      identities === undefined
        ? { identity: passingIdentity(space, random), records: [] }
        : renewIdentity(identities, slot, givenUp)
    const members = local?.membership
    const goesOnFrom = await loadBaseOutline(store, space)
    const counts = local && (await loadPruning(store, local.membership))
    const snapshot = await readSnapshot(store, { keyring, members }, records)
    const stored = snapshot ?? (await readStore(store, keyring, members))
    const identity = identities ? await loadIdentity(identities, slot) : passingIdentity(space, random)
    const { highWater, clockOffsetMs, cursor, acknowledged } = await loadBookmarks(store, space, identity.device)
    const { log, projector, end: read } = stored
    const isToRenew = await mustNotWrite(store, space, stored, identity.device)
    if (!isToRenew) expectOwnShown(log, projector, identity.device)
    // BR3: it is written elsewhere, or has not seen all that it wrote.
    const writes = isToRenew ? (await takeOn(store, space, await renew(identity.device))).identity : identity
    // What another device stamped is in what is projected.
    const writer = new Writer(writes, log, projector, isToRenew ? 0 : highWater, random)
    const state = new ReplicaState({ log, projector, writer })
    const reloadMembers = local && ((): Promise<void> => local.reload(store))
    const keeper = new Keeper({ store, space, timers: ports.timers, random, state, read, renew, reloadMembers })
    keeper.begin()
    // While an app is developed its functions change, and their versions do not.
    const isDevelopment = options.development ?? false
    const saved = isDevelopment ? undefined : tablesOf(schema, snapshot?.tables)
    const view = new CurrentView(schema, projector.cells, isDevelopment, saved)
    const tables = new LiveTables({
      schema,
      view,
      image: saved?.image,
      openDatabase: () => openSqlJs(options.sqlJs),
    })
    const snapshots =
      records &&
      new Snapshots(
        {
          keeper,
          state,
          timers: ports.timers,
          records,
          tables: () => (isDevelopment ? undefined : saveTables(schema, view, tables)),
          newOps: options.snapshotAfterOps,
          isPruned: () => (pruning?.base ?? goesOnFrom) !== undefined,
        },
        snapshot?.saved ?? 0,
      )
    const clock = new CorrectedClock(ports.clock, clockOffsetMs)
    const { timers } = ports
    // By the plain clock: it is told the server's time by every welcome.
    const membersSync =
      local && transport && new MembersSync({ local, keeper, transport, space, clock: ports.clock, timers })
    const pruning =
      local &&
      membersSync &&
      new PruningSync({ local, keeper, state, store, space, timers, clock, random, base: goesOnFrom, pruning: counts })
    const engine =
      transport &&
      new SyncEngine({ space, state, transport, keeper, ports, cursor, acknowledged, members: membersSync, pruning })
    const pruningWork = pruning && engine && new PruningWork(pruning, engine, options.pruning)
    const passRecord = local?.passRecord(clock.now())
    if (passRecord !== undefined) keeper.keep(passRecord)
    const newId = idSource(ports.random)
    const parts = {
      schema,
      space,
      ports,
      store,
      clock,
      newId,
      state,
      keeper,
      snapshots,
      view,
      tables,
      engine,
      pruning,
      pruningWork,
      local,
      members: local && new Members({ local, sync: membersSync, state, clock, random }),
      acknowledged,
      release,
    }
    const replica = new Replica(parts)
    if (options.online !== false) engine?.input({ kind: 'goOnline' })
    return replica
  } catch (error) {
    await release()
    throw error
  }
}

/** A device must have seen all that it wrote before it writes on. */
const expectOwnShown = (log: OpLog, projector: Projector, device: DeviceId): void => {
  if (log.heldSeq(device) === (projector.projected.get(device) ?? 0)) return
  throw (
    log.damage ?? new DriftlogError('FORMAT_UNKNOWN', 'this device wrote with a newer version of the app', { device })
  )
}

/** Where they are the tables of this schema. */
const tablesOf = (schema: Schema, saved: SavedTables | undefined): SavedTables | undefined => {
  const fingerprint = saved && schemaFingerprint(schema)
  return fingerprint !== undefined && equalBytes(fingerprint, saved!.fingerprint) ? saved : undefined
}

const saveTables = <S extends Schema>(schema: S, view: CurrentView, tables: LiveTables<S>): SavedTables | undefined => {
  const fingerprint = schemaFingerprint(schema)
  const image = fingerprint && tables.image()
  return image && { fingerprint: fingerprint!, openConflicts: view.openCount, image }
}
