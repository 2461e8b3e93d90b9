import type { Status } from '@driftlog/client'
import { momentInWords } from '../data/days.ts'

export const summaryWords = {
  offline: 'Offline',
  syncing: 'Syncing',
  conflict: 'To decide',
  'up-to-date': 'Up to date',
  error: 'Problem',
} as const satisfies Record<Status['summary'], string>

/** What is on its way, most urgent first; where nothing is, when this device and the server last agreed. */
export const statusNumbers = (status: Status, wantsOnline: boolean, now: Date): string => {
  const numbers = [
    wantsOnline && status.summary === 'offline' && 'No answer from the server',
    status.unsaved > 0 && `${status.unsaved} not saved yet`,
    status.pending > 0 && `${status.pending} to send`,
    status.waiting > 0 && `${status.waiting} waiting for earlier changes`,
    status.newerSchema !== undefined && 'Another device has a newer version of this app',
    status.locked > 0 && `${status.locked} need a key`,
    status.parked > 0 && `${status.parked} need a newer app`,
  ].filter((number) => number !== false)
  if (numbers.length > 0 || status.conflicts > 0) return numbers.join(' · ')
  return status.lastSyncedAt === undefined
    ? 'Everything is on this device'
    : `All sent · in step ${momentInWords(status.lastSyncedAt, now)}`
}

/** Where a person is asked. */
export const conflictWords = (open: number): string =>
  `${open} ${open === 1 ? 'field has' : 'fields have'} two versions`
