/** A mutation while it is made: what it asks for is passed on and told, and the ids of rows are remembered. */
import type { Tx } from '@driftlog/client'
import type { InferRow, Schema } from '@driftlog/core'
import { textOfValue } from './report-text.ts'

type Writer = Tx<Schema>[string]

/** The live rows of a table as the mutation sees them. */
export type RowsHere<S extends Schema> = <K extends keyof S['tables'] & string>(table: K) => InferRow<S['tables'][K]>[]

export class Recorder<S extends Schema> {
  /** Of all rows that any device inserted, by table, in the order of their making. */
  readonly #known = new Map<string, Set<string>>()

  /** Runs `work` on `tx`; answers what it asked for, in words. */
  record(tx: Tx<S>, work: (tx: Tx<S>, rows: RowsHere<S>) => unknown): string {
    const said: string[] = []
    const told: Record<string, Writer> = {}
    for (const [name, writer] of Object.entries(tx as unknown as Tx<Schema>)) {
      told[name] = {
        insert: (row) => {
          const id = writer.insert(row)
          this.#ids(name).add(id)
          said.push(`inserts ${name}/${id} ${textOfValue({ ...row, id: undefined })}`)
          return id
        },
        update: (id, changes, options) => {
          writer.update(id, changes, options)
          said.push(`updates ${name}/${id} ${textOfValue(changes)}`)
        },
        delete: (id, options) => {
          writer.delete(id, options)
          said.push(`deletes ${name}/${id}`)
        },
        restore: (id) => {
          writer.restore(id)
          said.push(`restores ${name}/${id}`)
        },
        erase: (id) => {
          writer.erase(id)
          said.push(`erases ${name}/${id}`)
        },
        get: (id) => writer.get(id),
      }
    }
    const rows = (table: string) => [...this.#ids(table)].flatMap((id) => told[table].get(id) ?? [])
    const result = work(told as unknown as Tx<S>, rows as RowsHere<S>)
    // Mutations are synchronous: the product refuses a promise, and has to see it.
    if (typeof (result as PromiseLike<unknown> | undefined)?.then === 'function')
      throw new Error('it returns a promise')
    return said.join(', ')
  }

  #ids(table: string): Set<string> {
    const ids = this.#known.get(table) ?? new Set()
    this.#known.set(table, ids)
    return ids
  }
}
