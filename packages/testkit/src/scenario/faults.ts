/** What goes wrong in a simulation of an app, in its users' words, done with the simulator's parts. */
import type { MemoryMedium, Schema } from '@driftlog/core'
import type { Random } from '../simulator/random.ts'
import type { Direction, FrameFault } from '../simulator/link.ts'
import type { ServerMachine } from '../simulator/server-machine.ts'
import { DAY_MS } from './duration.ts'
import { Host } from './host.ts'
import type { Stage } from './stage.ts'

export const simulatedFaults = [
  // The user goes offline and comes back, closes the app and opens it again.
  'offline',
  'close',
  // The device.
  'crash',
  'sleep',
  'clockJumps',
  'clockRuns',
  'farClock',
  'diskFails',
  'diskFull',
  'diskSlow',
  'restore',
  'clone',
  // The network.
  'cut',
  'partition',
  'clog',
  'halfOpen',
  'frame',
  'loseAck',
  // The server.
  'serverCrash',
  'serverRestart',
  'serverRollback',
] as const

export type SimulatedFault = (typeof simulatedFaults)[number]

const frameFaults: readonly FrameFault[] = ['dropFrame', 'duplicateFrame', 'reorderFrame', 'delayFrame', 'garbageFrame']

/** Answers what happened, in words; undefined where it met nothing. `forMs`: about how long it lasts. */
export const inject = (
  stage: Stage,
  host: Host<Schema>,
  fault: SimulatedFault,
  random: Random,
  forMs: number,
): string | undefined => {
  const { time } = stage.kernel
  const { link, disk, clock, name } = host
  // What apps have to bear most: users who are away for long.
  const lastsMs = random.spread(fault === 'offline' ? 10_000 : 500, forMs)
  const seconds = `${(lastsMs / 1_000).toFixed(1)} s`
  switch (fault) {
    case 'offline':
      host.setConnected(false)
      time.after(lastsMs, () => host.setConnected(true))
      return `${name} is offline for ${seconds}`
    case 'close':
      if (host.replica === undefined) return undefined
      host.shut()
      time.after(lastsMs, () => host.launch())
      return `${name} is closed for ${seconds}`
    case 'crash':
      if (host.process === undefined) return undefined
      void host.crash().then(() => time.after(lastsMs, () => host.launch()))
      return `${name} crashes and is back in ${seconds}`
    case 'sleep':
      host.process?.sleep(lastsMs)
      return `${name} sleeps for ${seconds}`
    case 'clockJumps': {
      const byMs = random.chance(0.5) ? random.spread(100, 150_000) : -random.spread(100, 3_600_000)
      clock.jump(byMs)
      return `the clock of ${name} jumps by ${(byMs / 1_000).toFixed(1)} s`
    }
    case 'clockRuns': {
      const rate = 1 + (random.chance(0.5) ? 1 : -1) * random.spread(0.001, 0.2)
      clock.runAt(rate)
      return `the clock of ${name} runs at ${rate.toFixed(3)}`
    }
    case 'farClock': {
      const years = random.between(1, 20)
      clock.jump(years * 365 * DAY_MS)
      return `the clock of ${name} jumps by ${years} years`
    }
    case 'restore':
      void disk.copy().then((backup) => time.after(lastsMs, () => restore(host, backup)))
      return `${name} is set back to a backup of now in ${seconds}`
    case 'clone':
      void disk.copy().then((copy) => startClone(stage, host, copy))
      return `${name} is cloned`
    case 'diskFails':
    case 'diskFull':
    case 'diskSlow':
      disk.begin(diskFaults[fault], lastsMs, () => undefined)
      return `the disk of ${name} ${diskWords[fault]} for ${seconds}`
    case 'cut':
      if (link.connections.size === 0) return undefined
      link.cut()
      return `the connection of ${name} breaks`
    case 'partition':
      link.partition(lastsMs)
      return `${name} is cut off for ${seconds}`
    case 'clog':
      link.clog(lastsMs)
      return `the network of ${name} is clogged for ${seconds}`
    case 'halfOpen': {
      const direction = directionOf(random)
      for (const connection of link.connections) connection.silence(direction)
      return `nothing gets ${direction} on the connection of ${name}`
    }
    case 'frame': {
      const kind = random.pick(frameFaults)
      const direction = directionOf(random)
      link.arm(kind, direction, random.below(4))
      return `${kind} for ${name}, ${direction}`
    }
    case 'loseAck':
      link.arm('loseAck', 'down', 0)
      return `an acknowledgement for ${name} is lost`
    case 'serverCrash':
    case 'serverRestart': {
      const { server } = stage
      if (server.running() === undefined) return undefined
      const down = fault === 'serverCrash' ? server.crash() : server.stop()
      void down.then(() => time.after(lastsMs, () => server.start()))
      return `the server ${fault === 'serverCrash' ? 'crashes' : 'stops'} and is back in ${seconds}`
    }
    case 'serverRollback': {
      const { server } = stage
      void server.disk.copy().then((backup) => time.after(lastsMs, () => rollBack(server, backup)))
      return `the server is set back to a backup of now in ${seconds}`
    }
  }
}

const restore = (host: Host<Schema>, backup: MemoryMedium): void => {
  void host.restore(backup).then(() => host.launch())
}

/** Named after what it is a copy of: `ana's clone`, and the clone of that one once more. */
const startClone = (stage: Stage, host: Host<Schema>, copy: MemoryMedium): void => {
  const { schema, isRoundTrip } = host
  let name = `${host.name}'s clone`
  while (stage.hosts.some((other) => other.name === name)) name = `${name}'s clone`
  const clone = new Host(stage, { name, schema, isRoundTrip })
  clone.disk.replace(copy)
  host.clones.push(clone)
  clone.launch()
}

const rollBack = (server: ServerMachine, backup: MemoryMedium): void => {
  void server.crash().then(() => {
    server.disk.replace(backup)
    server.start()
  })
}

const diskFaults = { diskFails: 'fails', diskFull: 'full', diskSlow: 'slow' } as const
const diskWords = { diskFails: 'fails', diskFull: 'is full', diskSlow: 'is slow' } as const

const directionOf = (random: Random): Direction => (random.chance(0.5) ? 'up' : 'down')
