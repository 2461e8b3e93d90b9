import { expect, it } from 'vitest'
import type { Metric, Row } from './rows.ts'
import { judge } from './targets.ts'

const row = (workload: string, subject: string, metric: Metric, median: number): Row => ({
  family: 'records',
  workload,
  subject,
  metric,
  median,
  min: median,
  max: median,
  runs: 3,
  note: '',
})

const verdictOf = (says: string, rows: readonly Row[], family: 'records' | 'server' = 'records') =>
  judge(family, rows).find((one) => one.says.startsWith(says))

it('compares a time as how many times less it is, a rate and a size as a share, and both ends of a bound are met', () => {
  const rows = [row('W1-insert', 'driftlog', 'cpu_ms', 300), row('W1-insert', 'yjs', 'cpu_ms', 600)]
  expect(verdictOf('W1: inserts beside', rows)).toMatchObject({ target: 'at least 2 ×', figure: '2 ×', verdict: 'met' })
  const fsync = [row('W1-fsync', 'driftlog', 'per_s', 700), row('W1-fsync', 'fdatasync (driftlog)', 'per_s', 1_000)]
  expect(verdictOf('W1: an fsync', fsync)).toMatchObject({ figure: '0.7 ×', verdict: 'missed' })
  expect(verdictOf('W3: cells', [row('W3', 'driftlog', 'lost', 0)])).toMatchObject({ figure: '0', verdict: 'met' })
})

it('judges nothing that was not measured', () => {
  for (const { verdict, figure } of judge('records', [row('W2', 'yjs', 'per_s', 9)])) {
    expect([verdict, figure]).toEqual(['not measured', ''])
  }
})

it('takes the best peer, and no floor', () => {
  const rows = [
    row('W6', 'driftlog', 'p50_ms', 1),
    row('W6', 'loro', 'p50_ms', 0.8),
    row('W6', 'yjs', 'p50_ms', 2),
    row('W6', 'ws-relay', 'p50_ms', 0.1),
  ]
  expect(verdictOf('W6: p50', rows, 'server')).toMatchObject({ figure: '1.25 ×', verdict: 'met' })
})
