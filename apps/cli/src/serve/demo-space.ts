/**
 * What a newcomer finds in the demo: a few lists and tasks, written by a real replica in this process. Tables and fields
 * are those of the web app (apps/web/src/data/schema.ts), which this app must not import: keep them equal.
 */
import { type BatchStore, defineSchema, f, memoryStore, systemPorts, table } from '@driftlog/core'
import { http, openReplica } from '@driftlog/client'

export const DEMO_SPACE = 'demo'

const schema = defineSchema({
  version: 2,
  tables: {
    lists: table({ name: f.string() }),
    people: table({ name: f.string() }),
    tasks: table({
      title: f.string().manual(),
      done: f.boolean().default(false),
      state: f.enum('open', 'doing', 'waiting').default('open'),
      due: f.date().optional(),
      priority: f
        .integer()
        .default(0)
        .priority(({ value }) => value),
      list: f.ref('lists', { onDelete: 'keep' }).optional(),
      who: f.string().default('').manual(),
      tags: f.set(f.string()),
      steps: f.list(f.string()),
      stepsDone: f.set(f.string()),
      notes: f.string().default('').manual(),
    }),
  },
})

interface DemoTask {
  readonly title: string
  readonly done?: boolean
  readonly state?: 'open' | 'doing' | 'waiting'
  /** Days from today. */
  readonly due?: number
  /** 1 low, 2 medium, 3 high. */
  readonly priority?: number
  readonly tags?: readonly string[]
  readonly steps?: readonly string[]
  readonly notes?: string
}

const lists: Readonly<Record<string, readonly DemoTask[]>> = {
  Home: [
    { title: 'Water the plants', due: 0, notes: 'The fern takes more than the others.' },
    { title: 'Buy milk and bread', due: 0, priority: 1, tags: ['shop'] },
    { title: 'Fix the bicycle light', state: 'waiting', notes: 'The new bulb comes on Friday.' },
    { title: 'Call the dentist', due: 2, priority: 2 },
    { title: 'Return the library books', done: true, due: -1 },
  ],
  'Weekend on the coast': [
    {
      title: 'Look up the tides',
      state: 'doing',
      due: 1,
      priority: 3,
      notes: 'High water at the harbour is around nine.',
    },
    { title: 'Book two rooms', done: true },
    { title: 'Pack', due: 4, steps: ['Rain jackets', 'Torch', 'Swimming things'] },
    { title: 'Charge the camera', due: 4, priority: 1 },
  ],
  'Try it out': [
    { title: 'Tick this task', priority: 2 },
    { title: 'Open this page in a second window and change something', notes: 'It shows up here while you type.' },
    {
      title: 'Go offline, edit, and come back',
      notes: 'Change the notes of the same task in both windows meanwhile: you will be asked which one counts.',
    },
    { title: 'Install the app from the address bar' },
  ],
}

/** The address of the server that already listens, and a writer's token. Does nothing where the space holds an op. */
export const seedDemo = async (store: BatchStore, url: string, token: string): Promise<boolean> => {
  if ((await store.vector(DEMO_SPACE)).size > 0) return false
  const replica = await openReplica({
    schema,
    space: DEMO_SPACE,
    key: 'unencrypted',
    store: memoryStore(),
    transport: http(url, { token: () => token }),
  })
  try {
    const today = systemPorts.clock.now()
    for (const [name, tasks] of Object.entries(lists)) {
      replica.mutate((tx) => {
        const list = tx.lists.insert({ name })
        for (const { due, ...task } of tasks) {
          tx.tasks.insert({ ...task, list, due: due === undefined ? undefined : dayFrom(today, due) })
        }
      })
    }
    await replica.sync()
  } finally {
    await replica.close()
  }
  return true
}

const DAY_MS = 86_400_000

/** The start of a day in UTC, as the web app keeps it. */
const dayFrom = (nowMs: number, days: number): Date => new Date((Math.floor(nowMs / DAY_MS) + days) * DAY_MS)
