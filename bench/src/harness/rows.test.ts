import { expect, it } from 'vitest'
import { makeTasks, makeUpdates } from '../data/tasks.ts'
import { checkRows, lostCells } from '../workloads/check.ts'
import { withSection } from './page.ts'
import { summarize } from './rows.ts'

it('sums up the runs of a cell, a row a metric, and keeps a floor apart from the subject', () => {
  const cell = { family: 'records', workload: 'W', subject: 'a', note: 'in memory' } as const
  const runs = [9, 1, 4].map((value) => [
    { metric: 'per_s', value } as const,
    { metric: 'per_s', value: value * 10, floor: 'disk' } as const,
  ])
  expect(summarize(cell, runs)).toEqual([
    { ...cell, metric: 'per_s', median: 4, min: 1, max: 9, runs: 3 },
    {
      ...cell,
      subject: 'disk (a)',
      metric: 'per_s',
      median: 40,
      min: 10,
      max: 90,
      runs: 3,
      note: 'measured interleaved with a',
    },
  ])
})

it('makes the same data from the same seed, and updates that change something', () => {
  const tasks = makeTasks(20, 1)
  expect(makeTasks(20, 1)).toEqual(tasks)
  expect(makeTasks(20, 2)).not.toEqual(tasks)
  const now = new Map(tasks.map((task) => [task.id, { ...task }]))
  for (const { id, change } of makeUpdates(tasks, 500, 1)) {
    const task = now.get(id)!
    expect(task).not.toMatchObject(change)
    Object.assign(task, change)
  }
})

const TWO = makeTasks(2, 1)

it('counts as lost the cells in which replicas differ, and all cells of a row that is missing', () => {
  const [a, b] = TWO
  expect(
    lostCells(
      TWO,
      [],
      [
        [a, b],
        [b, a],
      ],
    ),
  ).toBe(0)
  const edited = { ...b, done: !b.done, title: 'other' }
  expect(
    lostCells(
      TWO,
      [
        [
          { id: b.id, change: { done: edited.done } },
          { id: b.id, change: { title: 'other' } },
        ],
      ],
      [
        [a, b],
        [a, edited],
      ],
    ),
  ).toBe(2)
  expect(lostCells(TWO, [], [[a, b], [a]])).toBe(5)
})

it('counts as lost a cell that holds what nobody wrote last', () => {
  const [a, b] = TWO
  const updates = [
    [
      { id: a.id, change: { title: 'one' } },
      { id: a.id, change: { title: 'two' } },
    ],
    [{ id: a.id, change: { title: 'three' } }],
  ]
  const both = (title: string) => [
    [{ ...a, title }, b],
    [{ ...a, title }, b],
  ]
  expect(lostCells(TWO, updates, both('two'))).toBe(0)
  expect(lostCells(TWO, updates, both('three'))).toBe(0)
  expect(lostCells(TWO, updates, both('one'))).toBe(1)
  expect(lostCells(TWO, updates, both(a.title))).toBe(1)
})

it('refuses rows that are not those of the history', () => {
  const [a, b] = TWO
  expect(() => checkRows([b, a], TWO)).not.toThrow()
  expect(() => checkRows([a, { ...b, priority: 9 }], TWO)).toThrow('1 of 2 rows')
})

it('replaces one section of the page and leaves the rest', () => {
  const page = '# A\n\n<!-- generated: records -->\n\nold\n\n<!-- end: records -->\n\n## B\n'
  const next = withSection(page, 'records', 'new')
  expect(next).toBe(page.replace('old', 'new'))
  expect(() => withSection(page, 'server', 'new')).toThrow('no section')
})
