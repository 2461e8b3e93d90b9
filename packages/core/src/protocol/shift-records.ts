/**
 * Shifts (BR2) as a server remembers them: one record each, `shift/<device>/<base>/<first tag>/<shift>`, written with the batch
 * that states it: of several of one run none takes the place of another, for the largest counts. Whether a stamp is too far ahead is asked for its branch (ING2), and a body is never opened for it.
 */
import type { DeviceId } from '../clock/dot.ts'
import { ByteReader, ByteWriter, fromBase64Url, toBase64Url } from '../codec/bytes.ts'
import type { Shift } from '../log/batch.ts'
import type { RecordChange } from '../log/batch-store.ts'

export const shiftPrefix = (device: DeviceId): string => `shift/${device}/`

export const shiftRecord = ({ device, base, firstTag, shift, floor }: Shift): RecordChange => ({
  key: `${shiftPrefix(device)}${base}/${toBase64Url(firstTag)}/${shift}`,
  value: new ByteWriter(16).varint(shift).varint(floor).finish().slice(),
})

/** Reads a record of `shiftPrefix(device)`. Throws MALFORMED where it is none. */
export const shiftOfRecord = (
  device: DeviceId,
  { key, value }: { readonly key: string; readonly value: Uint8Array },
): Shift => {
  const [base, firstTag = ''] = key.slice(shiftPrefix(device).length).split('/')
  const reader = new ByteReader(value)
  const shift = {
    device,
    base: Number(base),
    firstTag: fromBase64Url(firstTag),
    shift: reader.varint(),
    floor: reader.varint(),
  }
  reader.expectEnd()
  return shift
}
