/** Hands a file to the person, as a download. */
import { localDay } from '../data/days.ts'

const types = {
  driftlog: 'application/octet-stream',
  json: 'application/json',
  sqlite: 'application/vnd.sqlite3',
} as const

export type Ending = keyof typeof types

/** `<space>-<day>.<ending>`, with what a file name may not have anywhere left out of the space. */
export const fileName = (space: string, ending: Ending, now: Date): string =>
  `${space.replaceAll(/[^\p{L}\p{N}._-]+/gu, '_').replace(/^\.+/, '')}-${localDay(now)}.${ending}`

/** How long the browser may take to begin: some ask the person where to put the file. */
const FETCHED_MS = 60_000

export const download = (bytes: Uint8Array<ArrayBuffer>, name: string, ending: Ending): void => {
  const address = URL.createObjectURL(new Blob([bytes], { type: types[ending] }))
  const link = document.createElement('a')
  link.href = address
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(address), FETCHED_MS)
}
