/**
 * What Driftlog set out to reach, judged from the rows of one run and nothing else. A ratio is always between figures of
 * that run; a target whose rows are missing is not judged.
 */
import type { Family, Metric, Row } from './rows.ts'
import { floorBeside } from './rows.ts'

const OWN = 'driftlog'
/** Subjects that stand for the machine and not for a peer. */
const FLOORS = ['sqljs', 'sqljs-guarded', 'ws-relay']

interface Cell {
  readonly workload: string
  readonly metric: Metric
  readonly subject?: string
}

export interface Target {
  readonly family: Family
  readonly says: string
  readonly wants: { readonly atLeast: number } | { readonly atMost: number }
  /** How the bound and the figure read: `×` of something, or an amount of its own. */
  readonly unit: string
  readonly figure: (find: Find) => number | undefined
}

type Find = (cell: Cell) => number | undefined

export interface Verdict {
  readonly says: string
  readonly target: string
  readonly figure: string
  readonly verdict: 'met' | 'missed' | 'not measured'
}

const ratio = (over: number | undefined, under: number | undefined): number | undefined =>
  over === undefined || under === undefined || under === 0 ? undefined : over / under

/** How many times faster than a peer: the peer's time over ours. */
const faster =
  (workload: string, metric: Metric, subject: string): Target['figure'] =>
  (find) =>
    ratio(find({ workload, metric, subject }), find({ workload, metric }))

/** Our figure over that of a peer. */
const share =
  (workload: string, metric: Metric, subject: string): Target['figure'] =>
  (find) =>
    ratio(find({ workload, metric }), find({ workload, metric, subject }))

const amount =
  (workload: string, metric: Metric): Target['figure'] =>
  (find) =>
    find({ workload, metric })

const shareOfBest =
  (workload: string, metric: Metric, peers: readonly string[]): Target['figure'] =>
  (find) => {
    const others = peers.flatMap((subject) => find({ workload, metric, subject }) ?? [])
    return others.length === 0 ? undefined : ratio(find({ workload, metric }), Math.min(...others))
  }

const targetsOf = (peers: readonly string[]): readonly Target[] => [
  {
    family: 'records',
    says: 'W1: inserts beside Yjs, CPU',
    wants: { atLeast: 2 },
    unit: '×',
    figure: faster('W1-insert', 'cpu_ms', 'yjs'),
  },
  {
    family: 'records',
    says: 'W1: updates beside Yjs, CPU',
    wants: { atLeast: 2.5 },
    unit: '×',
    figure: faster('W1-update', 'cpu_ms', 'yjs'),
  },
  {
    family: 'records',
    says: 'W1: inserts with a read after each, CPU beside Yjs',
    wants: { atLeast: 1.2 },
    unit: '×',
    figure: faster('W1-insert-read', 'cpu_ms', 'yjs'),
  },
  {
    family: 'records',
    says: 'W1: updates with a read after each, CPU beside Yjs',
    wants: { atLeast: 1 },
    unit: '×',
    figure: faster('W1-update-read', 'cpu_ms', 'yjs'),
  },
  {
    family: 'records',
    says: 'W1: durable, group commit',
    wants: { atLeast: 15_000 },
    unit: 'ops/s',
    figure: amount('W1-durable', 'per_s'),
  },
  {
    family: 'records',
    says: 'W1: an fsync an op beside the raw fsync rate, interleaved',
    wants: { atLeast: 0.8 },
    unit: '×',
    figure: share('W1-fsync', 'per_s', floorBeside('fdatasync', OWN)),
  },
  {
    family: 'records',
    says: 'W2: rows a second beside Yjs',
    wants: { atLeast: 2 },
    unit: '×',
    figure: share('W2', 'per_s', 'yjs'),
  },
  {
    family: 'records',
    says: 'W2: rows a second beside raw sql.js',
    wants: { atLeast: 0.5 },
    unit: '×',
    figure: share('W2', 'per_s', 'sqljs'),
  },
  {
    family: 'records',
    says: 'W2: rows a second beside RxDB',
    wants: { atLeast: 1 },
    unit: '×',
    figure: share('W2', 'per_s', 'rxdb'),
  },
  {
    family: 'records',
    says: 'W2: peak memory for 100,000 rows and their history beside Yjs',
    wants: { atMost: 0.6 },
    unit: '×',
    figure: share('W2', 'rss_mb', 'yjs'),
  },
  {
    family: 'records',
    says: 'W3: time beside Yjs',
    wants: { atMost: 0.4 },
    unit: '×',
    figure: share('W3', 'wall_ms', 'yjs'),
  },
  {
    family: 'records',
    says: 'W3: compressed bytes beside Yjs, batches of 1,000 ops',
    wants: { atMost: 1.1 },
    unit: '×',
    figure: share('W3', 'bytes_gzip', 'yjs'),
  },
  {
    family: 'records',
    says: 'W3: compressed bytes beside Yjs, one batch a replica (no batch holds more than 1,000 ops: the same figure)',
    wants: { atMost: 0.9 },
    unit: '×',
    figure: share('W3', 'bytes_gzip', 'yjs'),
  },
  { family: 'records', says: 'W3: cells lost', wants: { atMost: 0 }, unit: '', figure: amount('W3', 'lost') },
  {
    family: 'records',
    says: 'W4: cold start beside Loro',
    wants: { atMost: 0.35 },
    unit: '×',
    figure: share('W4', 'wall_ms', 'loro'),
  },
  {
    family: 'records',
    says: 'W4: bytes on disk, encrypted, with the full history',
    wants: { atMost: 2_500_000 },
    unit: 'bytes',
    figure: amount('W4', 'bytes'),
  },
  {
    family: 'records',
    says: 'W3: CPU beside the same without encryption and signatures',
    wants: { atMost: 1.3 },
    unit: '×',
    figure: share('W3', 'cpu_ms', 'driftlog-plain'),
  },
  {
    family: 'records',
    says: 'W5: catch-up beside Loro, in a warm process',
    wants: { atMost: 0.35 },
    unit: '×',
    figure: share('W5-warm', 'wall_ms', 'loro'),
  },
  {
    family: 'records',
    says: 'W5: catch-up beside Loro, in a fresh process',
    wants: { atMost: 0.6 },
    unit: '×',
    figure: share('W5', 'wall_ms', 'loro'),
  },
  {
    family: 'records',
    says: 'W5: compressed bytes beside Loro',
    wants: { atMost: 1 },
    unit: '×',
    figure: share('W5', 'bytes_gzip', 'loro'),
  },
  {
    family: 'server',
    says: 'W6: p50 beside the best peer',
    wants: { atMost: 1.5 },
    unit: '×',
    figure: shareOfBest('W6', 'p50_ms', peers),
  },
  {
    family: 'server',
    says: 'W6: p99 beside the best peer',
    wants: { atMost: 1.4 },
    unit: '×',
    figure: shareOfBest('W6', 'p99_ms', peers),
  },
  {
    family: 'server',
    says: 'W6: ingest with fan-out beside Yjs',
    wants: { atLeast: 2 },
    unit: '×',
    figure: share('W6-ingest', 'per_s', 'yjs'),
  },
  {
    family: 'server',
    says: 'W6: the server alone, batches of 10',
    wants: { atLeast: 20_000 },
    unit: 'ops/s',
    figure: amount('W6-alone-10', 'per_s'),
  },
  {
    family: 'server',
    says: 'W6: the server alone, large batches, beside appends to its store',
    wants: { atLeast: 0.5 },
    unit: '×',
    figure: share('W6-alone-1000', 'per_s', floorBeside('store', OWN)),
  },
  {
    family: 'growth',
    says: '50 live queries: how many run again for an update that touches one',
    wants: { atMost: 1 },
    unit: '',
    figure: amount('G-queries-50', 'reruns'),
  },
]

const show = (value: number, unit: string): string => {
  const digits = value >= 100 ? 0 : 2
  return `${value.toLocaleString('en-US', { maximumFractionDigits: digits })}${unit === '' ? '' : ` ${unit}`}`
}

/** Of one family. */
export const judge = (family: Family, rows: readonly Row[]): Verdict[] => {
  const find: Find = ({ workload, metric, subject = OWN }) =>
    rows.find((row) => row.workload === workload && row.metric === metric && row.subject === subject)?.median
  const peers = [...new Set(rows.map(({ subject }) => subject))].filter(
    (name) => name !== OWN && !FLOORS.includes(name),
  )
  return targetsOf(peers)
    .filter((target) => target.family === family)
    .map(({ says, wants, unit, figure: measure }) => {
      const figure = measure(find)
      const isLeast = 'atLeast' in wants
      const bound = isLeast ? wants.atLeast : wants.atMost
      const isMet = figure !== undefined && (isLeast ? figure >= bound : figure <= bound)
      return {
        says,
        target: `${isLeast ? 'at least' : 'at most'} ${show(bound, unit)}`,
        figure: figure === undefined ? '' : show(figure, unit),
        verdict: figure === undefined ? 'not measured' : isMet ? 'met' : 'missed',
      }
    })
}
