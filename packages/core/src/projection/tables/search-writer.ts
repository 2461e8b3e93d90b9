/**
 * Keeps a table's full-text index in step (TAB6). Tokenizing is what costs, so a row is indexed again only where its
 * searchable text changed; the index holds a copy of that text to compare with.
 */
import type { Database } from 'sql.js'
import type { SqlValue } from '../../schema/kinds/kind.ts'
import { quote, searchColumn, type TableLayout } from './layout.ts'

export interface SearchWriter {
  /** Takes a live row into the next `write`. `textOf` gives the text of a field by its index in the table. */
  prepare(number: number, wasPresent: boolean, textOf: (field: number) => SqlValue): void
  remove(number: number): void
  write(): void
}

export const createSearchWriter = (database: Database, { searchable, searchTable }: TableLayout): SearchWriter => {
  const name = quote(searchTable)
  const columns = searchable.map((_, index) => searchColumn(index)).join(', ')
  const selectOne = database.prepare(`SELECT ${columns} FROM ${name} WHERE docid = ?`)
  const deleteOne = database.prepare(`DELETE FROM ${name} WHERE docid = ?`)
  const insertOne = database.prepare(
    `INSERT INTO ${name} (docid, ${columns}) VALUES (?, ${searchable.map(() => '?').join(', ')})`,
  )
  const pending = new Map<number, SqlValue[]>()

  const isIndexed = (number: number, texts: readonly SqlValue[]): boolean => {
    selectOne.bind([number])
    const isSame = selectOne.step() && selectOne.get().every((text, index) => text === texts[index])
    selectOne.reset()
    return isSame
  }

  return {
    prepare: (number, wasPresent, textOf) => {
      const texts = searchable.map(textOf)
      if (wasPresent && !pending.has(number)) {
        if (isIndexed(number, texts)) return
        deleteOne.run([number])
      }
      pending.set(number, texts)
    },
    remove: (number) => {
      if (!pending.delete(number)) deleteOne.run([number])
    },
    write: () => {
      for (const [number, texts] of pending) insertOne.run([number, ...texts])
      pending.clear()
    },
  }
}
