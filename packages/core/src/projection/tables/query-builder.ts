/** The query surface: Kysely, cut down in type to what reads. */
import {
  type CompiledQuery,
  type Driver,
  type Expression,
  expressionBuilder,
  Kysely,
  type QueryId,
  type RawNode,
  type RootOperationNode,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
  type SqlBool,
} from 'kysely'
import type { ReadonlyKysely } from 'kysely/readonly'
import { DriftlogError } from '../../errors.ts'
import type { InferDatabase, SearchableTable, TypedSchema } from '../../schema/infer.ts'
import type { CONFLICTS, ConflictRow } from '../view/conflict-table.ts'
import { ROW_NUMBER, searchTableOf } from './layout.ts'

/** What queries can read: the schema's tables, and those that every replica has. */
export type ReadableTables<S extends TypedSchema> = InferDatabase<S> & { readonly [CONFLICTS]: ConflictRow }

/** Builds selects over a schema's tables; `db` in `replica.query(db => …)`. It runs nothing itself. */
export interface QueryBuilder<S extends TypedSchema>
  extends Pick<
    ReadonlyKysely<ReadableTables<S>>,
    'selectFrom' | 'selectNoFrom' | 'with' | 'withRecursive' | 'fn' | 'dynamic' | 'case'
  > {
  /**
   * Rows in which every word of `text` begins some word of the searchable fields, whatever case and accents (Q7):
   * `db.selectFrom('tasks').where(db.search('tasks', 'milk')).selectAll()`. Text without a word finds nothing.
   * `alias`: what the query calls the table.
   */
  search(table: SearchableTable<S>, text: string, alias?: string): Expression<SqlBool>
}

const refuse = (): Promise<never> =>
  Promise.reject(
    new DriftlogError('QUERY_INVALID', 'a query runs where it is returned to query() or watch(), not by execute()'),
  )

const driver: Driver = {
  init: () => Promise.resolve(),
  acquireConnection: refuse,
  beginTransaction: refuse,
  commitTransaction: refuse,
  rollbackTransaction: refuse,
  releaseConnection: () => Promise.resolve(),
  destroy: () => Promise.resolve(),
}

/** The words of a text as an FTS4 expression of quoted prefixes: nothing that a person types is an operator. */
export const matchExpression = (text: string): string =>
  Array.from(text.normalize('NFC').matchAll(/[\p{L}\p{N}\p{M}\p{Co}]+/gu), ([word]) => `"${word}*"`).join(' ') || '""'

/** A query without raw SQL: its text alone tells what it reads and which columns it returns. */
interface PlainQuery extends CompiledQuery {
  readonly isPlain: boolean
}

export const isPlain = (query: CompiledQuery<unknown>): boolean => (query as Partial<PlainQuery>).isPlain === true

class Compiler extends SqliteQueryCompiler {
  #hasRaw = false

  override compileQuery(node: RootOperationNode, queryId: QueryId): PlainQuery {
    this.#hasRaw = false
    const { query, sql, parameters } = super.compileQuery(node, queryId)
    return { query, queryId, sql, parameters, isPlain: !this.#hasRaw }
  }

  protected override visitRaw(node: RawNode): void {
    this.#hasRaw = true
    super.visitRaw(node)
  }
}

type SearchDatabase = Record<string, Record<string, number | string>>

const search = (table: string, text: string, alias = table): Expression<SqlBool> => {
  const eb = expressionBuilder<SearchDatabase, string>()
  const index = searchTableOf(table)
  const found = eb.selectFrom(index).select('docid').where(index, 'match', matchExpression(text))
  return eb(`${alias}.${ROW_NUMBER}`, 'in', found)
}

export const createQueryBuilder = <S extends TypedSchema>(): QueryBuilder<S> => {
  const kysely = new Kysely<ReadableTables<S>>({
    dialect: {
      createAdapter: () => new SqliteAdapter(),
      createDriver: () => driver,
      createIntrospector: (db) => new SqliteIntrospector(db),
      createQueryCompiler: () => new Compiler(),
    },
  })
  return Object.assign(kysely as unknown as QueryBuilder<S>, { search })
}
