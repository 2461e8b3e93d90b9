/** Faults 11: what is refused is refused by a code of the catalogue, where it may be; nothing else is ever thrown. */
import type { ErrorCode } from '@driftlog/core'
import type { CheckerFactory } from './checker.ts'

const allowed: Readonly<Record<string, readonly ErrorCode[]>> = {
  mutate: ['READ_ONLY', 'CLOSED'],
  opening: ['STORAGE_FAILED', 'STORAGE_FULL', 'STORAGE_DAMAGED'],
  close: ['STORAGE_FAILED', 'STORAGE_FULL'],
  export: ['STORAGE_FAILED', 'STORAGE_FULL', 'CLOSED'],
  import: ['STORAGE_FAILED', 'STORAGE_FULL', 'CLOSED'],
}

export const refusals: CheckerFactory = (report) => ({
  name: 'refusals',
  onEvent(event) {
    if (event.kind !== 'failed') return
    const { where, code, message } = event
    if (code !== undefined && allowed[where.split(' ')[0]]?.includes(code)) return
    report(code === undefined ? `${where}: ${message}` : `${where}: ${code}, ${message}`)
  },
})
