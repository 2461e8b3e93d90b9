import {
  newSpaceKey,
  openReplica,
  type Receipt,
  type Replica,
  type ReplicaKey,
  type ReplicaOptions,
} from '@driftlog/client'
import type { BatchStore } from '@driftlog/core'
import type { Change, Task } from '../../data/tasks.ts'
import type { Device } from '../subject.ts'
import { schema, SPACE } from './schema.ts'
import { batchesAbove } from './stores.ts'

const COLUMNS = ['id', 'title', 'done', 'priority', 'listId', 'changedAt'] as const

/** A replica over a store of its own, which closes with it. */
export class ReplicaDevice implements Device {
  readonly replica: Replica<typeof schema>
  readonly store: BatchStore
  protected last: Receipt<unknown> | undefined

  constructor(replica: Replica<typeof schema>, store: BatchStore) {
    this.replica = replica
    this.store = store
  }

  insert(task: Task): void {
    this.last = this.replica.mutate((tx) => tx.tasks.insert(task))
  }

  update(id: string, change: Change): void {
    this.last = this.replica.mutate((tx) => tx.tasks.update(id, change))
  }

  insertAll(tasks: readonly Task[]): void {
    this.last = this.replica.mutate((tx) => {
      for (const task of tasks) tx.tasks.insert(task)
    })
  }

  async read(id: string): Promise<Task | undefined> {
    const [task] = await this.replica.query((db) => db.selectFrom('tasks').where('id', '=', id).select(COLUMNS))
    return task
  }

  async count(): Promise<number> {
    const [{ count }] = await this.replica.query((db) =>
      db.selectFrom('tasks').select(({ fn }) => fn.countAll<number>().as('count')),
    )
    return count
  }

  readAll(): Promise<Task[]> {
    return this.replica.query((db) => db.selectFrom('tasks').select(COLUMNS))
  }

  readList(listId: string): Promise<Task[]> {
    return this.replica.query((db) => db.selectFrom('tasks').where('listId', '=', listId).select(COLUMNS))
  }

  async stored(): Promise<void> {
    await this.last?.stored
  }

  async log(): Promise<readonly Uint8Array[]> {
    return (await batchesAbove(this.store, new Map())).map(({ bytes }) => bytes)
  }

  async close(): Promise<void> {
    await this.replica.close()
    await this.store.close()
  }
}

/** One for all processes. */
let key: ReplicaKey = newSpaceKey({ bytes: (length) => new Uint8Array(length).fill(1) })

/** For the variant without encryption. */
export const doNotEncrypt = (): void => {
  key = 'unencrypted'
}

type Ways = Pick<ReplicaOptions<typeof schema>, 'transport' | 'online'>

export const openReplicaOver = (store: BatchStore, ways: Ways = {}): Promise<Replica<typeof schema>> =>
  openReplica({ schema, space: SPACE, key, store, ...ways })

export const openDevice = async (store: BatchStore, ways: Ways = {}): Promise<ReplicaDevice> =>
  new ReplicaDevice(await openReplicaOver(store, ways), store)
