import { DriftlogError, isEntry, type OpLog, type Ports, type QuarantiningStore } from '@driftlog/core'
import { exportItems } from '../courier/items.ts'
import type { LocalMembers } from '../members/local-members.ts'
import type { Keeper } from '../storage/keeper.ts'
import { exportBase } from './base-items.ts'
import { BackupWriter } from './backup-file.ts'
import type { BackupProgress } from './restore-backup.ts'

export interface BackupOptions {
  /** What opens it again; longer is better, for who has the file can try as many as they like. */
  readonly passphrase: string
  /** Leaves out what is damaged here, and what goes on from it, instead of rejecting. */
  readonly partial?: boolean
  readonly onProgress?: (progress: BackupProgress) => void
}

interface BackupParts {
  readonly space: string
  readonly ports: Ports
  readonly store: QuarantiningStore
  readonly keeper: Keeper
  readonly local: LocalMembers | undefined
  readonly log: OpLog
}

const PROGRESS_EVERY = 100

/** See `Replica.backup`. */
export const makeBackup = async (
  { space, ports, store, keeper, local, log: { keyring } }: BackupParts,
  { passphrase, partial = false, onProgress }: BackupOptions,
): Promise<Uint8Array> => {
  if (keyring.isLocked) throw new DriftlogError('KEY_MISSING', 'opened as locked')
  const carried = await exportItems(keeper, local)
  const entries = carried.filter(isEntry)
  const items = [...entries, ...(await exportBase(store, space)), ...carried.slice(entries.length)]
  // All was read just now, so what is damaged is known.
  const damaged = partial ? [] : store.damaged(space)
  if (damaged.length > 0)
    throw new DriftlogError('STORAGE_DAMAGED', 'a backup would lack it', { space, batches: damaged.length })
  const epochs = keyring.isEncrypted ? keyring.keys() : undefined
  const of = items.length
  const writer = new BackupWriter(passphrase, { space, epochs, installation: local?.secret, items: of }, ports.random)
  for (const [index, item] of items.entries()) {
    writer.add(item)
    if (index % PROGRESS_EVERY > 0) continue
    onProgress?.({ batches: index, of })
    // What is told can be shown meanwhile.
    await new Promise<void>((resolve) => ports.timers.schedule(0, resolve))
  }
  onProgress?.({ batches: of, of })
  return writer.finish()
}
