import { type History, writeHistory as write } from '../../data/history.ts'
import type { ReplicaDevice } from './device.ts'

/** A device that is used for hours writes few ops at a time; one that works through a queue writes thousands. */
const OPS_A_BATCH = 100

/** Writes ops `[from, to)` of a history, `OPS_A_BATCH` of them a batch. */
export const writeHistory = (device: ReplicaDevice, history: History, from = 0, to = history.ops): Promise<void> =>
  write(device, history, { from, to, opsAPause: OPS_A_BATCH, paused: () => device.stored() })
