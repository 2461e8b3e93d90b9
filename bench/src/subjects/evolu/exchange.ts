/** Devices of one person that meet at a relay. */
import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { type History, writeHistory } from '../../data/history.ts'
import type { Task } from '../../data/tasks.ts'
import type { Behind, Group } from '../subject.ts'
import { EvoluDevice, openDevice } from './device.ts'
import { sqliteDriver } from './driver.ts'
import { createHub, type Hub, HUB_URL } from './hub.ts'
import { type Opened, openEvolu } from './platform.ts'
import { openRelay } from './relay.ts'

const BEHIND = 'behind.db'
const WHOLE = 'whole.db'
const RELAY = 'relay.db'
const OPS_A_TRANSACTION = 100

export const openGroup = async (size: number, tasks: readonly Task[]): Promise<Group> => {
  const relay = await openRelay()
  const hub = createHub(relay)
  const origin = await openDevice(hub)
  const devices: EvoluDevice[] = []
  for (let count = 0; count < size; count++) devices.push(await openDevice(hub))
  origin.insertAll(tasks)
  await origin.stored()
  const all = [origin, ...devices]
  for (const device of all) {
    device.join(HUB_URL)
    await hub.settled([device])
  }
  await hub.settled(all)
  for (const device of all) device.leave()
  const start = hub.sent.length
  return {
    devices,
    async converge() {
      for (const device of devices) device.join(HUB_URL)
      await hub.settled(devices)
      return hub.sent.slice(start)
    },
    async close() {
      for (const device of all) await device.close()
      await relay.close()
    },
  }
}

/** A device on its own, that meets an empty relay only to show what it would send. */
class LoneDevice extends EvoluDevice {
  readonly meet: (hub: Hub) => void
  #meetings = 0

  constructor(opened: Opened, meet: (hub: Hub) => void) {
    super(opened)
    this.meet = meet
  }

  async log(): Promise<readonly Uint8Array[]> {
    const relay = await openRelay()
    const hub = createHub(relay)
    this.meet(hub)
    this.join(`${HUB_URL}-${this.#meetings++}`)
    await hub.settled([this])
    this.leave()
    await relay.close()
    return hub.sent
  }
}

export const openLoneDevice = async (): Promise<EvoluDevice> => {
  let hub: Hub | undefined
  const opened = await openEvolu(sqliteDriver(), (url, options) => hub!.createWebSocket(url, options))
  return new LoneDevice(opened, (met) => {
    hub = met
  })
}

/** Many writes a transaction, as of a device that works through a queue. */
export const writeInGroups = (device: EvoluDevice, history: History, from = 0, to = history.ops): Promise<void> =>
  writeHistory(
    { insert: (task) => device.put(task), update: (id, change) => void device.update(id, change) },
    history,
    { from, to, opsAPause: OPS_A_TRANSACTION, paused: () => device.stored() },
  )

/** The relay has all; the device that is behind is a copy of the only writer, made earlier. */
export const prepareBehind = async (folder: string, history: History, behind: number): Promise<void> => {
  const path = join(folder, WHOLE)
  const early = await openDevice({ path })
  await writeInGroups(early, history, 0, history.ops - behind)
  await early.close()
  await cp(path, join(folder, BEHIND))
  const relay = await openRelay({ path: join(folder, RELAY) })
  const hub = createHub(relay)
  const whole = await openDevice({ path, createWebSocket: hub.createWebSocket })
  await writeInGroups(whole, history, history.ops - behind)
  whole.join(HUB_URL)
  await hub.settled([whole])
  await whole.close()
  await relay.close()
}

export const openBehind = async (folder: string): Promise<Behind> => {
  const relay = await openRelay({ path: join(folder, RELAY), isNew: false })
  const hub = createHub(relay)
  const device = await openDevice({ path: join(folder, BEHIND), createWebSocket: hub.createWebSocket })
  return {
    device,
    travelled: () => [...hub.sent, ...hub.answered],
    async catchUp() {
      device.join(HUB_URL)
      await hub.settled([device])
    },
    async close() {
      await device.close()
      await relay.close()
    },
  }
}
