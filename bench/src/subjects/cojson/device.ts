import { type CoID, LocalNode, type RawCoMap } from 'cojson'
import { NapiCrypto } from 'cojson/crypto/NapiCrypto'
import type { Change, Task } from '../../data/tasks.ts'
import type { Connected } from '../subject.ts'

type Row = RawCoMap<Record<string, string | number | boolean>>
export type Index = RawCoMap<Record<string, CoID<Row>>>

export const crypto = await NapiCrypto.create()
export type Secret = ReturnType<typeof crypto.newRandomAgentSecret>

/** All devices of one person share a secret; each has a session of its own. */
export const createNode = (secret: Secret = crypto.newRandomAgentSecret()): LocalNode =>
  new LocalNode(secret, crypto.newRandomSessionID(crypto.getAgentID(secret)), crypto)

/** A map of ids, and a map of its own for each row. */
export class CoDevice implements Connected {
  readonly node: LocalNode
  readonly index: Index

  constructor(node: LocalNode, index: Index) {
    this.node = node
    this.index = index
  }

  insert({ id, ...fields }: Task): void {
    const row: Row = this.index.group.createMap(fields)
    this.index.set(id, row.id)
  }

  update(id: string, change: Change): void {
    const row = this.row(id)!
    for (const [field, value] of Object.entries(change)) row.set(field, value)
  }

  insertAll(tasks: readonly Task[]): void {
    const ids: Record<string, CoID<Row>> = {}
    for (const { id, ...fields } of tasks) ids[id] = (this.index.group.createMap(fields) as Row).id
    this.index.assign(ids)
  }

  private row(id: string): Row | undefined {
    const coId = this.index.get(id)
    return coId && (this.node.expectCoValueLoaded(coId).getCurrentContent() as unknown as Row)
  }

  private async load(id: string): Promise<Row | undefined> {
    const coId = this.index.get(id)
    const row = coId && (await this.node.load(coId))
    return row === 'unavailable' ? undefined : row
  }

  async loadAll(): Promise<void> {
    await Promise.all(this.index.keys().map((id) => this.load(id)))
  }

  async read(id: string): Promise<Task | undefined> {
    const row = await this.load(id)
    return row && ({ id, ...row.toJSON() } as unknown as Task)
  }

  async count(): Promise<number> {
    return this.index.keys().length
  }

  async readAll(): Promise<Task[]> {
    await this.loadAll()
    return this.index.keys().map((id) => ({ id, ...this.row(id)!.toJSON() }) as unknown as Task)
  }

  /** Where there is a storage, it has everything afterwards. */
  async stored(): Promise<void> {
    await this.node.syncManager.waitForAllCoValuesSync()
  }

  async watchTitle(id: string, seen: (title: string) => void): Promise<() => void> {
    const row = (await this.load(id))!
    return row.subscribe((now) => seen((now as Row).get('title') as string))
  }

  async acknowledged(): Promise<void> {
    await this.node.syncManager.waitForAllCoValuesSync()
  }

  /** It hears of what others wrote when it comes: nothing says that there is no more. */
  async inSync(): Promise<void> {}

  async close(): Promise<void> {
    await this.node.gracefulShutdown()
  }
}

export const createDevice = (node: LocalNode): CoDevice => new CoDevice(node, node.createGroup().createMap())

export const loadDevice = async (node: LocalNode, id: Index['id']): Promise<CoDevice> => {
  const index = await node.load(id)
  if (index === 'unavailable') throw new Error('the map of ids is not there')
  const device = new CoDevice(node, index)
  await device.loadAll()
  return device
}
