/**
 * A local snapshot: the state of a replica in memory, so that opening it reads this and the rest of the log instead of all
 * of the log. It is a cache of one device: no other reads it, any release may change its format, and where it is missing,
 * damaged or of another format the log is read whole.
 *
 *     state = format | length and hash of the rest | deflated: op index, projector, log
 *     cells = length and hash of the rest          | deflated: cells, and who introduced rows
 *
 * The cells are most of it, and the first queries do not need them where a copy of the tables is at hand: they are asked for when
 * something needs them.
 */
import { ByteReader, ByteWriter, equalBytes } from '../codec/bytes.ts'
import { deflate, inflate } from '../codec/deflate.ts'
import type { Keyring } from '../crypto/keyring.ts'
import { hash } from '../crypto/sodium.ts'
import { DriftlogError } from '../errors.ts'
import type { Members } from '../log/chain-index.ts'
import { OpLog } from '../log/op-log.ts'
import { Projector } from '../projection/projector.ts'
import { readCells, rowPlaces, writeCells } from './cells-codec.ts'
import { isSaveable, readLog, writeLog } from './log-codec.ts'
import { readOps, writeOps } from './op-index-codec.ts'
import { readIntroduced, readProjector, writeIntroduced, writeProjector } from './projector-codec.ts'

/** Raise it with every change of what a snapshot says, or of what the laws make of the same ops. */
const SNAPSHOT_FORMAT = 3
const CHECK_BYTES = 16

export interface SavedState {
  readonly log: OpLog
  readonly projector: Projector
}

export interface Snapshot {
  readonly state: Uint8Array
  readonly cells: Uint8Array
}

/** undefined where something in the log waits, or cannot be opened: then opening reads the log whole. */
export const saveSnapshot = (log: OpLog, projector: Projector): Snapshot | undefined => {
  if (!isSaveable(log)) return undefined
  const places = rowPlaces(projector.cells)
  const writer = new ByteWriter(1_048_576)
  writeOps(writer, projector.ops)
  writeProjector(writer, projector)
  writeLog(writer, log)
  const state = pack(new ByteWriter(65_536).varint(SNAPSHOT_FORMAT), writer.finish())
  const cells = new ByteWriter(1_048_576)
  writeCells(cells, projector.cells, places)
  writeIntroduced(cells, projector, places)
  return { state, cells: pack(new ByteWriter(65_536), cells.finish()) }
}

const pack = (writer: ByteWriter, bytes: Uint8Array): Uint8Array => {
  const packed = deflate(bytes)
  return writer.varint(bytes.length).raw(hash(packed, CHECK_BYTES)).raw(packed).finish()
}

/** undefined where it is not what was packed. */
const unpack = (reader: ByteReader): ByteReader | undefined => {
  const length = reader.varint()
  const check = reader.raw(CHECK_BYTES)
  const packed = reader.raw(reader.remaining)
  return equalBytes(hash(packed, CHECK_BYTES), check) ? new ByteReader(inflate(packed, length)) : undefined
}

/** `cells`: of the same snapshot, and sound, as its caller has seen to; asked for once, when they are needed. */
export interface SleepingSnapshot {
  readonly state: Uint8Array
  readonly cells: () => Uint8Array
}

/** undefined where the state is of another format, or damaged. */
export const restoreSnapshot = (
  snapshot: SleepingSnapshot,
  keyring: Keyring,
  members?: Members,
): SavedState | undefined => {
  try {
    return restore(snapshot, keyring, members)
  } catch (error) {
    if (error instanceof DriftlogError) return undefined
    throw error
  }
}

const restore = (
  { state, cells }: SleepingSnapshot,
  keyring: Keyring,
  members: Members | undefined,
): SavedState | undefined => {
  const outer = new ByteReader(state)
  if (outer.varint() !== SNAPSHOT_FORMAT) return undefined
  const reader = unpack(outer)
  if (reader === undefined) return undefined
  const projector = new Projector()
  const log = new OpLog(keyring, projector, members)
  readOps(reader, projector.ops)
  readProjector(reader, projector)
  readLog(reader, log)
  reader.expectEnd()
  const devices = projector.ops.deviceCount
  projector.cells.sleep(() => {
    const sleeping = unpack(new ByteReader(cells()))
    if (sleeping === undefined) throw new Error('the cells of a snapshot are not those that were saved')
    const rows = readCells(sleeping, projector.cells)
    readIntroduced(sleeping, projector, rows, devices)
    sleeping.expectEnd()
  })
  return { log, projector }
}
