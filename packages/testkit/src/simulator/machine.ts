/** A device: a disk, a clock, a link to the server, and tabs. */
import { DeviceClock } from './device-clock.ts'
import { SimulatedDisk } from './disk.ts'
import type { Kernel } from './kernel.ts'
import type { Mutation } from './ledger.ts'
import { Link } from './link.ts'
import type { SimulatedProcess } from './process.ts'
import type { Random } from './random.ts'
import type { Seams } from './seams.ts'
import type { ServerMachine } from './server-machine.ts'
import { Tab } from './tab.ts'
import { schemas } from './workload.ts'

export interface MachineParts {
  readonly kernel: Kernel
  readonly server: ServerMachine
  readonly ledger: Mutation[]
  readonly seams: Seams
}

export class Machine {
  readonly index: number
  readonly installation: number
  readonly kernel: Kernel
  readonly server: ServerMachine
  readonly ledger: Mutation[]
  readonly seams: Seams
  readonly random: Random
  readonly clock: DeviceClock
  readonly disk: SimulatedDisk
  readonly link: Link
  readonly tabs: Tab[]
  readonly isRoundTrip: boolean
  readonly version: 1 | 2
  isOn = true
  isOnline = true

  /** `installation`: in a space with members, whose disk it has: its own, or that of which it is a clone. */
  constructor(parts: MachineParts, index: number, installation: number) {
    this.index = index
    this.installation = installation
    this.kernel = parts.kernel
    this.server = parts.server
    this.ledger = parts.ledger
    this.seams = parts.seams
    const { kernel } = parts
    const { options } = kernel
    this.random = kernel.random.stream(`machine ${index}`)
    const character = this.random.stream('character')
    this.clock = new DeviceClock(kernel.time, character.between(-options.skewMs, options.skewMs))
    this.disk = new SimulatedDisk(kernel, index, this.random.stream('disk'), () => this.clock.latestMs)
    this.link = new Link(kernel, index, this.random.stream('link'))
    this.isRoundTrip = character.chance(options.roundTrips)
    this.version = character.chance(options.olderSchemas) ? 1 : 2
    this.tabs = Array.from({ length: character.between(1, options.tabs) }, (_, tab) => new Tab(this, tab))
  }

  get schema() {
    return schemas[this.version]
  }

  tab(index: number): Tab {
    return this.tabs[index % this.tabs.length]
  }

  open(): void {
    this.isOn = true
    for (const tab of this.tabs) tab.open()
  }

  setOnline(isOnline: boolean): void {
    this.isOnline = isOnline
    for (const tab of this.tabs) tab.setOnline(isOnline)
  }

  /** The power fails. Resolves when the disk is as the next start finds it. */
  async crash(): Promise<void> {
    this.isOn = false
    for (const tab of this.tabs) tab.end('crashed')
    await this.#settleDisk()
  }

  async killTab(tab: Tab): Promise<void> {
    tab.end('killed')
    await this.#settleDisk()
  }

  async #settleDisk(): Promise<void> {
    const { kept, lost, isTorn } = await this.disk.crash()
    this.kernel.trace.note(`d${this.index}`, 'appends', 'kept', kept, 'lost', lost, isTorn ? 'torn' : '')
  }

  get processes(): SimulatedProcess[] {
    return this.tabs.flatMap(({ process }) => process ?? [])
  }

  sleep(forMs: number): void {
    for (const process of this.processes) process.sleep(forMs)
  }

  heal(): void {
    this.clock.correct()
    this.disk.heal()
    this.link.heal()
    for (const process of this.processes) process.heal()
    this.setOnline(true)
    this.open()
  }
}
