/** A process that plants one bug after the other and runs schedules until a checker says so. Speaks with `hunt.ts`. */
import process from 'node:process'
import { installHooks, occurrences, simulatorWith } from './plant.ts'
import type { Answer, Order } from './hunt.ts'
import { type PlantedBug, plantedOptions } from './bug.ts'

type Simulator = Awaited<ReturnType<typeof simulatorWith>>

interface Finding {
  readonly checker: string
  readonly message: string
}

const options = (bug: PlantedBug) => ({ ...plantedOptions, ...bug.options })

const findingOf = async (simulator: Simulator, seed: number, bug: PlantedBug): Promise<Finding | undefined> => {
  try {
    const { violations } = await simulator.runSchedule(seed, { options: options(bug) })
    return violations[0]
  } catch (error) {
    return { checker: 'no checker', message: `the run ended with ${String((error as Error).stack ?? error)}` }
  }
}

const hunt = async ({ bug, from, schedules }: Order): Promise<Answer> => {
  const found = occurrences(bug)
  if (found !== 1) return { kind: 'unplantable', found }
  const started = performance.now()
  const seconds = (): number => (performance.now() - started) / 1_000
  const buggy = await simulatorWith(bug)
  const sound = await simulatorWith(undefined)
  const alsoSound: number[] = []
  for (let count = 1; count <= schedules; count++) {
    const seed = from + count - 1
    const finding = await findingOf(buggy, seed, bug)
    if (finding === undefined) continue
    // What fails without the bug too does not prove that the bug can be found.
    if ((await findingOf(sound, seed, bug)) === undefined) {
      return { kind: 'caught', ...finding, seed, schedules: count, seconds: seconds(), alsoSound }
    }
    alsoSound.push(seed)
  }
  return { kind: 'survived', schedules, seconds: seconds(), alsoSound }
}

installHooks()
process.on('message', (order: Order) => {
  hunt(order).then(
    (answer) => process.send!(answer),
    (error: unknown) => {
      process.send!({ kind: 'broken', message: String((error as Error).stack ?? error) } satisfies Answer)
    },
  )
})
process.on('disconnect', () => process.exit(0))
