/**
 * What all libraries have in common that keep a document, save it as bytes, and give the changes since a version: the
 * abilities that follow from that alone, so that every such library is measured doing the same.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type History, writeHistory } from '../../data/history.ts'
import type { Task, Update } from '../../data/tasks.ts'
import type { Abilities, Behind, Device, Group } from '../subject.ts'

/** A device over a document. */
export interface DocumentDevice<Version> extends Device {
  version(): Version
  changesSince(version: Version): Uint8Array
  take(changes: readonly Uint8Array[]): void
  save(): Uint8Array
}

export interface DocumentKind<Version> {
  create(): DocumentDevice<Version>
  /** A further replica of what was saved. */
  load(saved: Uint8Array): DocumentDevice<Version>
}

type Derived = Pick<Abilities, 'openInMemory' | 'openGroup' | 'cold' | 'late' | 'openReader'>

export const documentAbilities = <Version>(kind: DocumentKind<Version>): Derived => ({
  openInMemory: async () => kind.create(),
  openGroup: (size, tasks) => openGroup(kind, size, tasks),
  cold: {
    prepare: async (folder, history) => writeFile(join(folder, WHOLE), (await written(kind, history)).save()),
    open: async (folder) => kind.load(await readFile(join(folder, WHOLE))),
  },
  late: {
    prepare: (folder, history, behind) => prepareBehind(kind, folder, history, behind),
    open: (folder) => openBehind(kind, folder),
  },
  openReader: (tasks, authors) => openReader(kind, tasks, authors),
})

const WHOLE = 'whole.bin'
const BEHIND = 'behind.bin'

const written = async <Version>(kind: DocumentKind<Version>, history: History): Promise<DocumentDevice<Version>> => {
  const device = kind.create()
  await writeHistory(device, history)
  return device
}

const makeOrigin = async <Version>(kind: DocumentKind<Version>, tasks: readonly Task[]): Promise<Uint8Array> => {
  const device = kind.create()
  await device.insertAll(tasks)
  return device.save()
}

const openGroup = async <Version>(
  kind: DocumentKind<Version>,
  size: number,
  tasks: readonly Task[],
): Promise<Group> => {
  const origin = await makeOrigin(kind, tasks)
  const devices = Array.from({ length: size }, () => kind.load(origin))
  const start = devices[0].version()
  return {
    devices,
    async converge() {
      const sent = devices.map((device) => device.changesSince(start))
      for (const [index, device] of devices.entries()) device.take(sent.filter((_, from) => from !== index))
      return sent
    },
    async close() {
      for (const device of devices) await device.close()
    },
  }
}

const prepareBehind = async <Version>(
  kind: DocumentKind<Version>,
  folder: string,
  history: History,
  behind: number,
): Promise<void> => {
  const device = kind.create()
  await writeHistory(device, history, { to: history.ops - behind })
  await writeFile(join(folder, BEHIND), device.save())
  await writeHistory(device, history, { from: history.ops - behind })
  await writeFile(join(folder, WHOLE), device.save())
}

const openBehind = async <Version>(kind: DocumentKind<Version>, folder: string): Promise<Behind> => {
  const whole = kind.load(await readFile(join(folder, WHOLE)))
  const device = kind.load(await readFile(join(folder, BEHIND)))
  let changes: Uint8Array[] = []
  return {
    device,
    travelled: () => changes,
    async catchUp() {
      changes = [whole.changesSince(device.version())]
      device.take(changes)
    },
    close: () => device.close(),
  }
}

const openReader = async <Version>(
  kind: DocumentKind<Version>,
  tasks: readonly Task[],
  authors: readonly (readonly Update[])[],
): Promise<Behind> => {
  const origin = await makeOrigin(kind, tasks)
  const device = kind.load(origin)
  const start = device.version()
  const changes: Uint8Array[] = []
  for (const updates of authors) {
    const author = kind.load(origin)
    for (const { id, change } of updates) await author.update(id, change)
    changes.push(author.changesSince(start))
    await author.close()
  }
  return {
    device,
    travelled: () => changes,
    catchUp: async () => device.take(changes),
    close: () => device.close(),
  }
}
