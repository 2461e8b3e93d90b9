/** A report in words. The text is stable: it may be kept as a snapshot. */
import { momentText } from './duration.ts'
import type { Author } from './history.ts'
import type { FieldReport, RowReport } from './report.ts'

export const textOfReport = (rows: readonly RowReport[]): string =>
  rows.length === 0 ? '(no rows)' : rows.map(textOfRow).join('\n\n')

const textOfRow = (row: RowReport): string => {
  const width = Math.max(0, ...row.fields.map(({ field }) => field.length))
  const lines = row.fields.flatMap((field) => linesOfField(field, width))
  return [`${row.table}/${row.id}: ${lifeOf(row)}`, ...lines].join('\n')
}

const lifeOf = ({ isLive, deletions, survivors, onDelete }: RowReport): string => {
  const deleted = `deleted by ${deletions.map(textOfAuthor).join(' and ')}`
  const changed = survivors.map(({ by, fields }) => {
    const what = fields.length === 0 ? 'wrote it' : `wrote ${fields.join(', ')}`
    return `${by.device} ${what}, ${timeOf(by)}`
  })
  if (deletions.length === 0) return 'lives'
  if (survivors.length === 0) return deleted
  const against = `${deleted}, against: ${changed.join('; ')}`
  return `${isLive ? 'lives' : 'dead'} (${onDelete}): ${against}`
}

const linesOfField = (report: FieldReport, width: number): string[] => {
  const { field, value, winner, others, contributions } = report
  const from = (): string => {
    if (contributions.length === 0) return winner === undefined ? 'never written' : textOfAuthor(winner)
    return contributions.map(({ device, sum }) => `${device} ${sum < 0 ? '' : '+'}${sum}`).join(', ')
  }
  const line = (name: string, shown: unknown, words: string): string =>
    `  ${name.padEnd(width)}  ${textOfValue(shown)}  <- ${words}`
  return [
    line(field, value, from()),
    ...others.map((other) => line('', other.value, `${textOfAuthor(other.by)} (concurrent, not shown)`)),
  ]
}

const textOfAuthor = (author: Author): string => `${author.device}, ${timeOf(author)}`

/** Clocks are read in whole milliseconds, and a stamp may be pushed above one that it saw. */
const IS_OFF_MS = 1_000

const timeOf = ({ at, clock }: Author): string => {
  const isOff = Math.abs(clock.getTime() - at.getTime()) >= IS_OFF_MS
  return isOff ? `${momentText(at)} (stamped ${momentText(clock)})` : momentText(at)
}

export const textOfValue = (value: unknown): string => {
  if (typeof value === 'string')
    return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'").replaceAll('\n', '\\n')}'`
  if (typeof value === 'bigint') return `${value}n`
  if (value instanceof Date) return value.toISOString()
  return JSON.stringify(value) ?? 'undefined'
}
