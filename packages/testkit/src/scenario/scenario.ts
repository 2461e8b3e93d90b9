/**
 * A scenario: what some devices do to the same data, step by step, in a test. Everything is the production code, in
 * one process, over virtual time; a scenario with the same seed ends the same, to the byte.
 */
import type { Schema } from '@driftlog/core'
import { type Backup, ScenarioDevice } from './device.ts'
import { type Duration, toMs } from './duration.ts'
import { openHistory } from './history.ts'
import { Host } from './host.ts'
import { type Report, reportOf } from './report.ts'
import { differences, settle } from './settle.ts'
import { Stage } from './stage.ts'

export interface ScenarioOptions<S extends Schema, N extends string = string> {
  readonly schema: S
  /** Their names, or how many: then they are called `device1`, `device2`, … */
  readonly devices: readonly N[] | number
  /** Any whole number; default 1. It decides ids, delays on the network and what a crash leaves of unfinished work. */
  readonly seed?: number
  /** Devices that run another version of the app. */
  readonly schemas?: { readonly [K in N]?: Schema }
  /** Devices that sync by HTTP round trips; the others hold a live connection. */
  readonly roundTrips?: readonly N[]
  /** Hears everything that happens, a line each. */
  readonly onLine?: (line: string) => void
}

/** The server, and what can happen to it. It runs from the start. */
export interface ScenarioServer {
  /** The power fails; it is down until `start` or `sync`. */
  crash(): Promise<void>
  start(): Promise<void>
  backup(): Promise<Backup>
  /** Puts an older state of its disk in the place of the present one, and starts it again. */
  restore(backup: Backup): Promise<void>
}

/** Where only their number is known, there are none. */
export type NamedDevices<S extends Schema, N extends string> = {
  readonly [K in string extends N ? never : N]: ScenarioDevice<S>
}

export class Scenario<S extends Schema> {
  readonly devices: ScenarioDevice<S>[] = []
  readonly server: ScenarioServer
  readonly #stage: Stage
  readonly #options: ScenarioOptions<S>

  /** Use `scenario`. */
  constructor(stage: Stage, options: ScenarioOptions<S>) {
    this.#stage = stage
    this.#options = options
    const { server } = stage
    this.server = {
      crash: () => stage.turn(() => server.crash()),
      start: () => stage.turn(async () => server.start()),
      backup: () => stage.turn(async () => ({ medium: await server.disk.copy() })),
      restore: (backup) => stage.turn(() => this.#restoreServer(backup)),
    }
  }

  /** Virtual time. It stands still between the steps; each mutation comes at the next full second. */
  get now(): Date {
    return new Date(Math.floor(this.#stage.nowMs))
  }

  /** A device by name. Throws where there is none. */
  device(name: string): ScenarioDevice<S> {
    return this.devices[this.#hosts([name])[0].index]
  }

  /** Adds a device that has nothing yet. */
  add(name: string): ScenarioDevice<S> {
    if (this.#stage.hosts.some((host) => host.name === name)) throw new Error(`there is a device ${name} already`)
    const { schema, schemas, roundTrips = [] } = this.#options
    const own = (schemas as Readonly<Record<string, Schema | undefined>> | undefined)?.[name]
    const host = new Host<S>(this.#stage, {
      name,
      schema: (own ?? schema) as S,
      isRoundTrip: roundTrips.includes(name),
    })
    const device = new ScenarioDevice(this.#stage, host)
    this.devices.push(device)
    return device
  }

  /** Copies a device's disk into a new device, as a cloned machine: both go on writing as if they were the only one. */
  async clone(name: string, as: string): Promise<ScenarioDevice<S>> {
    const backup = await this.device(name).backup()
    const clone = this.add(as)
    await clone.restore(backup)
    return clone
  }

  /**
   * Lets time pass: devices that are connected sync meanwhile; those that are not open stay closed. In a long wait all
   * devices sleep but for its first two hours and its last.
   */
  wait(duration: Duration): Promise<void> {
    return this.#stage.turn(() => this.#stage.passLong(toMs(duration)))
  }

  /**
   * Opens and connects these devices, or all, starts the server where it is down, and lets time pass until they hold the
   * same and nothing is on its way. They stay connected. Rejects where that takes more than an hour, with what each says.
   */
  sync(...names: readonly string[]): Promise<void> {
    return this.#stage.turn(async () => {
      const hosts = this.#hosts(names)
      this.#stage.server.start()
      for (const host of hosts) await host.join()
      if ((await settle(this.#stage, hosts)) !== undefined) return
      const states = hosts.map((host) => host.describes)
      throw new Error(['these devices have not come to hold the same within an hour', ...states].join('\n  '))
    })
  }

  /** The users of these devices, or of all, go offline. */
  async disconnect(...names: readonly string[]): Promise<void> {
    await this.#each(names, async (host) => host.setConnected(false))
  }

  /** They come online. Nothing arrives before time passes: see `sync` and `wait`. */
  async connect(...names: readonly string[]): Promise<void> {
    await this.#each(names, async (host) => host.setConnected(true))
  }

  /** The power of these devices, or of all, fails. They are opened again by whatever asks something of them. */
  async crash(...names: readonly string[]): Promise<void> {
    await this.#each(names, (host) => host.crash())
  }

  /** Their apps are closed in good order. */
  async close(...names: readonly string[]): Promise<void> {
    await this.#each(names, (host) => host.close())
  }

  /** Rejects, saying what differs, where these devices, or all, do not show the same: state by digest, rows in SQL. */
  expectSame(...names: readonly string[]): Promise<void> {
    return this.#stage.turn(async () => {
      const hosts = this.#hosts(names)
      for (const host of hosts) await host.open()
      const found = await differences(this.#stage, hosts)
      if (found.length === 0) return
      const more = found.length > 10 ? [`and ${found.length - 10} more`] : []
      throw new Error(['these devices do not show the same', ...found.slice(0, 10), ...more].join('\n  '))
    })
  }

  /**
   * Who wrote what and who won, in all that the server or any device has stored: what everyone shows once all is synced.
   * `expect((await s.report()).text).toMatchInlineSnapshot()` keeps it.
   */
  report(): Promise<Report> {
    return this.#stage.turn(async () => {
      const stores = [this.#stage.server.disk.durable, ...this.#stage.hosts.map(({ disk }) => disk.durable)]
      return reportOf(this.#options.schema, await openHistory(this.#stage, stores))
    })
  }

  /** Ends it all. Nothing is left behind by a scenario that is not ended, but memory. */
  end(): Promise<void> {
    return this.#stage.turn(async () => this.#stage.end())
  }

  #hosts(names: readonly string[]): readonly Host<Schema>[] {
    const { hosts } = this.#stage
    if (names.length === 0) return hosts
    return names.map((name) => {
      const host = hosts.find((other) => other.name === name)
      if (host === undefined) throw new Error(`no device ${name}: there are ${hosts.map((one) => one.name).join(', ')}`)
      return host
    })
  }

  #each(names: readonly string[], act: (host: Host<Schema>) => Promise<void>): Promise<void> {
    return this.#stage.turn(async () => {
      for (const host of this.#hosts(names)) await act(host)
    })
  }

  async #restoreServer({ medium }: Backup): Promise<void> {
    const { server } = this.#stage
    await server.crash()
    server.disk.replace(medium)
    server.start()
  }
}

/** Begins a scenario. Its devices are named properties beside its methods, and in `devices`, in order. */
export const scenario = async <S extends Schema, const N extends string>(
  options: ScenarioOptions<S, N>,
): Promise<Scenario<S> & NamedDevices<S, N>> => {
  const { devices, seed = 1, onLine } = options
  const stage = new Stage({ seed, simulator: { latencyMs: [20, 100], diskMs: [0.001, 0.001] }, onLine })
  await stage.begin()
  const begun = new Scenario(stage, options)
  for (const name of typeof devices === 'number' ? numbered(devices) : devices) {
    if (name in begun) throw new Error(`a device cannot be called ${name}`)
    Object.defineProperty(begun, name, { value: begun.add(name), enumerable: true })
  }
  return begun as Scenario<S> & NamedDevices<S, N>
}

export const numbered = (count: number): string[] => Array.from({ length: count }, (_, index) => `device${index + 1}`)
