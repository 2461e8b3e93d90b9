import { memoryStore } from '@driftlog/core'
import type { Watchable } from '../subject.ts'
import { openReplicaOver, ReplicaDevice } from './device.ts'

class WatchableDevice extends ReplicaDevice implements Watchable {
  async watchOpen(listId: string, seen: (count: number) => void): Promise<void> {
    const rows$ = this.replica.watch((db) =>
      db
        .selectFrom('tasks')
        .where('listId', '=', listId)
        .where('done', '=', false)
        .select(({ fn }) => fn.countAll<number>().as('count')),
    )
    rows$.subscribe(([row]) => seen(row.count))
  }

  async watchRuns(listId: string, ran: () => void): Promise<void> {
    const rows$ = this.replica.watch((db) =>
      db
        .selectFrom('tasks')
        .where('listId', '=', listId)
        .where('done', '=', false)
        .select(({ fn }) => [fn.countAll<number>().as('count'), fn<number>('random').as('mark')]),
    )
    rows$.subscribe(ran)
  }
}

export const openWatchable = async (): Promise<Watchable> => {
  const store = memoryStore()
  return new WatchableDevice(await openReplicaOver(store), store)
}
