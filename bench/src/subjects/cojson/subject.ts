import { type CoID, LocalNode, type RawCoMap } from 'cojson'
import { NapiCrypto } from 'cojson/crypto/NapiCrypto'
import type { Change, Task } from '../../data/tasks.ts'
import type { Device, Subject } from '../subject.ts'

type Row = RawCoMap<Record<string, string | number | boolean>>

/** The core of Jazz: a map of ids, and a map of its own for each row. */
class CoDevice implements Device {
  private readonly node: LocalNode
  private readonly group: ReturnType<LocalNode['createGroup']>
  private readonly index: RawCoMap<Record<string, CoID<Row>>>

  constructor(node: LocalNode) {
    this.node = node
    this.group = node.createGroup()
    this.index = this.group.createMap()
  }

  insert({ id, ...fields }: Task): void {
    const row: Row = this.group.createMap(fields)
    this.index.set(id, row.id)
  }

  update(id: string, change: Change): void {
    const row = this.row(id)!
    for (const [field, value] of Object.entries(change)) row.set(field, value)
  }

  insertAll(tasks: readonly Task[]): void {
    const ids: Record<string, CoID<Row>> = {}
    for (const { id, ...fields } of tasks) ids[id] = (this.group.createMap(fields) as Row).id
    this.index.assign(ids)
  }

  private row(id: string): Row | undefined {
    const coId = this.index.get(id)
    return coId && (this.node.expectCoValueLoaded(coId).getCurrentContent() as unknown as Row)
  }

  async read(id: string): Promise<Task | undefined> {
    const row = this.row(id)
    return row && ({ id, ...row.toJSON() } as unknown as Task)
  }

  async count(): Promise<number> {
    return this.index.keys().length
  }

  async readAll(): Promise<Task[]> {
    return this.index.keys().map((id) => ({ id, ...this.row(id)!.toJSON() }) as unknown as Task)
  }

  async stored(): Promise<void> {}

  async close(): Promise<void> {
    await this.node.gracefulShutdown()
  }
}

export const cojson: Subject = {
  async openInMemory() {
    const crypto = await NapiCrypto.create()
    const secret = crypto.newRandomAgentSecret()
    const session = crypto.newRandomSessionID(crypto.getAgentID(secret))
    return new CoDevice(new LocalNode(secret, session, crypto))
  },
}
