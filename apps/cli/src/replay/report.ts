/** What a replay tells: a table for people, one object for programs. */
import { formatBytes, formatCount, formatDuration, plural } from '../output.ts'
import type { History } from './history.ts'
import type { ReplayResult } from './run.ts'

export interface Report {
  readonly agrees: boolean
  /** Hex; null where the devices differ. */
  readonly digest: string | null
  readonly differences: readonly string[]
  readonly commits: number
  readonly authors: number
  readonly merges: number
  readonly fileChanges: number
  readonly paths: number
  readonly devices: number
  readonly mutations: number
  readonly ops: number
  readonly syncSessions: number
  readonly conflicts: number
  /** Paths whose last writers are concurrent. */
  readonly contestedPaths: number
  readonly threads: number
  readonly bytes: { readonly sent: number; readonly received: number; readonly stored: number | null }
  readonly ms: { readonly replay: number; readonly check: number }
  readonly database: string | null
}

export const reportOf = ({ commits }: History, result: ReplayResult): Report => {
  const { plan, verdict, expectation, ops, threads, bytes, ms, kept } = result
  const files = [...expectation.files.values()]
  return {
    agrees: verdict.agrees,
    digest: verdict.digest ?? null,
    differences: verdict.differences,
    commits: commits.length,
    authors: new Set(commits.map(({ author }) => author)).size,
    merges: commits.filter(({ parents }) => parents.length > 1).length,
    fileChanges: commits.reduce((sum, commit) => sum + commit.files.length, 0),
    paths: files.length,
    devices: plan.devices.length,
    mutations: plan.mutations,
    ops,
    syncSessions: plan.sessions.length,
    conflicts: expectation.conflicts,
    contestedPaths: files.filter(({ lastWriters }) => lastWriters.length > 1).length,
    threads,
    bytes: { sent: bytes.sent, received: bytes.received, stored: bytes.stored ?? null },
    ms: { replay: Math.round(ms.replay), check: Math.round(ms.check) },
    database: kept ?? null,
  }
}

export const tableOf = (report: Report): (readonly [string, string])[] => {
  const { bytes, ms } = report
  const stored = bytes.stored === null ? '' : `, ${formatBytes(bytes.stored)} stored`
  return [
    [
      'history',
      [
        plural(report.commits, 'commit'),
        plural(report.authors, 'author'),
        plural(report.merges, 'merge'),
        `${plural(report.fileChanges, 'change')} of ${plural(report.paths, 'path')}`,
      ].join(', '),
    ],
    ['devices', `${formatCount(report.devices)}, ${plural(report.syncSessions, 'offline session')}`],
    ['ops', formatCount(report.ops)],
    ['conflicts', `${plural(report.contestedPaths, 'path')} with concurrent last writers, all values kept`],
    ['bytes', `${formatBytes(bytes.sent)} sent, ${formatBytes(bytes.received)} received${stored}`],
    [
      'time',
      `${formatDuration(ms.replay)} on ${plural(report.threads, 'thread')}, ${formatDuration(ms.check)} to check`,
    ],
    ['digest', report.digest ?? 'the devices differ'],
    ...(report.database === null ? [] : [['database', report.database] as const]),
    [
      'oracle',
      report.agrees
        ? 'agrees: totals, last writers and concurrent values of every path, one digest on every device'
        : 'disagrees',
    ],
    ...report.differences.map((difference) => ['', difference] as const),
  ]
}
