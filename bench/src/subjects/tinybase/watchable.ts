import { createQueries } from 'tinybase'
import type { Watchable } from '../subject.ts'
import { TinyDevice } from './device.ts'

export class WatchableTiny extends TinyDevice implements Watchable {
  private readonly queries = createQueries(this.store)

  async watchOpen(listId: string, seen: (count: number) => void): Promise<void> {
    this.queries.setQueryDefinition(listId, 'tasks', ({ select, where, group }) => {
      select('listId')
      select('done')
      where('listId', listId)
      where('done', false)
      group('done', 'count').as('open')
    })
    const count = (): number =>
      Number(this.queries.getResultCell(listId, this.queries.getResultRowIds(listId)[0], 'open') ?? 0)
    this.queries.addResultTableListener(listId, () => seen(count()))
    seen(count())
  }
}
