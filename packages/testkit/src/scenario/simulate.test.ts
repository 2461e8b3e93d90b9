import { defineSchema, f, table } from '@driftlog/core'
import { describe, expect, it } from 'vitest'
import { type AppMutation, simulate, SimulationFailed, type SimulateOptions } from './mod.ts'

const schema = defineSchema({
  version: 1,
  tables: {
    lists: table({ name: f.string(), owner: f.string() }),
    tasks: table({ title: f.string(), list: f.ref('lists'), done: f.boolean().default(false), votes: f.counter() }),
  },
})

const options: SimulateOptions<typeof schema> = {
  schema,
  devices: 5,
  seed: 1,
  mutations: {
    addList: (tx, random) => tx.lists.insert({ name: random.words(), owner: 'ana' }),
    addTask: {
      weight: 3,
      run: (tx, random, rows) => {
        const list = random.pick(rows('lists'))
        if (list) tx.tasks.insert({ title: random.words(), list: list.id })
      },
    },
    rename: (tx, random, rows) => {
      const task = random.pick(rows('tasks'))
      if (task) tx.tasks.update(task.id, { title: random.words() })
    },
    vote: (tx, random, rows) => {
      const task = random.pick(rows('tasks'))
      if (task) tx.tasks.update(task.id, { votes: f.increment(random.integer(1, 3)) })
    },
    remove: (tx, random, rows) => {
      const task = random.pick(rows('tasks'))
      if (task) tx.tasks.delete(task.id)
    },
  },
  invariants: {
    'no list without an owner': ({ lists }) => lists.every(({ owner }) => owner !== ''),
  },
}

describe('simulate', () => {
  it('lets an app work at random under faults, and everyone agrees in the end', async () => {
    const result = await simulate({ ...options, seed: 1 })
    expect(result).toMatchObject({ ok: true, message: '', violations: [] })
    expect(Object.keys(result.mutations).toSorted()).toEqual(['addList', 'addTask', 'remove', 'rename', 'vote'])
    expect(Object.values(result.faults).reduce((sum, count) => sum + count, 0)).toBeGreaterThan(20)
    const { rows } = result.report
    expect(rows.filter(({ table, isLive }) => table === 'tasks' && isLive)).toHaveLength(result.rows('tasks').length)
    expect(result.digest).toMatch(/^[0-9a-f]{128}$/)
  })

  it('is the same for the same seed, and another one for another', async () => {
    const [first, again, other] = [
      await simulate({ ...options, seed: 7 }),
      await simulate({ ...options, seed: 7 }),
      await simulate({ ...options, seed: 8 }),
    ]
    expect(again.traceHash).toBe(first.traceHash)
    expect(again.report.text).toBe(first.report.text)
    expect(again.story).toEqual(first.story)
    expect(other.traceHash).not.toBe(first.traceHash)
  })

  it('finds what an app promises and concurrent work breaks, and says how to see it again', async () => {
    // Each device looks whether a ticket is left: as far as it knows.
    const sell: AppMutation<typeof schema> = (tx, _random, rows) => {
      if (rows('tasks')[0].votes > 0) tx.tasks.update('tickets', { votes: f.increment(-1) })
    }
    const simulation = simulate({
      schema,
      devices: ['ana', 'ben', 'cleo'],
      seed: 3,
      setup: (tx) => tx.tasks.insert({ id: 'tickets', title: 'Tickets', list: 'none', votes: 100 }),
      faults: { offline: 1 },
      mutations: { sell },
      invariants: {
        'no ticket is sold twice': ({ tasks }) => tasks[0].votes >= 0 || `${-tasks[0].votes} too many`,
      },
    })
    const error = await simulation.catch((failure: unknown) => failure)
    if (!(error instanceof SimulationFailed)) throw new Error('it did not fail')
    expect(error.simulation).toMatchObject({
      ok: false,
      seed: 3,
      violations: [{ invariant: 'no ticket is sold twice', device: undefined }],
    })
    expect(error.message).toContain('the simulation with seed 3 failed:\n  no ticket is sold twice: ')
    expect(error.message).toContain('To see it again: simulate({ …the same, seed: 3, onLine: console.log })')
  })

  it('passes on what a mutation throws', async () => {
    const result = await simulate({
      ...options,
      steps: 5,
      faults: 0,
      throws: false,
      mutations: {
        wrong: (tx) => tx.tasks.delete('nothing'),
      },
    })
    expect(result.ok).toBe(false)
    expect(result.violations[0]).toMatchObject({ invariant: 'the mutation wrong does not throw' })
    expect(result.violations[0].message).toContain('ROW_NOT_FOUND')
    expect(result.faults).toEqual({})
  })

  it('starts from what the app sets up, and counts every vote once', async () => {
    const result = await simulate({
      ...options,
      seed: 3,
      setup: (tx) => tx.lists.insert({ id: 'list', name: 'Groceries', owner: 'ana' }),
      faults: { crash: 1, loseAck: 3, offline: 1, frame: 2, serverCrash: 1 },
    })
    expect(result.rows('lists').map(({ id }) => id)).toContain('list')
    for (const { fields } of result.report.rows.filter(({ table }) => table === 'tasks')) {
      const votes = fields.find(({ field }) => field === 'votes')
      expect(votes?.contributions.reduce((sum, { sum: more }) => sum + more, 0)).toBe(votes?.value)
    }
  })

  it('may run several at once, with the same outcome', async () => {
    const seeds = [11, 12]
    const together = await Promise.all(seeds.map((seed) => simulate({ ...options, steps: 40, seed })))
    for (const [index, seed] of seeds.entries()) {
      expect((await simulate({ ...options, steps: 40, seed })).traceHash).toBe(together[index].traceHash)
    }
  })

  it('gets over clones, restored backups, clocks that are years off and a server that is set back', async () => {
    const faults = { clone: 1, restore: 1, farClock: 1, serverRollback: 1, offline: 1 }
    const result = await simulate({ ...options, seed: 2, faults })
    expect(Object.keys(result.faults).toSorted()).toEqual(Object.keys(faults).toSorted())
    expect(result.story.some((line) => line.includes("'s clone vote"))).toBe(true)
  })
})
