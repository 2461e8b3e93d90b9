import { describe, expect, test } from 'vitest'
import type { DriftlogError } from '../errors.ts'
import { f } from './f.ts'
import type { FieldBuilder } from './field.ts'
import { defineSchema, table } from './schema.ts'

const refusal = (make: () => unknown): { code: string; message: string } => {
  try {
    make()
  } catch (error) {
    return error as DriftlogError
  }
  throw new Error('was not refused')
}

const oneField =
  (name: string, field: FieldBuilder): (() => unknown) =>
  () =>
    defineSchema({ version: 1, tables: { t: table({ [name]: field }) } })

describe('defineSchema', () => {
  test.each(['', '1st', 'a-b', 'a b', '_a', 'sqliteX', 'SQLite_stat', 'ä', 'a"b', '__proto__', 'x'.repeat(65)])(
    '[SCH1] refuses %j as a name of a table and of a field',
    (name) => {
      const tables = Object.fromEntries([[name, table({ a: f.string() })]])
      expect(refusal(() => defineSchema({ version: 1, tables })).code).toBe('SCHEMA_INVALID')
      const fields = Object.fromEntries([[name, f.string()]])
      expect(refusal(() => defineSchema({ version: 1, tables: { t: table(fields) } })).code).toBe('SCHEMA_INVALID')
    },
  )

  test.each(['id', 'ID', 'createdAt', 'createdat', 'createdBy', 'updatedAt'])(
    '[SCH1] every row has %s already',
    (name) => {
      expect(refusal(oneField(name, f.string())).message).toMatch(/every row has/)
    },
  )

  test('[SCH1] names that differ in case only would be one name in SQL', () => {
    const fields = { title: f.string(), Title: f.string() }
    expect(refusal(() => defineSchema({ version: 1, tables: { t: table(fields) } })).message).toMatch(
      /"title" and "Title"/,
    )
    const tables = { a: table(fields), A: table(fields) }
    expect(refusal(() => defineSchema({ version: 1, tables })).message).toMatch(/"a" and "A"/)
  })

  test('[SCH1] names that mean something in SQL or JavaScript are free', () => {
    const fields = {
      select: f.string(),
      rowid: f.integer(),
      docid: f.string().search(),
      constructor: f.string(),
      order: f.date(),
    }
    const schema = defineSchema({ version: 1, tables: { table: table(fields), constructor: table(fields) } })
    expect(Object.keys(schema.tables.constructor.fields)).toEqual(Object.keys(fields))
  })

  test('[SCH2] refuses a ref to a table that is not there, and an index on what is not a field', () => {
    expect(refusal(oneField('a', f.ref('nowhere'))).message).toMatch(/t\.a refers to "nowhere"/)
    expect(refusal(oneField('a', f.ref('toString'))).message).toMatch(/refers to "toString"/)
    const indexed =
      (...indexes: string[][]) =>
      () =>
        defineSchema({ version: 1, tables: { t: table<Record<string, FieldBuilder>>({ a: f.string() }, { indexes }) } })
    expect(refusal(indexed(['b'])).message).toMatch(/names "b"/)
    expect(refusal(indexed([])).message).toMatch(/names no field/)
    expect(refusal(indexed(['a', 'a'])).message).toMatch(/twice/)
    expect(indexed(['a'], ['updatedAt', 'a'])).not.toThrow()
  })

  test('[SCH3] refuses a default that the field cannot hold, and says why', () => {
    expect(refusal(oneField('a', f.number().default(Number.NaN))).message).toMatch(
      /default of t\.a is NaN is not a finite/,
    )
    expect(refusal(oneField('a', f.date().default(new Date(Number.NaN)))).message).toMatch(/invalid Date/)
    expect(refusal(oneField('a', f.enum('x', 'y').default('z' as 'x'))).message).toMatch(/"z" is not one of x, y/)
    expect(refusal(oneField('a', f.json().default(new Map() as never))).message).toMatch(/a Map/)
    expect(refusal(oneField('a', f.enum('x', 'x'))).message).toMatch(/stands twice/)
  })

  test.each([0, -1, 1.5, Number.NaN, 2 ** 53])('[SCH4] refuses %s as a version', (version) => {
    expect(refusal(() => defineSchema({ version, tables: { t: table({ a: f.string() }) } })).message).toMatch(/version/)
  })

  test('[SCH4] refuses what is not made by table and f', () => {
    expect(refusal(() => defineSchema({ version: 1, tables: {} })).code).toBe('SCHEMA_INVALID')
    expect(refusal(() => defineSchema({ version: 1, tables: { t: {} as never } })).message).toMatch(/made by table/)
    expect(refusal(oneField('a', {} as never)).message).toMatch(/t\.a is not made by f/)
    const onDelete = 'never' as 'update-wins'
    expect(refusal(() => defineSchema({ version: 1, tables: { t: table({}, { onDelete }) } })).message).toMatch(
      /onDelete/,
    )
  })

  test('[SCH4] a schema is immutable, and so are the parts it is made of', () => {
    const given = { theme: 'light', sizes: [1, 2] }
    const fields = { title: f.string(), settings: f.json().default(given) }
    const schema = defineSchema({ version: 3, tables: { t: table(fields, { indexes: [['title']] }) } })
    given.sizes.push(3)
    const { settings } = schema.tables.t.fields
    expect(settings).toMatchObject({
      table: 't',
      name: 'settings',
      kind: 'json',
      fallback: { theme: 'light', sizes: [1, 2] },
    })
    const parts = [
      schema,
      schema.tables,
      schema.tables.t,
      schema.tables.t.fields,
      schema.tables.t.indexes,
      settings,
      settings.fallback,
    ]
    for (const part of [...parts, f, fields.title]) expect(Object.isFrozen(part)).toBe(true)
    const title = f.string()
    title.optional()
    expect(title.definition.isOptional).toBe(false)
  })
})
