/**
 * The small values that a device keeps beside its batches: its clock's high-water mark, its place at the server, and what
 * the server was last known to hold. They are written in the transaction of the append that they belong to.
 */
import {
  ByteReader,
  ByteWriter,
  type Cursor,
  decodeVector,
  encodeVector,
  type Hlc,
  type VersionVector,
} from '@driftlog/core'
import type { BatchStore, DeviceId, RecordChange } from '@driftlog/core'

const CLOCK = 'clock'
const ACKNOWLEDGED = 'acknowledged'
const OFFSET = `${CLOCK}-offset`
const CURSOR = 'cursor'
// One a device: a clock that was set right must not be raised again by what another tab met.
const clockKey = (device: DeviceId): string => `${CLOCK}/${device}`
// One a device: of its own ops each tab knows most.
const acknowledgedKey = (device: DeviceId): string => `${ACKNOWLEDGED}/${device}`

export interface Bookmarks {
  readonly highWater: Hlc
  /** By how many milliseconds this device's clock was last found to be ahead. */
  readonly clockOffsetMs: number
  readonly cursor: Cursor | undefined
  readonly acknowledged: VersionVector
}

export const clockRecord = (device: DeviceId, highWater: Hlc): RecordChange => ({
  key: clockKey(device),
  value: new ByteWriter(8).varint(highWater).finish(),
})

export const clockOffsetRecord = (offsetMs: number): RecordChange => ({
  key: OFFSET,
  value: offsetMs === 0 ? undefined : new ByteWriter(8).varint(offsetMs).finish(),
})

export const cursorRecord = ({ position, tag }: Cursor): RecordChange => ({
  key: CURSOR,
  value: new ByteWriter(32).varint(position).bytes(tag).finish(),
})

export const acknowledgedRecord = (device: DeviceId, vector: VersionVector): RecordChange => ({
  key: acknowledgedKey(device),
  value: encodeVector(vector),
})

/** What nobody asks for any more once no slot of this store writes as a device. */
export const forgetDevice = (device: DeviceId): RecordChange[] =>
  [clockKey(device), acknowledgedKey(device)].map((key) => ({ key, value: undefined }))

export const loadBookmarks = async (store: BatchStore, space: string, device: DeviceId): Promise<Bookmarks> => {
  // Not all that there is: a snapshot is large.
  const read = await Promise.all([CLOCK, CURSOR, ACKNOWLEDGED].map((prefix) => store.records(space, prefix)))
  const values = new Map(read.flat().map(({ key, value }) => [key, value]))
  const clock = values.get(clockKey(device))
  const offset = values.get(OFFSET)
  const cursor = values.get(CURSOR)
  const acknowledged = values.get(acknowledgedKey(device))
  return {
    highWater: clock === undefined ? 0 : new ByteReader(clock).varint(),
    clockOffsetMs: offset === undefined ? 0 : new ByteReader(offset).varint(),
    cursor: cursor === undefined ? undefined : readCursor(new ByteReader(cursor)),
    acknowledged: acknowledged === undefined ? new Map() : decodeVector(acknowledged),
  }
}

const readCursor = (reader: ByteReader): Cursor => ({ position: reader.varint(), tag: reader.bytes().slice() })
