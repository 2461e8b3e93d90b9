/** What everyone in a simulation opens its space with. */
import { newSpaceKey, type ReplicaKey } from '@driftlog/client'
import { type BatchStore, EPOCH_KEY_BYTES, Keyring, type Membership } from '@driftlog/core'
import { SPACE } from './disk-copy.ts'
import { installationKey, openedMembers } from './members.ts'
import type { SimulatorOptions } from './options.ts'

const bytes = new Uint8Array(EPOCH_KEY_BYTES).fill(7)
const key = newSpaceKey({ bytes: () => bytes })

/** `installation`: whose disk it is. */
export const replicaKey = ({ encrypted, members }: SimulatorOptions, installation: number): ReplicaKey =>
  members ? installationKey(installation) : encrypted ? key : 'unencrypted'

export interface SpaceOpened {
  readonly keyring: Keyring
  readonly members?: Membership
}

/** What all that the server has is opened with. */
export const openedSpace = async (
  { encrypted, members }: SimulatorOptions,
  server: BatchStore,
): Promise<SpaceOpened> => {
  if (members) return openedMembers(server)
  return { keyring: encrypted ? Keyring.encrypted(SPACE, new Map([[1, bytes]])) : Keyring.unencrypted(SPACE) }
}
