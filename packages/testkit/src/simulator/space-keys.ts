/** What everyone in a simulation opens its space with. */
import { newSpaceKey, type ReplicaKey } from '@driftlog/client'
import { EPOCH_KEY_BYTES, Keyring } from '@driftlog/core'
import { SPACE } from './disk-copy.ts'
import type { SimulatorOptions } from './options.ts'

const bytes = new Uint8Array(EPOCH_KEY_BYTES).fill(7)
const key = newSpaceKey({ bytes: () => bytes })

export const replicaKey = ({ encrypted }: SimulatorOptions): ReplicaKey => (encrypted ? key : 'unencrypted')

export const keyringOf = ({ encrypted }: SimulatorOptions): Keyring =>
  encrypted ? Keyring.encrypted(SPACE, new Map([[1, bytes]])) : Keyring.unencrypted(SPACE)
