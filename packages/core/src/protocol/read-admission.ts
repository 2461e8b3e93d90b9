/**
 * What a driver of the server's side looks up to answer `readAdmission` (ING2, ING3).
 *
 * A shift moves stamps on the way on from the run that it names, and nowhere else: that is how replicas apply it (BR2). So it
 * counts for a batch only where that run is on the batch's own way, and a run that nobody has counts for nothing. Otherwise the
 * server would admit stamps that no replica shifts.
 */
import type { DeviceId } from '../clock/dot.ts'
import type { Hlc } from '../clock/hlc.ts'
import { equalBytes } from '../codec/bytes.ts'
import { type BatchHeader, firstTagOf } from '../log/batch.ts'
import type { BatchStore } from '../log/batch-store.ts'
import type { ServerInput } from './server-types.ts'
import { shiftOfRecord, shiftPrefix } from './shift-records.ts'

type Store = Pick<BatchStore, 'certificate' | 'records' | 'onPath'>

export const readAdmission = async (
  store: Store,
  space: string,
  { devices, ahead }: { readonly devices: readonly DeviceId[]; readonly ahead: BatchHeader | undefined },
): Promise<ServerInput & { kind: 'admissionRead' }> => {
  const certificates = new Map<DeviceId, Uint8Array>()
  for (const device of devices) {
    const certificate = await store.certificate(space, device)
    if (certificate !== undefined) certificates.set(device, certificate)
  }
  const shift = ahead === undefined ? 0 : await greatestShift(store, space, ahead)
  return { kind: 'admissionRead', certificates, shift }
}

const greatestShift = async (store: Store, space: string, header: BatchHeader): Promise<Hlc> => {
  const { device, fromSeq, tagBefore } = header
  const base = fromSeq - 1
  const records = await store.records(space, shiftPrefix(device))
  const shifts = records.map((record) => shiftOfRecord(device, record))
  const isOwnRun = shifts.map((shift) => shift.base === base && equalBytes(shift.firstTag, firstTagOf(header)))
  const isBefore =
    base === 0 || shifts.length === 0 ? [] : await store.onPath(space, device, { seq: base, tag: tagBefore }, shifts)
  return shifts.reduce(
    (most, { shift }, index) => (isOwnRun[index] || isBefore[index] ? Math.max(most, shift) : most),
    0,
  )
}
