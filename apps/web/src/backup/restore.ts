/**
 * Takes a backup into the app's store of a space.
 *
 * Invariant: nothing is stored but of that space, under a key that opens what is held of it already.
 */
import { type BackupProgress, type RestoredBackup, restoreBackup } from '@driftlog/client'
import { type BatchStore, DriftlogError } from '@driftlog/core'
import type { OwnKey } from '../keys/kept-key.ts'

export interface RestoreTarget {
  readonly space: string
  readonly store: BatchStore
  /** Whether a key opens what is held; where nothing is, any may. */
  readonly isRight: (key: OwnKey) => Promise<boolean>
}

export interface RestoreRequest {
  readonly file: Blob
  readonly passphrase: string
  readonly onProgress: (progress: BackupProgress) => void
}

/** The key that the space opens with now, or what a person is told. */
export type Restored = { readonly key: OwnKey } | { readonly problem: string }

export type Restore = (request: RestoreRequest) => Promise<Restored>

/** What the backup is of is not what is wanted here. */
class Refused extends Error {}

/** Rejects with what no other file would change: the storage fails, or the file cannot be read. */
export const restoreInto =
  ({ space, store, isRight }: RestoreTarget): Restore =>
  async ({ file, passphrase, onProgress }) => {
    const accept = async (backup: RestoredBackup): Promise<void> => {
      if (backup.space !== space)
        throw new Refused(`This is a backup of the space “${backup.space}”, and “${space}” is open here.`)
      if (backup.key === 'unencrypted')
        throw new Refused('The space of this backup is not encrypted, and this app opens encrypted ones only.')
      if (!(await isRight(backup.key)))
        throw new Refused(
          'The space was begun anew since, with another key. This backup opens nothing of what it holds.',
        )
    }
    try {
      const bytes = new Uint8Array(await file.arrayBuffer())
      const { key } = await restoreBackup(bytes, { store, passphrase, accept, onProgress })
      if (key === 'unencrypted') throw new Error('It was not accepted.')
      return { key }
    } catch (error) {
      return { problem: restoreProblem(error) }
    }
  }

const restoreProblem = (error: unknown): string => {
  if (error instanceof Refused) return `${error.message} Nothing was changed.`
  if (!(error instanceof DriftlogError)) throw error
  switch (error.code) {
    case 'KEY_WRONG':
      return 'That is not the passphrase of this backup. Nothing was changed.'
    case 'BACKUP_DAMAGED':
      return 'This file is no backup, or not as it was written: no passphrase opens it. Take another copy of it. Nothing was changed.'
    case 'FORMAT_UNKNOWN':
      return 'A newer version of this app wrote this backup. Load the app again to update it. Nothing was changed.'
    case 'MEMBERS_FORKED':
      return 'This backup is of another beginning of the space than what is here. Nothing was changed.'
    case 'FORK':
      return 'Something of this backup does not fit what is here already. What fits was taken in, and nothing was lost.'
    default:
      throw error
  }
}
