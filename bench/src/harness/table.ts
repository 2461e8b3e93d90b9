/** Rows as people read them. */
import type { Metric, Row } from './rows.ts'

const UNITS: Readonly<Record<Metric, string>> = {
  per_s: 'per second',
  wall_ms: 'ms wall',
  cpu_ms: 'ms CPU',
  p50_ms: 'ms p50',
  p99_ms: 'ms p99',
  bytes: 'bytes',
  bytes_gzip: 'bytes, gzip',
  lost: 'cells lost',
  rss_mb: 'MB peak memory',
}

const showNumber = (value: number): string =>
  value.toLocaleString('en-US', { maximumFractionDigits: value === 0 || value >= 100 ? 0 : value >= 10 ? 1 : 2 })

const HEADER = ['workload', 'subject', 'measure', 'median', 'min', 'max', 'runs', 'an op']

/** Workload → how many ops its bytes hold. */
export type OpCounts = ReadonlyMap<string, number>

const shareOfAnOp = ({ workload, metric, median }: Row, counts: OpCounts): string => {
  const ops = metric.startsWith('bytes') ? counts.get(workload) : undefined
  return ops === undefined ? '' : showNumber(median / ops)
}

const tableCells = (rows: readonly Row[], counts: OpCounts): string[][] => [
  HEADER,
  ...rows.map((row) => [
    row.workload,
    row.subject,
    UNITS[row.metric],
    ...[row.median, row.min, row.max].map(showNumber),
    String(row.runs),
    shareOfAnOp(row, counts),
  ]),
]

const FIRST_NUMBER = 3

export const textTable = (rows: readonly Row[], counts: OpCounts): string => {
  const cells = tableCells(rows, counts)
  const widths = HEADER.map((_, column) => Math.max(...cells.map((line) => line[column].length)))
  return cells
    .map((line) =>
      line
        .map((cell, column) => (column < FIRST_NUMBER ? cell.padEnd(widths[column]) : cell.padStart(widths[column])))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

export const markdownTable = (rows: readonly Row[], counts: OpCounts): string => {
  const [header, ...body] = tableCells(rows, counts)
  const rule = header.map((_, column) => (column < FIRST_NUMBER ? '---' : '---:'))
  return [header, rule, ...body].map((line) => `| ${line.join(' | ')} |`).join('\n')
}
