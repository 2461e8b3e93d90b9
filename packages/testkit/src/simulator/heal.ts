/** The two phases of a schedule, and what is looked at in the end. */
import type { Evidence, HealedReplica } from './checkers/checker.ts'
import { markersOf, openLog } from './final-log.ts'
import { openedSpace } from './space-keys.ts'
import { perform } from './inject.ts'
import type { Act } from './plan.ts'
import { START_MS } from './time.ts'
import type { World } from './world.ts'

const PROBE_MS = 1_000
/** After everything is healed nothing but heartbeats and polls is to be heard for so long. */
const QUIET_MS = 60_000

/** Safety under faults. */
export const runFaults = async (world: World, plan: readonly Act[]): Promise<void> => {
  const { kernel } = world
  const { faultsMs, samples } = kernel.options
  kernel.emit({ kind: 'phase', phase: 'faults' })
  world.open()
  for (const act of plan) kernel.time.at(START_MS + act.atMs, () => perform(world, act))
  for (let sample = 1; sample <= samples; sample++) {
    kernel.time.at(START_MS + (faultsMs * sample) / samples, () => {
      for (const tab of world.tabs) tab.sample()
    })
  }
  await kernel.time.runUntil(START_MS + faultsMs + PROBE_MS)
}

/** Everything works again; it must come to rest. Answers how long that took; undefined where it did not. */
export const runHealing = async (world: World): Promise<number | undefined> => {
  const { kernel } = world
  const { time, options } = kernel
  kernel.emit({ kind: 'phase', phase: 'healing' })
  kernel.trace.note('heals')
  world.heal()
  const fromMs = time.nowMs
  // One probe may fall between a message and its answer.
  let inARow = 0
  while (time.nowMs < fromMs + options.healMs) {
    await time.runUntil(time.nowMs + PROBE_MS)
    inARow = world.isSettled() ? inARow + 1 : 0
    if (inARow === 2) return time.nowMs - fromMs
  }
  return undefined
}

export const collect = async (world: World, healedInMs: number | undefined): Promise<Evidence> => {
  const { kernel } = world
  const messages = kernel.messages
  if (healedInMs !== undefined) await kernel.time.runUntil(kernel.time.nowMs + QUIET_MS)
  const quietMessages = kernel.messages - messages
  kernel.emit({ kind: 'phase', phase: 'healed' })
  for (const tab of world.tabs) tab.sample()
  const replicas = world.tabs.flatMap((tab): HealedReplica[] => {
    const { replica, machine, index } = tab
    if (replica === undefined) return []
    const { status } = replica
    return [
      {
        name: `d${machine.index}.${index}`,
        machine: machine.index,
        version: machine.version,
        device: replica.device,
        held: replica.held(),
        projected: replica.projected(),
        digest: replica.digest(),
        pending: status.pending,
        damaged: status.damaged,
        error: status.error?.code,
        conflicts: () => replica.conflicts,
        row: (table, id) => (status.readOnly ? undefined : tab.row(table, id)),
        query: () => replica.query((db) => (db as never as AnyBuilder).selectFrom('tasks').selectAll()),
      },
    ]
  })
  const places: (number | 'server')[] = ['server', ...world.machines.map(({ index }) => index)]
  const stores = await Promise.all(places.map((where) => world.storeAt(where)))
  const gone = world.gone()
  const unmarked = new Map(
    world.ledger.flatMap(({ isMarked, device, seq, marker }) =>
      isMarked ? [] : [[`${device} ${seq}`, marker] as const],
    ),
  )
  const opened = await openedSpace(kernel.options, world.server.disk.durable)
  return {
    options: kernel.options,
    mutations: world.ledger,
    replicas,
    stores,
    log: openLog(stores[0].batches, unmarked, opened),
    gone: { batches: gone.batches, markers: markersOf(gone.batches, unmarked, opened) },
    healedInMs,
    quietMessages,
  }
}

interface AnyBuilder {
  selectFrom(table: string): { selectAll(): never }
}
