/** What is measured, and how the values of several runs become one row of the report. */
export const FAMILIES = ['records', 'server', 'growth'] as const
export type Family = (typeof FAMILIES)[number]

export const METRICS = [
  'per_s',
  'wall_ms',
  'cpu_ms',
  'p50_ms',
  'p99_ms',
  'bytes',
  'bytes_gzip',
  'lost',
  'reruns',
  'rss_mb',
] as const
export type Metric = (typeof METRICS)[number]

/** One value of one run. */
export interface Sample {
  readonly metric: Metric
  readonly value: number
  /** Where the value is not the subject's own: what the machine does without it, measured interleaved. */
  readonly floor?: string
}

export interface Row {
  readonly family: Family
  readonly workload: string
  readonly subject: string
  readonly metric: Metric
  readonly median: number
  readonly min: number
  readonly max: number
  readonly runs: number
  readonly note: string
}

/** A floor is only comparable with what it was interleaved with. */
export const floorBeside = (floor: string, subject: string): string => `${floor} (${subject})`

const median = (sorted: readonly number[]): number => {
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/** `runs`: the samples of each run of one cell. One row a metric, in the order of the first run. */
export const summarize = (
  cell: Pick<Row, 'family' | 'workload' | 'subject' | 'note'>,
  runs: readonly (readonly Sample[])[],
): Row[] => {
  const values = new Map<string, { sample: Sample; values: number[] }>()
  for (const sample of runs.flat()) {
    const key = `${sample.floor ?? ''} ${sample.metric}`
    const entry = values.get(key)
    if (entry === undefined) values.set(key, { sample, values: [sample.value] })
    else entry.values.push(sample.value)
  }
  return [...values.values()].map(({ sample, values: found }) => {
    const sorted = found.toSorted((a, b) => a - b)
    return {
      family: cell.family,
      workload: cell.workload,
      subject: sample.floor === undefined ? cell.subject : floorBeside(sample.floor, cell.subject),
      metric: sample.metric,
      median: median(sorted),
      min: sorted[0],
      max: sorted[sorted.length - 1],
      runs: sorted.length,
      note: sample.floor === undefined ? cell.note : `measured interleaved with ${cell.subject}`,
    }
  })
}
