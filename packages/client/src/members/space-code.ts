/** Which space is meant, as text: the hash of the entry that founded it. No secret; it keeps a server from passing off another. */
import { DriftlogError } from '@driftlog/core'
import { readText, writeText } from '../keys/secret-text.ts'

const SPACE_CODE = { prefix: 'dls1-', length: 32 } as const

export type SpaceCode = `${typeof SPACE_CODE.prefix}${string}`

export const writeSpaceCode = (genesis: Uint8Array): SpaceCode => writeText(SPACE_CODE, genesis) as SpaceCode

/** Throws INVITATION_INVALID. */
export const readSpaceCode = (text: string): Uint8Array => {
  const genesis = readText(SPACE_CODE, text)
  if (genesis === undefined)
    throw new DriftlogError('INVITATION_INVALID', 'this is no code of a space, or there is a slip in it')
  return genesis
}
