import { memoryStore, type QueryBuilder } from '@driftlog/core'
import type { Watchable } from '../subject.ts'
import { openReplicaOver, ReplicaDevice } from './device.ts'
import type { schema } from './schema.ts'

class WatchableDevice extends ReplicaDevice implements Watchable {
  async watchOpen(listId: string, seen: (count: number) => void): Promise<void> {
    this.replica.watch((db) => openIn(db, listId)).subscribe(([row]) => seen(row.count))
  }

  /** A query with a random number would run again whatever changed: which rows it reads cannot be told. So reads of its parameters count. */
  async watchRuns(listId: string, ran: () => void): Promise<void> {
    this.replica
      .watch((db) => {
        const query = openIn(db, listId)
        return { compile: () => counted(query.compile(), ran) }
      })
      .subscribe()
  }
}

const openIn = (db: QueryBuilder<typeof schema>, listId: string) =>
  db
    .selectFrom('tasks')
    .where('listId', '=', listId)
    .where('done', '=', false)
    .select(({ fn }) => fn.countAll<number>().as('count'))

type Compiled = ReturnType<ReturnType<typeof openIn>['compile']>

const counted = (compiled: Compiled, ran: () => void): Compiled => ({
  ...compiled,
  get parameters() {
    ran()
    return compiled.parameters
  },
})

export const openWatchable = async (): Promise<Watchable> => {
  const store = memoryStore()
  return new WatchableDevice(await openReplicaOver(store), store)
}
