/** Takes a space out of a backup into a store. */
import {
  type BatchStore,
  type Batch,
  cryptoReady,
  decodeBatch,
  type DeviceId,
  DriftlogError,
  isEntry,
  isRefusal,
  Membership,
  memoryStore,
  quarantining,
  type Randomness,
  systemPorts,
  verifyBatch,
} from '@driftlog/core'
import { type InstallationKey, writeInstallationKey } from '../keys/installation-key.ts'
import { restoredKeys, restoredMembers } from '../keys/load-keys.ts'
import { type SpaceKey, writeSpaceKey } from '../keys/space-key.ts'
import { BaseItems, isBaseItem, plantBase, type RestoredBase } from './base-items.ts'
import { type BackupContents, BackupReader } from './backup-file.ts'

/** How far a backup, or restoring one, has come. */
export interface BackupProgress {
  readonly batches: number
  readonly of: number
}

export interface RestoreOptions {
  readonly store: BatchStore
  readonly passphrase: string
  /** Told what the backup is of, before anything is stored: rejects where it should not be. */
  readonly accept?: (backup: RestoredBackup) => void | Promise<void>
  readonly onProgress?: (progress: BackupProgress) => void
  readonly random?: Randomness
}

export interface RestoredBackup {
  readonly space: string
  /** What to open it with. */
  readonly key: SpaceKey | InstallationKey | 'unencrypted'
}

/**
 * Puts what a backup holds into a store, where it is opened from by a device of its own: a fresh one, whoever made the backup. What
 * the store has of the space already stays, its keys too, and nothing doubles. Rejects with KEY_WRONG for another passphrase and where
 * the space is in the store with another key, or only one of the two is encrypted; with KEYS_DAMAGED, BACKUP_DAMAGED (then nothing was
 * stored) and FORMAT_UNKNOWN; with FORK where what the store has of a device does not go with the backup; and with what `accept` and the store reject with; calling it again goes on where that left off.
 */
export const restoreBackup = async (file: Uint8Array, options: RestoreOptions): Promise<RestoredBackup> => {
  const { store, passphrase, accept, onProgress, random = systemPorts.random } = options
  await cryptoReady()
  const reader = new BackupReader(file, passphrase)
  const { contents } = reader
  const { space, epochs, items: of } = contents
  const restored: RestoredBackup = { space, key: keyOf(contents) }
  const { membership, base } = await checkAll(reader, contents)
  if ((contents.installation !== undefined) !== membership.length > 0) {
    throw new DriftlogError('BACKUP_DAMAGED', 'a log of members and the key of an installation go together')
  }
  await accept?.(restored)
  let records =
    contents.installation === undefined
      ? await restoredKeys(quarantining(store), space, epochs, random)
      : await restoredMembers(store, membership, { secret: contents.installation, epochs: epochs ?? new Map() }, random)
  if (base !== undefined && (await plantBase(store, space, base, records))) records = []
  let batches = 0
  for (const chunk of reader.chunks()) {
    const outcomes = await store.append(
      space,
      chunk.filter((item) => !isEntry(item) && !isBaseItem(item)).map((bytes) => decodeBatch(bytes.slice())),
      { records },
    )
    records = []
    // Each fits the ones before it: so what is held here of its device does not.
    if (outcomes.some(isRefusal)) throw new DriftlogError('FORK', 'a batch does not fit what is held', { space })
    batches += chunk.length
    onProgress?.({ batches, of })
  }
  return restored
}

const keyOf = ({ epochs, installation }: BackupContents): RestoredBackup['key'] => {
  if (installation !== undefined) return writeInstallationKey(installation)
  return epochs === undefined ? 'unencrypted' : writeSpaceKey(epochs.get(1)!)
}

/**
 * Whoever knows the passphrase can write anything into a file: but not in the name of a device, and nothing that a store would
 * not take in (ENV4), which is found out in one of its own.
 */
const checkAll = async (
  reader: BackupReader,
  { space, epochs }: BackupContents,
): Promise<{ readonly membership: Membership; readonly base: RestoredBase | undefined }> => {
  const trial = memoryStore()
  const membership = new Membership(space)
  const certificates = new Map<DeviceId, Uint8Array>()
  const baseItems = new BaseItems()
  let base: RestoredBase | undefined
  const planted = async (): Promise<void> => {
    base = baseItems.restored(epochs, membership)
    if (base === undefined) return
    for (const { device, certificate } of base.floors) certificates.set(device, certificate)
    await trial.plant(space, base.floors)
  }
  let isPlanted = false
  for (const chunk of reader.chunks()) {
    const rest = chunk.filter((item) => !isEntryOf(membership, item))
    const items = rest.filter((item) => !isBaseItem(item))
    for (const item of rest) if (isBaseItem(item)) baseItems.add(item)
    if (items.length > 0 && !isPlanted) {
      isPlanted = true
      await planted()
    }
    const batches = items.map((bytes) => {
      const batch = checked(bytes, certificates)
      const { device, certificate } = batch.header
      if (batch.header.space !== space) throw new DriftlogError('BACKUP_DAMAGED', 'a batch of another space')
      if (certificate !== undefined) certificates.set(device, certificate)
      return batch
    })
    const refused = (await trial.append(space, batches)).find(isRefusal)
    if (refused !== undefined) throw new DriftlogError('BACKUP_DAMAGED', `a batch does not fit: ${refused.kind}`)
  }
  if (!isPlanted) await planted()
  return { membership, base }
}

/** An entry comes next in the log of members, or nothing of the file is taken. */
const isEntryOf = (membership: Membership, item: Uint8Array): boolean => {
  if (!isEntry(item)) return false
  try {
    membership.append(item)
    return true
  } catch (cause) {
    if (!(cause instanceof DriftlogError)) throw cause
    throw new DriftlogError('BACKUP_DAMAGED', `an entry: ${cause.code}`, {}, { cause })
  }
}

const checked = (bytes: Uint8Array, certificates: ReadonlyMap<DeviceId, Uint8Array>): Batch => {
  try {
    const batch = decodeBatch(bytes)
    verifyBatch(batch, certificates.get(batch.header.device))
    return batch
  } catch (cause) {
    if (!(cause instanceof DriftlogError)) throw cause
    throw new DriftlogError('BACKUP_DAMAGED', `a batch: ${cause.code}`, {}, { cause })
  }
}
