/** A report in words. The text is stable: it may be kept as a snapshot. */
import { momentText } from './duration.ts'
import type { Author } from './history.ts'
import type { DecisionReport, FieldReport, RowReport } from './report.ts'

export const textOfReport = (rows: readonly RowReport[]): string =>
  rows.length === 0 ? '(no rows)' : rows.map(textOfRow).join('\n\n')

const textOfRow = (row: RowReport): string => {
  const width = Math.max(0, ...row.fields.map(({ field }) => field.length))
  const lines = row.fields.flatMap((field) => linesOfField(field, width))
  return [`${row.table}/${row.id}: ${lifeOf(row)}`, ...lines, ...row.decisions.map(textOfDecision)].join('\n')
}

const textOfDecision = ({ field, status, rule, candidates, outcome, settledBy, reason }: DecisionReport): string => {
  const what = `${field ?? 'the row'}: ${candidates.map(({ value, device }) => `${textOfValue(value)} by ${device}`).join(' or ')}`
  if (status === 'open') return `  ? ${what} (${rule}, open)`
  return `  ! ${what}: ${settledBy} decided ${textOfValue(outcome)}${reason === undefined || reason === '' ? '' : `, ${textOfValue(reason)}`}`
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
  const { field, value, winner, others, rule, writers, contributions } = report
  const by = rule === undefined || rule === 'last-writer-wins' ? '' : ` (${rule})`
  const from = (): string => {
    if (writers.length > 0) return writers.join(', ')
    if (contributions.length === 0) {
      if (winner !== undefined) return `${textOfAuthor(winner)}${by}`
      return others.length === 0 ? 'never written' : `made of them by ${rule}`
    }
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
  // The ids of a list's items are of no interest to a reader.
  if (Array.isArray(value) && value.length > 0 && value.every(isItem)) {
    return `[${value.map((item) => textOfValue(item.value)).join(', ')}]`
  }
  return JSON.stringify(value) ?? 'undefined'
}

const isItem = (value: unknown): value is { readonly value: unknown } =>
  typeof value === 'object' && value !== null && Object.keys(value).toSorted().join() === 'id,value'
