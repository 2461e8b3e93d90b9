/** What the projector keeps beside ops and cells, in a local snapshot. */
import { deviceIdFromBytes, deviceIdToBytes, DEVICE_ID_BYTES, type DeviceId } from '../clock/dot.ts'
import type { ByteReader, ByteWriter } from '../codec/bytes.ts'
import type { Row } from '../cells/row.ts'
import type { Projector } from '../projection/projector.ts'

const writeSeqs = (writer: ByteWriter, seqs: ReadonlyMap<DeviceId, number>): void => {
  writer.varint(seqs.size)
  for (const [device, seq] of seqs) writer.raw(deviceIdToBytes(device)).varint(seq)
}

const readSeqs = (reader: ByteReader, into: Map<DeviceId, number>): void => {
  for (let left = reader.count(); left > 0; left--)
    into.set(deviceIdFromBytes(reader.raw(DEVICE_ID_BYTES)), reader.varint())
}

export const writeProjector = (writer: ByteWriter, projector: Projector): void => {
  writeSeqs(writer, projector.projected)
  writeSeqs(writer, projector.frontier)
  writer.varint(projector.highest).varint(projector.schemaVersion).varint(projector.voidCount)
  const { shifts } = projector.saved
  writer.varint(projector.ops.deviceCount)
  for (let device = 0; device < projector.ops.deviceCount; device++) {
    const inForce = shifts[device] ?? []
    writer.varint(inForce.length)
    for (const { fromSeq, shift, floor } of inForce) writer.varint(fromSeq).varint(shift).varint(floor)
  }
}

export const readProjector = (reader: ByteReader, projector: Projector): void => {
  readSeqs(reader, projector.projected)
  readSeqs(reader, projector.frontier)
  projector.highest = reader.varint()
  projector.schemaVersion = reader.varint()
  projector.voidCount = reader.varint()
  const { shifts } = projector.saved
  const devices = reader.varint()
  for (let device = 0; device < devices; device++) {
    const inForce: (typeof shifts)[number] = []
    for (let left = reader.count(); left > 0; left--)
      inForce.push({ fromSeq: reader.varint(), shift: reader.varint(), floor: reader.varint() })
    shifts[device] = inForce
  }
}

/** Which rows each branch introduced: a part of the snapshot that is read with the cells. */
export const writeIntroduced = (writer: ByteWriter, projector: Projector, places: ReadonlyMap<Row, number>): void => {
  const { introduced } = projector.saved
  for (let device = 0; device < projector.ops.deviceCount; device++) {
    const { from, rows, seqs } = introduced[device] ?? { from: 0, rows: [], seqs: [] }
    writer.varint(from).varint(rows.length)
    let before = 0
    for (const [index, row] of rows.entries()) {
      writer.varint(places.get(row)!).varint(seqs[index] - before)
      before = seqs[index]
    }
  }
}

/** `devices`: how many branches there were. */
export const readIntroduced = (
  reader: ByteReader,
  projector: Projector,
  rows: readonly Row[],
  devices: number,
): void => {
  const { introduced } = projector.saved
  for (let device = 0; device < devices; device++) {
    const by = { from: reader.varint(), rows: [] as Row[], seqs: [] as number[] }
    let seq = 0
    for (let left = reader.count(); left > 0; left--) {
      by.rows.push(rows[reader.varint()])
      by.seqs.push((seq += reader.varint()))
    }
    introduced[device] = by
  }
}
