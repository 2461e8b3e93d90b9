/** Rows as people read them: a table a workload, a line a subject, a column a measure. */
import type { Metric, Row } from './rows.ts'

const TITLES: Readonly<Record<Metric, string>> = {
  per_s: 'per second',
  wall_ms: 'ms wall',
  cpu_ms: 'ms CPU',
  p50_ms: 'ms p50',
  p99_ms: 'ms p99',
  bytes: 'bytes',
  bytes_gzip: 'bytes, gzip',
  lost: 'cells lost',
  reruns: 'queries run again an update',
  rss_mb: 'MB peak memory',
}

const showNumber = (value: number): string =>
  value.toLocaleString('en-US', { maximumFractionDigits: value === 0 || value >= 100 ? 0 : value >= 10 ? 1 : 2 })

/** Workload → how many ops its bytes hold. */
export type OpCounts = ReadonlyMap<string, number>

export interface TableOptions {
  readonly opCounts: OpCounts
  /** The subject that the ratios are to. */
  readonly against: string
}

const UNRATED: readonly Metric[] = ['lost', 'reruns']

/** `median (min–max)`, bytes an op, and how many times the median of the other subject this is. */
const showCell = (row: Row, other: Row | undefined, { opCounts }: TableOptions): string => {
  const { workload, metric, median, min, max, runs } = row
  const range = runs > 1 && min !== max ? ` (${showNumber(min)}–${showNumber(max)})` : ''
  const ops = metric.startsWith('bytes') ? opCounts.get(workload) : undefined
  const share = ops === undefined ? '' : `, ${showNumber(median / ops)} an op`
  const isRated = other !== undefined && other !== row && other.median > 0 && !UNRATED.includes(metric)
  const ratio = isRated ? ` · ${showNumber(median / other.median)} ×` : ''
  return `${showNumber(median)}${range}${share}${ratio}`
}

interface Table {
  readonly workload: string
  /** The first line is the header. */
  readonly lines: readonly (readonly string[])[]
}

const unique = <T>(values: readonly T[]): T[] => [...new Set(values)]

export const tables = (rows: readonly Row[], options: TableOptions): Table[] =>
  unique(rows.map(({ workload }) => workload)).map((workload) => {
    const own = rows.filter((row) => row.workload === workload)
    const metrics = unique(own.map(({ metric }) => metric))
    const find = (subject: string, metric: Metric): Row | undefined =>
      own.find((row) => row.subject === subject && row.metric === metric)
    const lines = unique(own.map(({ subject }) => subject)).map((subject) => [
      subject,
      ...metrics.map((metric) => {
        const row = find(subject, metric)
        return row === undefined ? '' : showCell(row, find(options.against, metric), options)
      }),
    ])
    return { workload, lines: [['subject', ...metrics.map((metric) => TITLES[metric])], ...lines] }
  })

const padded = (lines: readonly (readonly string[])[]): string => {
  const widths = lines[0].map((_, column) => Math.max(...lines.map((line) => line[column].length)))
  const show = (line: readonly string[]): string => line.map((cell, column) => cell.padEnd(widths[column])).join('  ')
  return lines.map((line) => show(line).trimEnd()).join('\n')
}

export const textTables = (rows: readonly Row[], options: TableOptions): string =>
  tables(rows, options)
    .map(({ workload, lines }) => `${workload}\n${padded(lines)}`)
    .join('\n\n')

export const markdownTable = ([header, ...body]: readonly (readonly string[])[]): string =>
  [header, header.map(() => '---'), ...body].map((line) => `| ${line.join(' | ')} |`).join('\n')

export const markdownTables = (
  rows: readonly Row[],
  options: TableOptions,
  caption: (workload: string) => string,
): string =>
  tables(rows, options)
    .map(({ workload, lines }) => `### ${workload}\n\n${caption(workload)}\n\n${markdownTable(lines)}`)
    .join('\n\n')
