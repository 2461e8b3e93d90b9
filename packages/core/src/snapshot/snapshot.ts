/**
 * A local snapshot: the state of a replica in memory, so that opening it reads this and the rest of the log instead of all
 * of the log. It is a cache of one device: no other reads it, any release may change its format, and where it is missing,
 * damaged or of another format the log is read whole.
 *
 *     snapshot = format | length and hash of the rest | deflated: op index, projector, log | cells, and who introduced rows
 *
 * The cells are most of it, and the first queries do not need them where a copy of the tables is at hand: they are read when
 * something asks for them.
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
const SNAPSHOT_FORMAT = 2
const CHECK_BYTES = 16

export interface SavedState {
  readonly log: OpLog
  readonly projector: Projector
}

/** undefined where something in the log waits, or cannot be opened: then opening reads the log whole. */
export const saveSnapshot = (log: OpLog, projector: Projector): Uint8Array | undefined => {
  if (!isSaveable(log)) return undefined
  const writer = new ByteWriter(1_048_576)
  const places = rowPlaces(projector.cells)
  writeOps(writer, projector.ops)
  writeProjector(writer, projector)
  writeLog(writer, log)
  writeCells(writer, projector.cells, places)
  writeIntroduced(writer, projector, places)
  const state = writer.finish()
  const packed = deflate(state)
  return new ByteWriter(packed.length + 32)
    .varint(SNAPSHOT_FORMAT)
    .varint(state.length)
    .raw(hash(packed, CHECK_BYTES))
    .raw(packed)
    .finish()
}

/** undefined where it is of another format, or damaged. */
export const restoreSnapshot = (snapshot: Uint8Array, keyring: Keyring, members?: Members): SavedState | undefined => {
  try {
    return restore(snapshot, keyring, members)
  } catch (error) {
    if (error instanceof DriftlogError) return undefined
    throw error
  }
}

const restore = (snapshot: Uint8Array, keyring: Keyring, members: Members | undefined): SavedState | undefined => {
  const outer = new ByteReader(snapshot)
  if (outer.varint() !== SNAPSHOT_FORMAT) return undefined
  const length = outer.varint()
  const check = outer.raw(CHECK_BYTES)
  const packed = outer.raw(outer.remaining)
  if (!equalBytes(hash(packed, CHECK_BYTES), check)) return undefined
  const reader = new ByteReader(inflate(packed, length))
  const projector = new Projector()
  const log = new OpLog(keyring, projector, members)
  readOps(reader, projector.ops)
  readProjector(reader, projector)
  readLog(reader, log)
  const devices = projector.ops.deviceCount
  projector.cells.sleep(() => {
    const rows = readCells(reader, projector.cells)
    readIntroduced(reader, projector, rows, devices)
    reader.expectEnd()
  })
  return { log, projector }
}
