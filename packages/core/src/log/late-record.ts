/**
 * What is told of late ops (SPEC CUT11) by whoever brings them in: of ops that nobody had who made the base, what of its prefix
 * each had seen, and what of it they refer to. It stands as an event in the ops of the first batch of a device that states the
 * shifts of these ops, so that it is part of a chain and no server reads it. It is told by ids, and holds on every base up to its
 * cut: of what it tells, what is below a base counts there.
 *
 *     record = format | cut | ids: count, 16 bytes each
 *            | kept runs: count, each id, first, length, hash, epoch, membership position
 *            | named ops: count, each id, seq, stamp, membership position
 *            | late runs: count, each device (16 bytes), base, first tag, seen before it, ops: count, each number in the run, seen
 *     seen   = count, each id, seq                                            an id is its place among the ids
 */
import { DEVICE_ID_BYTES, type DeviceId, type Dot, deviceIdFromBytes, deviceIdToBytes } from '../clock/dot.ts'
import type { Hlc } from '../clock/hlc.ts'
import { ByteReader, ByteWriter, malformed, toBase64Url } from '../codec/bytes.ts'
import { HASH_BYTES } from '../crypto/sodium.ts'
import { DriftlogError } from '../errors.ts'
import type { AppEvent } from '../op/run.ts'
import { TAG_BYTES } from './batch.ts'
import type { KeptRun } from './chain-index.ts'

export const LATE_FORMAT = 1

/** No app can name an event so. */
const EVENT = '\u0000late'

export type SeenOf = readonly (readonly [branch: DeviceId, seq: number])[]

/** What the ops of one run had seen of the prefix: of a run named as in a shift (BR2). */
export interface LateRun {
  readonly device: DeviceId
  readonly base: number
  readonly firstTag: Uint8Array
  /** Of the op before it, where that is not told of. */
  readonly before: SeenOf
  /** By number in the run, rising: where an op had seen more of the prefix than the one before it. */
  readonly ops: readonly { readonly op: number; readonly seen: SeenOf }[]
}

/** An op of the prefix that a late op names. */
export interface NamedOp {
  readonly branch: DeviceId
  readonly seq: number
  readonly stamp: Hlc
  readonly position: number
}

export interface LateRecord {
  /** Of the base that it is made for. */
  readonly cut: Hlc
  /** Runs of the prefix that late ops of other branches refer to (OP4). */
  readonly kept: readonly (KeptRun & { readonly branch: DeviceId })[]
  readonly named: readonly NamedOp[]
  readonly runs: readonly LateRun[]
}

/** What is told of the ops of one late run. */
export interface SeenLate extends Pick<LateRun, 'before' | 'ops'> {
  /** Up to where ops are late; infinite: all that goes on from it. */
  readonly toSeq: number
  /** Of the ops of the prefix that it names. */
  readonly stamps: readonly Pick<NamedOp, 'branch' | 'seq' | 'stamp'>[]
}

/** What of the prefix one record tells, to be looked up. */
class ToldPrefix {
  readonly #kept: ReadonlyMap<DeviceId, readonly KeptRun[]>
  readonly #named: ReadonlyMap<string, NamedOp>

  constructor({ kept, named }: LateRecord) {
    this.#kept = Map.groupBy(kept, ({ branch }) => branch)
    this.#named = new Map(named.map((op) => [`${op.branch}/${op.seq}`, op]))
  }

  /** The run of the prefix that covers an op. */
  covering(branch: DeviceId, seq: number): KeptRun | undefined {
    return this.#kept.get(branch)?.find((run) => run.fromSeq <= seq && run.toSeq >= seq)
  }

  named({ device, seq }: Dot): NamedOp | undefined {
    return this.#named.get(`${device}/${seq}`)
  }
}

/** What somebody tells of a late run. */
export interface LateNote {
  readonly run: LateRun
  readonly prefix: ToldPrefix
  readonly cut: Hlc
  /** Whose statement it is, and its bytes: of several that fit the author's own counts first. */
  readonly installation: string
  readonly bytes: string
}

/** What a record tells, run by run. `bytes`: its own; `installation`: of who states it. */
export const notesOf = (record: LateRecord, bytes: Uint8Array, installation: string): LateNote[] => {
  const prefix = new ToldPrefix(record)
  const text = toBase64Url(bytes)
  return record.runs.map((run) => ({ run, prefix, cut: record.cut, installation, bytes: text }))
}

export const encodeLate = ({ cut, kept, named, runs }: LateRecord): Uint8Array => {
  const ids: DeviceId[] = []
  const places = new Map<DeviceId, number>()
  const place = (id: DeviceId): number => {
    const known = places.get(id)
    if (known !== undefined) return known
    places.set(id, ids.length)
    return ids.push(id) - 1
  }
  const rest = new ByteWriter(1024)
  const writeSeen = (seen: SeenOf): void => {
    rest.varint(seen.length)
    for (const [branch, seq] of seen) rest.varint(place(branch)).varint(seq)
  }
  rest.varint(kept.length)
  for (const { branch, fromSeq, toSeq, hash, epoch, position } of kept) {
    rest
      .varint(place(branch))
      .varint(fromSeq)
      .varint(toSeq - fromSeq)
      .raw(hash)
      .varint(epoch)
      .varint(position)
  }
  rest.varint(named.length)
  for (const { branch, seq, stamp, position } of named) {
    rest.varint(place(branch)).varint(seq).varint(stamp).varint(position)
  }
  rest.varint(runs.length)
  for (const { device, base, firstTag, before, ops } of runs) {
    rest.raw(deviceIdToBytes(device)).varint(base).raw(firstTag)
    writeSeen(before)
    rest.varint(ops.length)
    for (const { op, seen } of ops) {
      rest.varint(op)
      writeSeen(seen)
    }
  }
  const writer = new ByteWriter(1024).varint(LATE_FORMAT).varint(cut).varint(ids.length)
  for (const id of ids) writer.raw(deviceIdToBytes(id))
  return writer.raw(rest.finish()).finish().slice()
}

/** Throws MALFORMED, and FORMAT_UNKNOWN for a newer one. */
export const decodeLate = (bytes: Uint8Array): LateRecord => {
  const reader = new ByteReader(bytes)
  const format = reader.varint()
  if (format !== LATE_FORMAT) throw new DriftlogError('FORMAT_UNKNOWN', 'late ops', { format })
  const cut = reader.varint()
  const readId = (): DeviceId => deviceIdFromBytes(reader.raw(DEVICE_ID_BYTES))
  const many = <T>(leastBytes: number, read: () => T): T[] => {
    const items: T[] = []
    for (let left = reader.count(leastBytes); left > 0; left--) items.push(read())
    return items
  }
  const ids = many(DEVICE_ID_BYTES, readId)
  const readPlace = (): DeviceId => {
    const id = ids.at(reader.varint())
    if (id === undefined) throw malformed('late ops: id')
    return id
  }
  const readSum = (from: number): number => {
    const sum = from + reader.varint()
    if (sum > Number.MAX_SAFE_INTEGER) throw malformed('late ops: number')
    return sum
  }
  const readSeen = (): SeenOf => many(2, () => [readPlace(), reader.varint()] as const)
  const kept = many(HASH_BYTES + 5, () => {
    const branch = readPlace()
    const fromSeq = reader.varint()
    const toSeq = readSum(fromSeq)
    const hash = reader.raw(HASH_BYTES).slice()
    return { branch, fromSeq, toSeq, hash, epoch: reader.varint(), position: reader.varint() }
  })
  const named = many(4, () => ({
    branch: readPlace(),
    seq: reader.varint(),
    stamp: reader.varint(),
    position: reader.varint(),
  }))
  const runs = many(DEVICE_ID_BYTES + TAG_BYTES + 3, () => {
    const device = readId()
    const base = reader.varint()
    const firstTag = reader.raw(TAG_BYTES).slice()
    const before = readSeen()
    const ops = many(2, () => ({ op: reader.varint(), seen: readSeen() }))
    return { device, base, firstTag, before, ops }
  })
  reader.expectEnd()
  return { cut, kept, named, runs }
}

/** undefined for what is no record that is known here: nothing is told then. */
export const readLate = (bytes: Uint8Array): LateRecord | undefined => {
  try {
    return decodeLate(bytes)
  } catch (error) {
    if (error instanceof DriftlogError) return undefined
    throw error
  }
}

export const lateEvent = (record: LateRecord): AppEvent => ({ name: EVENT, value: encodeLate(record) })

/** The bytes of the record that an event is; undefined where it is none. */
export const lateBytesOf = ({ name, value }: AppEvent): Uint8Array | undefined =>
  name === EVENT && value instanceof Uint8Array ? value : undefined
