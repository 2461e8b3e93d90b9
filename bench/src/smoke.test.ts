/** One workload at 1/100 of its size, in processes of its own as in a real run. No figure is judged. */
import { expect, it } from 'vitest'
import { METRICS } from './harness/rows.ts'
import { runCells } from './harness/run-cells.ts'
import { workloads } from './workloads/catalogue.ts'

const SCALE = 0.01

it('a run makes well-formed rows', async () => {
  const chosen = workloads.filter(({ name }) => name === 'W1-update')
  const { rows, failures } = await runCells({
    workloads: chosen,
    subjects: ['driftlog'],
    runs: 2,
    scale: SCALE,
    // The cells are plain Node, which resolves the packages by itself.
    nodeFlags: ['--conditions=driftlog-source'],
    progress: () => {},
  })
  expect(failures).toEqual([])
  expect(rows.map(({ metric }) => metric)).toEqual(['per_s', 'wall_ms', 'cpu_ms', 'bytes', 'bytes_gzip', 'rss_mb'])
  for (const row of rows) {
    expect(row).toMatchObject({ family: 'records', workload: 'W1-update', subject: 'driftlog', runs: 2 })
    expect(METRICS).toContain(row.metric)
    expect(row.note).not.toBe('')
    expect(row.min).toBeGreaterThan(0)
    expect(row.min).toBeLessThanOrEqual(row.median)
    expect(row.median).toBeLessThanOrEqual(row.max)
  }
}, 60_000)
