/** What a newcomer finds in a space that was just begun: a few lists and tasks. */
import type { Replica } from '@driftlog/client'
import { dateOf, type Day } from './days.ts'
import type { AppSchema, TaskState } from './schema.ts'

interface Sample {
  readonly title: string
  readonly done?: boolean
  readonly state?: TaskState
  /** Days from today. */
  readonly due?: number
  /** 1 low, 2 medium, 3 high. */
  readonly priority?: number
  readonly tags?: readonly string[]
  readonly steps?: readonly string[]
  readonly notes?: string
}

const lists: Readonly<Record<string, readonly Sample[]>> = {
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
    {
      title: 'Open this page in a second window and change something',
      notes:
        'It shows up here while you type. Another browser, or another device, needs an invitation: see “People and devices”.',
    },
    {
      title: 'Go offline, edit, and come back',
      notes: 'Change the notes of the same task in both windows meanwhile: you will be asked which one counts.',
    },
    { title: 'Protect the key of this space with a passphrase' },
    { title: 'Install the app from the address bar' },
  ],
}

/** `today`: the day by which the due ones go. None of it is for Undo to take back. */
export const addSamples = (replica: Replica<AppSchema>, today: Day): void => {
  for (const [name, samples] of Object.entries(lists)) {
    replica.mutate(
      (tx) => {
        const list = tx.lists.insert({ name })
        for (const { due, ...task } of samples) tx.tasks.insert({ ...task, list, due: dueOn(today, due) })
      },
      { isUndoable: false },
    )
  }
}

const dueOn = (today: Day, days: number | undefined): Date | undefined => {
  const due = days === undefined ? undefined : dateOf(today)
  due?.setUTCDate(due.getUTCDate() + (days ?? 0))
  return due
}
