import { createWebSocket, type CreateWebSocket, type OwnerTransport } from '@evolu/common'
import type { Change, Task } from '../../data/tasks.ts'
import type { Connected, Watchable } from '../subject.ts'
import { sqliteDriver } from './driver.ts'
import { type Opened, openEvolu } from './platform.ts'
import { appOwner, createQuery, type Found, idOf, taskOf, valuesOf } from './schema.ts'

const COLUMNS = ['id', 'title', 'done', 'priority', 'listId', 'changedAt'] as const

const counting = createQuery((db) => db.selectFrom('tasks').select(({ fn }) => fn.countAll<number>().as('count')))
const everything = createQuery((db) => db.selectFrom('tasks').select(COLUMNS))

/** A query of a watched list that nothing else asks, and that answers differently each time that it runs. */
const openOf = (listId: string, isMarked: boolean) =>
  createQuery((db) =>
    db
      .selectFrom('tasks')
      .where('listId', '=', listId as never)
      .where('done', '=', 0 as never)
      .select(({ fn }) => [fn.countAll<number>().as('count')])
      .$if(isMarked, (query) => query.select(({ fn }) => fn<number>('random').as('mark'))),
  )

export class EvoluDevice implements Connected, Watchable {
  readonly opened: Opened
  #last: Promise<void> = Promise.resolve()
  #leave = (): void => {}

  constructor(opened: Opened) {
    this.opened = opened
  }

  /** What is written in one microtask is one transaction, so the next write must come in a later one. */
  async insert(task: Task): Promise<void> {
    this.put(task)
  }

  async update(id: string, change: Change): Promise<void> {
    this.#last = new Promise((onComplete) => {
      this.opened.evolu.update('tasks', { id: idOf(id), ...valuesOf(change) } as never, { onComplete })
    })
  }

  insertAll(tasks: readonly Task[]): void {
    for (const task of tasks) this.put(task)
  }

  /** Together with what else is put before the next microtask. */
  put({ id, ...fields }: Task): void {
    this.#last = new Promise((onComplete) => {
      this.opened.evolu.upsert('tasks', { id: idOf(id), ...valuesOf(fields) } as never, { onComplete })
    })
  }

  async read(id: string): Promise<Task | undefined> {
    const query = createQuery((db) => db.selectFrom('tasks').where('id', '=', idOf(id)).select(COLUMNS))
    const [found] = await this.opened.evolu.loadQuery(query as never)
    return found && taskOf(found as unknown as Found)
  }

  async count(): Promise<number> {
    const [{ count }] = (await this.opened.evolu.loadQuery(counting as never)) as unknown as [{ count: number }]
    return count
  }

  async readAll(): Promise<Task[]> {
    const found = (await this.opened.evolu.loadQuery(everything as never)) as unknown as Found[]
    return found.map(taskOf)
  }

  stored(): Promise<void> {
    return this.#last
  }

  async watchTitle(id: string, seen: (title: string) => void): Promise<() => void> {
    const query = createQuery((db) => db.selectFrom('tasks').where('id', '=', idOf(id)).select('title'))
    return this.#watch(query, ([row]) => row !== undefined && seen(row.title as string))
  }

  async watchOpen(listId: string, seen: (count: number) => void): Promise<void> {
    await this.#watch(openOf(listId, false), ([row]) => seen(row.count as number))
  }

  async watchRuns(listId: string, ran: () => void): Promise<void> {
    await this.#watch(openOf(listId, true), ran)
  }

  async #watch(query: unknown, tell: (rows: readonly Record<string, unknown>[]) => void): Promise<() => void> {
    const { evolu } = this.opened
    const look = (): void => tell(evolu.getQueryRows(query as never))
    const stop = evolu.subscribeQuery(query as never)(look)
    await evolu.loadQuery(query as never)
    return stop
  }

  /** From now on it exchanges what it has with a relay. */
  join(url: string): void {
    const transport: OwnerTransport = { type: 'WebSocket', url }
    this.#leave = this.opened.evolu.useOwner(appOwner, [transport])
  }

  leave(): void {
    this.#leave()
    this.#leave = () => {}
  }

  async acknowledged(): Promise<void> {
    await this.stored()
    await this.inSync()
  }

  inSync(): Promise<void> {
    const { opened } = this
    if (opened.isSynced()) return Promise.resolve()
    return new Promise((resolve) => {
      const stop = opened.onSyncState(() => {
        if (!opened.isSynced()) return
        stop()
        resolve()
      })
    })
  }

  async close(): Promise<void> {
    await this.stored()
    await this.opened.close()
  }
}

interface Ways {
  readonly path?: string
  readonly createWebSocket?: CreateWebSocket
}

export const openDevice = async ({
  path,
  createWebSocket: create = createWebSocket,
}: Ways = {}): Promise<EvoluDevice> => new EvoluDevice(await openEvolu(sqliteDriver(path), create))
