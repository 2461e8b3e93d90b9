import type { Schema } from '@driftlog/core'
import type { Compilable } from 'kysely'
import type { LiveTables } from '../query/live-tables.ts'

/** The query builder knows its tables only when it runs. */
interface AnyTables {
  selectFrom(table: string): { selectAll(): { orderBy(column: string): Compilable<unknown> } }
}

/** See `Replica.exportPlain`. */
export const plainJson = async <S extends Schema>({
  schema,
  space,
  tables,
}: {
  readonly schema: S
  readonly space: string
  readonly tables: LiveTables<S>
}): Promise<Uint8Array> => {
  const shown: Record<string, unknown> = {}
  for (const name of Object.keys(schema.tables)) {
    shown[name] = await tables.query((db) => (db as unknown as AnyTables).selectFrom(name).selectAll().orderBy('id'))
  }
  return new TextEncoder().encode(JSON.stringify({ space, schemaVersion: schema.version, tables: shown }))
}
