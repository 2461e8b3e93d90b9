/** Small shares of the workloads, in processes of their own as in a real run. No figure is judged. */
import { expect, it } from 'vitest'
import { METRICS } from './harness/rows.ts'
import { runCells } from './harness/run-cells.ts'
import { subjects } from './subjects/catalogue.ts'
import { workloads } from './workloads/catalogue.ts'

const SCALE = 0.01
const TINY = 0.004
/**
 * Peers that lose cells: the count is the finding, and no failure of the harness. Two settle a row as a whole, so edits of different
 * fields of it are lost; cojson, which orders writes by the millisecond, was seen to lose one.
 */
const LOSE_CELLS = ['rxdb', 'pouchdb', 'cojson']
// The cells are plain Node, which resolves the packages by itself.
const nodeFlags = ['--conditions=driftlog-source']

it('a run makes well-formed rows', async () => {
  const chosen = workloads.filter(({ name }) => name === 'W1-update')
  const { rows, failures } = await runCells({
    workloads: chosen,
    subjects: ['driftlog'],
    runs: 2,
    scale: SCALE,
    nodeFlags,
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

it.each(Object.keys(subjects))(
  '%s does a small share of one workload',
  async (subject) => {
    const { lacks } = subjects[subject].facts
    const workload = ['W3', 'W1-update', 'W6'].find((name) => {
      const { needs } = workloads.find((one) => one.name === name)!
      return lacks[needs] === undefined
    })
    const chosen = workloads.filter(({ name }) => name === workload)
    const plan = { workloads: chosen, subjects: [subject], runs: 1, scale: TINY, nodeFlags, progress: () => {} }
    const { rows, failures } = await runCells(plan)
    expect(failures).toEqual([])
    expect(rows.map(({ metric }) => metric)).toContain('rss_mb')
    const lost = rows.find(({ metric }) => metric === 'lost')?.median ?? 0
    if (!LOSE_CELLS.includes(subject)) expect(lost).toBe(0)
  },
  60_000,
)

it('leaves out with a reason what a subject lacks, and nothing else', async () => {
  for (const { facts, load } of Object.values(subjects)) {
    const able = Object.keys(await load())
    const all = [...new Set(workloads.map(({ needs }) => needs))]
    expect([...able, ...Object.keys(facts.lacks)].toSorted()).toEqual(all.toSorted())
  }
}, 60_000)
