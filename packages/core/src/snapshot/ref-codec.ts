/** Refs in a local snapshot: the indexes of branches are those of the op index that is saved with them. */
import { ABSENT } from '../cells/row.ts'
import type { ByteReader, ByteWriter } from '../codec/bytes.ts'
import { type DotRef, deviceOfRef, dotRef, seqOfRef } from '../op/dot-ref.ts'

/** What stands for a ref where there may be something else: below this, one of SIBLINGS, COUNTED, COMPOSED, ABSENT. */
const FIRST_DEVICE = 4

export const writeRef = (writer: ByteWriter, ref: DotRef): void => {
  if (ref <= 0) writer.varint(-ref)
  else writer.varint(FIRST_DEVICE + deviceOfRef(ref)).varint(seqOfRef(ref))
}

export const readRef = (reader: ByteReader): DotRef => {
  const first = reader.varint()
  if (first >= FIRST_DEVICE) return dotRef(first - FIRST_DEVICE, reader.varint())
  // Not -0, which is no ref.
  return first === 0 ? ABSENT : -first
}

export const writeRefs = (writer: ByteWriter, refs: readonly DotRef[]): void => {
  writer.varint(refs.length)
  for (const ref of refs) writeRef(writer, ref)
}

export const readRefs = (reader: ByteReader): DotRef[] => {
  const refs: DotRef[] = []
  for (let left = reader.count(); left > 0; left--) refs.push(readRef(reader))
  return refs
}
