/** Devices of one person that meet at a node that stands for the server. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type History, writeHistory } from '../../data/history.ts'
import type { Task } from '../../data/tasks.ts'
import type { Behind, Device, Group } from '../subject.ts'
import { CoDevice, createDevice, createNode, crypto, type Index, loadDevice, type Secret } from './device.ts'
import { Hub } from './hub.ts'
import { openStorage } from './storage.ts'

const NAMES = 'names.json'
const DEVICE = 'device.db'
const BEHIND = 'behind.db'
const WHOLE = 'whole.db'
const UNTIMED = { isDurable: false }

interface Names {
  readonly secret: Secret
  readonly index: Index['id']
}

/** A device on its own, that meets an empty node only to show what it would send. */
class LoneDevice extends CoDevice {
  async log(): Promise<readonly Uint8Array[]> {
    const hub = new Hub()
    const unlink = hub.link(this.node)
    await hub.settled([this.node])
    unlink()
    return hub.sent
  }
}

export const openLoneDevice = async (): Promise<Device> => {
  const { node, index } = createDevice(createNode())
  return new LoneDevice(node, index)
}

export const openGroup = async (size: number, tasks: readonly Task[]): Promise<Group> => {
  const secret = crypto.newRandomAgentSecret()
  const hub = new Hub()
  const origin = createDevice(createNode(secret))
  origin.insertAll(tasks)
  const unlink = hub.link(origin.node)
  await hub.settled([origin.node])
  unlink()
  const devices: CoDevice[] = []
  for (let count = 0; count < size; count++) {
    const node = createNode(secret)
    const leave = hub.link(node)
    devices.push(await loadDevice(node, origin.index.id))
    await hub.settled([node])
    leave()
  }
  const start = hub.sent.length
  return {
    devices,
    async converge() {
      for (const { node } of devices) hub.link(node)
      await hub.settled(devices.map(({ node }) => node))
      return hub.sent.slice(start)
    },
    async close() {
      for (const device of [origin, ...devices]) await device.close()
      await hub.node.gracefulShutdown()
    },
  }
}

const storedDevice = (path: string, secret: Secret, options?: { readonly isDurable: boolean }): CoDevice => {
  const node = createNode(secret)
  node.setStorage(openStorage(path, options))
  return createDevice(node)
}

export const openFile = async (path: string): Promise<Device> => storedDevice(path, crypto.newRandomAgentSecret())

const writeNames = (folder: string, names: Names): Promise<void> =>
  writeFile(join(folder, NAMES), JSON.stringify(names))

const readNames = async (folder: string): Promise<Names> =>
  JSON.parse(await readFile(join(folder, NAMES), 'utf8')) as Names

const pausesOf = (device: CoDevice) => ({ opsAPause: 1_000, paused: () => device.stored() })

export const prepareCold = async (folder: string, history: History): Promise<void> => {
  const secret = crypto.newRandomAgentSecret()
  const device = storedDevice(join(folder, DEVICE), secret, UNTIMED)
  await writeHistory(device, history, pausesOf(device))
  await writeNames(folder, { secret, index: device.index.id })
  await device.close()
}

/** Loads every row, as the subjects do that load a document. */
export const openCold = async (folder: string): Promise<Device> => openStored(folder, DEVICE)

const openStored = async (folder: string, file: string): Promise<CoDevice> => {
  const { secret, index } = await readNames(folder)
  const node = createNode(secret)
  node.setStorage(openStorage(join(folder, file), UNTIMED))
  return loadDevice(node, index)
}

/** Two files: one of all ops, and one of those that the device has. */
export const prepareBehind = async (folder: string, history: History, behind: number): Promise<void> => {
  const secret = crypto.newRandomAgentSecret()
  const device = storedDevice(join(folder, WHOLE), secret, UNTIMED)
  await writeHistory(device, history, { ...pausesOf(device), to: history.ops - behind })
  const hub = new Hub()
  hub.node.setStorage(openStorage(join(folder, BEHIND), UNTIMED))
  const unlink = hub.link(device.node)
  await hub.settled([device.node])
  unlink()
  await hub.node.gracefulShutdown()
  await writeHistory(device, history, { ...pausesOf(device), from: history.ops - behind })
  await writeNames(folder, { secret, index: device.index.id })
  await device.close()
}

export const openBehind = async (folder: string): Promise<Behind> => {
  const hub = new Hub()
  hub.node.setStorage(openStorage(join(folder, WHOLE), UNTIMED))
  const device = await openStored(folder, BEHIND)
  const { length } = hub.sent
  return {
    device,
    travelled: () => [...hub.sent.slice(length), ...hub.answered],
    async catchUp() {
      hub.link(device.node)
      await hub.settled([device.node])
    },
    async close() {
      await device.close()
      await hub.node.gracefulShutdown()
    },
  }
}
