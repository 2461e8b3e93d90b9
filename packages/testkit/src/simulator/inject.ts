/** Performs the acts of a plan: what users do, and what goes wrong. */
import type { FaultKind } from './faults.ts'
import type { Direction } from './link.ts'
import type { Machine } from './machine.ts'
import type { Act, FaultAct } from './plan.ts'
import { Random } from './random.ts'
import type { World } from './world.ts'

const YEAR_MS = 365 * 24 * 3_600_000

export const perform = (world: World, act: Act): void => {
  const machine = world.machines[act.device]
  const tab = machine.tab(act.tab)
  switch (act.kind) {
    case 'mutate':
      tab.mutate(act.count, Random.of(act.seed))
      break
    case 'openTab':
      tab.open()
      break
    case 'closeTab':
      tab.close()
      break
    case 'goOffline':
      machine.setOnline(false)
      break
    case 'goOnline':
      machine.setOnline(true)
      break
    case 'members':
      tab.administer(Random.of(act.seed))
      break
    case 'fault':
      inject(world, machine, act)
  }
}

const inject = (world: World, machine: Machine, act: FaultAct): void => {
  const { kernel, server } = world
  const { fault } = act
  const random = Random.of(act.seed)
  const tab = machine.tab(act.tab)
  const soon = (): number => random.spread(10, 20_000)
  const noted = (words: string | number = ''): void => kernel.fault(fault, machine.index, String(words))
  const direction: Direction = random.chance(0.5) ? 'up' : 'down'
  switch (fault) {
    case 'crash':
      if (!machine.isOn) return
      noted()
      crash(world, machine, soon())
      break
    case 'crashAtCall': {
      const calls = random.between(1, 60)
      const backMs = soon()
      const isPower = random.chance(0.5)
      tab.process?.limitCalls(calls, () => {
        noted(calls)
        if (isPower) crash(world, machine, backMs)
        else kill(world, machine, act.tab, backMs)
      })
      break
    }
    case 'killTab':
      if (tab.process === undefined) return
      noted()
      kill(world, machine, act.tab, soon())
      break
    case 'sleep': {
      const forMs = random.spread(5_000, 120_000)
      noted(forMs)
      machine.sleep(forMs)
      break
    }
    case 'clockForward':
    case 'clockBack': {
      const byMs = random.spread(100, fault === 'clockBack' ? 3_600_000 : 150_000)
      noted(byMs)
      machine.clock.jump(fault === 'clockBack' ? -byMs : byMs)
      break
    }
    case 'clockDrift': {
      const rate = 1 + (random.chance(0.5) ? 1 : -1) * random.spread(0.001, 0.2)
      noted(rate)
      machine.clock.runAt(rate)
      break
    }
    case 'farClock': {
      const years = random.between(1, 30)
      noted(years)
      machine.clock.jump(years * YEAR_MS)
      break
    }
    case 'diskFull':
    case 'diskFails':
    case 'diskFailsLate':
    case 'diskSlow':
      machine.disk.begin(diskFaults[fault], random.spread(100, 30_000), () => noted())
      break
    case 'cut':
      if (machine.link.connections.size === 0) return
      noted()
      machine.link.cut()
      break
    case 'partition': {
      const forMs = random.spread(1_000, 90_000)
      noted(forMs)
      machine.link.partition(forMs)
      break
    }
    case 'clog': {
      const forMs = random.spread(500, 60_000)
      noted(forMs)
      machine.link.clog(forMs)
      break
    }
    case 'halfOpen':
      if (machine.link.connections.size === 0) return
      noted(direction)
      for (const connection of machine.link.connections) connection.silence(direction)
      break
    case 'loseAck':
      machine.link.arm(fault, 'down', 0)
      break
    case 'dropFrame':
    case 'duplicateFrame':
    case 'reorderFrame':
    case 'delayFrame':
    case 'garbageFrame':
      machine.link.arm(fault, direction, random.below(4))
      break
    case 'tokenRefused':
      noted()
      server.refuseToken(machine.index, random.spread(1_000, 60_000))
      break
    case 'serverCrash':
    case 'serverRestart':
      if (server.running() === undefined) return
      kernel.fault(fault, undefined)
      void world.restartServer(fault === 'serverCrash', soon())
      break
    case 'serverDiskFails':
    case 'serverDiskFailsLate':
    case 'serverDiskSlow':
      server.disk.begin(diskFaults[fault], random.spread(100, 30_000), () => kernel.fault(fault, undefined))
      break
    case 'serverClockBehind':
    case 'serverClockInvalid': {
      const byMs = fault === 'serverClockBehind' ? random.spread(1_000, 3_600_000) : 20 * YEAR_MS
      kernel.fault(fault, undefined, String(byMs))
      server.clock.jump(-byMs)
      kernel.time.after(random.spread(1_000, 60_000), () => server.clock.correct())
      break
    }
    case 'courier': {
      const to = world.machines[random.below(world.machines.length)].tab(0)
      const inMs = soon()
      if (tab.replica === undefined || to === tab) return
      noted(`to ${to.machine.index}`)
      tab.export().then(
        (batches) => batches && kernel.time.after(inMs, () => to.import(batches)),
        (error: unknown) => kernel.failed('export', error),
      )
      break
    }
    case 'restore':
    case 'clone':
    case 'serverRollback':
    case 'bitRot':
    case 'serverBitRot':
      void world.strike(fault, machine, random)
  }
}

const diskFaults = {
  diskFull: 'full',
  diskFails: 'fails',
  diskFailsLate: 'failsLate',
  diskSlow: 'slow',
  serverDiskFails: 'fails',
  serverDiskFailsLate: 'failsLate',
  serverDiskSlow: 'slow',
} as const satisfies Partial<Record<FaultKind, string>>

const crash = (world: World, machine: Machine, backMs: number): void => {
  void machine.crash().then(() => world.kernel.time.after(backMs, () => machine.open()))
}

const kill = (world: World, machine: Machine, tab: number, backMs: number): void => {
  void machine.killTab(machine.tab(tab)).then(() => world.kernel.time.after(backMs, () => machine.tab(tab).open()))
}
