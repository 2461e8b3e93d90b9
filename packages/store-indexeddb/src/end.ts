import { type Cursor, startCursor } from '@driftlog/core'
import { keysOf, type Transaction } from './schema.ts'

/** The end of the order of arrival, whether its last batch was pruned or not. */
export const endOf = async (
  transaction: Transaction<'readonly'> | Transaction<'readwrite'>,
  space: string,
): Promise<Cursor> => {
  const pruned = await transaction.objectStore('pruned').get(space)
  const last = await transaction.objectStore('batch').openCursor(keysOf(space), 'prev')
  if (last !== null && last.value.position > (pruned?.position ?? 0)) {
    return { position: last.value.position, tag: last.value.tagAfter }
  }
  return pruned === undefined ? startCursor : { position: pruned.position, tag: pruned.tag }
}
