/** Puts floors in the place of all that is held of a space, in one readwrite transaction (STORE10). */
import type { PlantedFloor } from '@driftlog/core'
import { endOf } from './end.ts'
import { keysOf, type Transaction } from './schema.ts'
import type { Writes } from './take-in.ts'

export const plantFloors = async (
  transaction: Transaction<'readwrite'>,
  space: string,
  floors: readonly PlantedFloor[],
  writes: Writes,
): Promise<void> => {
  const end = await endOf(transaction, space)
  if (end.position > 0) writes.add(transaction.objectStore('pruned').put({ space, ...end }))
  for (const name of ['batch', 'boundary', 'branch', 'certificate'] as const) {
    writes.add(transaction.objectStore(name).delete(keysOf(space)))
  }
  for (const { branch, device, base, baseTag, seq, tag, certificate } of floors) {
    const end = { seq, tag: tag.slice() }
    const floor = { floor: seq, floorTag: tag.slice() }
    writes.add(
      transaction
        .objectStore('branch')
        .put({ space, device, branch, base, baseTag: baseTag.slice(), ...end, ...floor }),
    )
    writes.add(transaction.objectStore('certificate').put({ space, device, bytes: certificate.slice() }))
  }
}
