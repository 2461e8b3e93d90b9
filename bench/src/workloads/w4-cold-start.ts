import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { endOfHistory } from '../data/history.ts'
import { startWatch, timeSamples } from '../harness/measure.ts'
import { need } from '../subjects/facts.ts'
import { checkRows } from './check.ts'
import type { Workload } from './workload.ts'

const HISTORY = { tasks: 20_000, ops: 100_000 }
const SEED = 4
const LIST = 'list-3'

export const coldStartWorkload: Workload = {
  name: 'W4',
  family: 'records',
  needs: 'cold',
  measures:
    'a fresh process opens a stored log of 100,000 ops over 20,000 rows, up to the first query answered, which asks for the rows of one list; loading the modules is not counted. Bytes are those of its files',
  async prepare({ subject, folder, size }) {
    await need(subject, 'cold').prepare(folder, { tasks: size(HISTORY.tasks), ops: size(HISTORY.ops), seed: SEED })
  },
  async run({ subject, folder, size }) {
    const files = await Promise.all((await readdir(folder)).map((name) => stat(join(folder, name))))
    const bytes = files.reduce((sum, { size: of }) => sum + of, 0)
    const watch = startWatch()
    const device = await need(subject, 'cold').open(folder)
    const found = (await device.readList?.(LIST)) ?? (await device.readAll()).filter(({ listId }) => listId === LIST)
    const spent = watch()
    const end = endOfHistory({ tasks: size(HISTORY.tasks), ops: size(HISTORY.ops), seed: SEED })
    checkRows(await device.readAll(), end)
    if (found.length === 0 || found.length !== [...end.values()].filter(({ listId }) => listId === LIST).length)
      throw new Error(`${found.length} rows of the list`)
    await device.close()
    return [...timeSamples(spent), { metric: 'bytes', value: bytes }]
  },
}
