/** A simulated world: a server, devices, and the links between them. */
import type { Membership } from '@driftlog/core'
import { type HealedStore, vectorText } from './checkers/checker.ts'
import type { SimulatedDisk } from './disk.ts'
import { batchesOf, SPACE } from './disk-copy.ts'
import type { FaultKind } from './faults.ts'
import type { Kernel } from './kernel.ts'
import type { Mutation } from './ledger.ts'
import { type Gone, Rot } from './gone.ts'
import { foundingLog, install, letAllWrite } from './members.ts'
import { Machine } from './machine.ts'
import type { Random } from './random.ts'
import type { Seams } from './seams.ts'
import { ServerMachine } from './server-machine.ts'
import type { Tab } from './tab.ts'

export class World {
  readonly kernel: Kernel
  readonly server: ServerMachine
  readonly machines: Machine[] = []
  readonly ledger: Mutation[] = []
  readonly #seams: Seams
  readonly #rot = new Rot(() => [this.server.disk, ...this.machines.map(({ disk }) => disk)])
  #isHealing = false
  /** In a space with members: their log as it was in the beginning. */
  #founding: Membership | undefined
  #isSettled = false

  constructor(kernel: Kernel, seams: Seams) {
    this.kernel = kernel
    this.#seams = seams
    this.server = new ServerMachine(kernel, kernel.random.stream('server'), seams)
    for (let index = 0; index < kernel.options.devices; index++) this.#addMachine(index)
  }

  #addMachine(installation: number): Machine {
    const { kernel, server, ledger } = this
    const machine = new Machine({ kernel, server, ledger, seams: this.#seams }, this.machines.length, installation)
    this.machines.push(machine)
    return machine
  }

  get tabs(): Tab[] {
    return this.machines.flatMap(({ tabs }) => tabs)
  }

  /** In a space with members: makes the disks those of members. */
  async install(): Promise<void> {
    const { members, devices } = this.kernel.options
    if (!members) return
    this.#founding = foundingLog(devices + 1)
    for (const { disk, installation } of this.machines) await install(disk.durable, this.#founding, installation)
  }

  /** Somebody joins who lacks everything. */
  async #join(): Promise<void> {
    const machine = this.#addMachine(this.kernel.options.devices)
    if (this.#founding !== undefined) await install(machine.disk.durable, this.#founding, machine.installation)
    machine.open()
  }

  /** Now and then: the one who does it may crash in the middle. */
  #letAllWrite(): void {
    const { replica } = this.machines[0].tabs[0]
    if (replica !== undefined) void letAllWrite(replica)
    if (!this.#isSettled) this.kernel.time.after(5_000, () => this.#letAllWrite())
  }

  open(): void {
    this.server.start()
    for (const machine of this.machines) machine.open()
  }

  async restartServer(isCrash: boolean, downMs: number): Promise<void> {
    await (isCrash ? this.server.crash() : this.server.stop())
    this.kernel.time.after(downMs, () => this.server.start())
  }

  /** Faults of identity, and rot. */
  async strike(fault: FaultKind, machine: Machine, random: Random): Promise<void> {
    const laterMs = random.spread(1_000, 60_000)
    switch (fault) {
      case 'restore': {
        const backup = await machine.disk.copy()
        this.kernel.time.after(laterMs, () => {
          if (this.#isHealing) return
          this.kernel.fault(fault, machine.index)
          void machine.crash().then(() => {
            this.#rot.replaces(machine.disk)
            machine.disk.replace(backup)
            machine.open()
          })
        })
        break
      }
      case 'clone': {
        const copy = await machine.disk.copy()
        this.kernel.fault(fault, machine.index)
        const clone = this.#addMachine(machine.installation)
        clone.disk.replace(copy)
        clone.open()
        break
      }
      case 'serverRollback': {
        const backup = await this.server.disk.copy()
        this.kernel.time.after(laterMs, () => {
          if (this.#isHealing) return
          this.kernel.fault(fault, undefined)
          void this.server.crash().then(() => {
            this.#rot.replaces(this.server.disk)
            this.server.disk.replace(backup)
            this.server.start()
          })
        })
        break
      }
      case 'bitRot':
        this.#damage(fault, machine.disk, machine.index, random)
        break
      case 'serverBitRot':
        this.#damage(fault, this.server.disk, undefined, random)
        break
      default:
        throw new Error(`not a fault of identity: ${fault}`)
    }
  }

  #damage(fault: FaultKind, disk: SimulatedDisk, machine: number | undefined, random: Random): void {
    const rotten = this.#rot.strike(disk, random)
    if (rotten === undefined) return
    const { device, fromSeq, toSeq } = rotten.batch.header
    this.kernel.fault(fault, machine, `${device} ${fromSeq}-${toSeq} at ${rotten.position}`)
  }

  /** What rotted and has no sound copy left anywhere, and what goes on from it. */
  gone(): Gone {
    return this.#rot.gone()
  }

  /** Every fault ends, every clock is right, and everything is opened again. */
  heal(): void {
    this.#isHealing = true
    this.server.heal()
    const wereRotten = this.machines.filter(({ disk }) => disk.damaged.size > 0)
    for (const machine of this.machines) machine.heal()
    // Damage is found by who reads: a device as it starts, the server as somebody joins who lacks everything.
    for (const machine of wereRotten) void machine.crash().then(() => machine.open())
    if (this.server.disk.damaged.size > 0) void this.#join()
    if (this.kernel.options.members) this.#letAllWrite()
  }

  /** Whether nothing is left to be sent, to be stored or to be waited for, and all hold the same. */
  isSettled(): boolean {
    let first: string | undefined
    let isWaiting = false
    for (const { replica, isIdle } of this.tabs) {
      if (replica === undefined || !isIdle || replica.members?.list.role === 'reader') return false
      const { online, syncing, pending, unsaved, waiting, readOnly } = replica.status
      if (!online || syncing || pending > 0 || unsaved > 0 || readOnly) return false
      isWaiting ||= waiting > 0
      const held = vectorText(replica.held())
      first ??= held
      if (held !== first) return false
    }
    this.#isSettled = this.#rot.isAny ? this.#isMended(isWaiting) : !isWaiting
    return this.#isSettled
  }

  /** What can be mended is to be, and nothing else may be waited for than what nobody has. */
  #isMended(isWaiting: boolean): boolean {
    const { batches, isMendable } = this.gone()
    return !isMendable && (!isWaiting || batches.length > 0)
  }

  /** No process runs on. */
  end(): void {
    for (const { process } of this.tabs) process?.end()
    this.server.running()?.process.end()
  }

  /** What can be read of a disk, and how many of its batches cannot. */
  async storeAt(where: number | 'server'): Promise<HealedStore> {
    const { disk } = where === 'server' ? this.server : this.machines[where]
    const records = await disk.durable.records(SPACE, '')
    return { where, batches: await batchesOf(disk.durable), records, damaged: disk.damaged.size }
  }
}
