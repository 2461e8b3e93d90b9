/** The fields whose laws are not a register's, and how a register chooses. */
import { describe, expect, expectTypeOf, test } from 'vitest'
import type { DriftlogError } from '../errors.ts'
import { Law } from '../op/law.ts'
import { decodeField, encodeField, lawOf, shownValue } from './encode.ts'
import { f } from './f.ts'
import type { ElementChange, FieldBuilder, Increment, ItemChange, ListItem } from './field.ts'
import type { InferInsert, InferRow, InferUpdate } from './infer.ts'
import { defineSchema, table, type TableOptions } from './schema.ts'
import { ruleOf, strategies, type Strategy } from './strategy.ts'

const refusal = (make: () => unknown): { code: string; message: string } => {
  try {
    make()
  } catch (error) {
    return error as DriftlogError
  }
  throw new Error('was not refused')
}
const define = (field: FieldBuilder, options: TableOptions<'a'> = {}) =>
  defineSchema({ version: 1, tables: { t: table({ a: field }, options) } })
const fieldOf = (field: FieldBuilder, options?: TableOptions<'a'>) => define(field, options).tables.t.fields.a
const custom = { name: 'mine', version: 1, merge: () => 'x' }

describe('what a schema refuses', () => {
  test.each<[string, FieldBuilder, RegExp]>([
    ['a set of sets', f.set(f.set(f.string())), /a set cannot hold what f\.set makes/],
    ['a set of lists', f.set(f.list(f.string())), /a set cannot hold what f\.list makes/],
    ['a set of JSON', f.set(f.json()), /a set cannot hold what f\.json makes/],
    ['a set of counters', f.set(f.counter()), /a set cannot hold what f\.counter makes/],
    ['a set of what is optional', f.set(f.string().optional()), /a set cannot hold what f\.string makes/],
    ['a set of nothing', f.set({} as FieldBuilder), /a set cannot hold what f\.nothing makes/],
    ['a list of lists', f.list(f.list(f.string())), /a list cannot hold what f\.list makes/],
    ['a list of counters', f.list(f.counter()), /a list cannot hold what f\.counter makes/],
    ['a list of JSON under deep merge', f.list(f.json().deepMerge()), /a list cannot hold what f\.json makes/],
    ['a list of optional JSON', f.list(f.json().optional()), /a list cannot hold what f\.json makes/],
    ['a set of options that are none', f.set(f.enum('x', 'x')), /stands twice/],
    ['a set of references to nowhere', f.set(f.ref('nowhere')), /refers to "nowhere"/],
    ['a strategy beside deep merge', f.json().manual().deepMerge(), /under deep merge .* takes no strategy/],
    ['a set of what has a strategy', f.set(f.string().manual()), /what a set holds has no strategy/],
    ['a set of what is unique', f.set(f.string().unique()), /what a set holds .* is not unique/],
    ['a list of what is searched', f.list(f.string().search()), /what a list holds .* not searched/],
    ['a list of what has a default', f.list(f.integer().default(1)), /what a list holds has .* no default/],
    ['a set of references that cascade', f.set(f.ref('t', { onDelete: 'cascade' })), /a set keeps its references/],
    [
      'set-null where null is no value',
      f.ref('t', { onDelete: 'set-null' }),
      /set-null needs a field that is optional/,
    ],
    ['a ref that does what there is not', f.ref('t', { onDelete: 'explode' as 'keep' }), /keep, set-null or cascade/],
    ['unique JSON', { definition: { ...f.json().definition, isUnique: true } }, /one plain value can be unique/],
    [
      'a unique set',
      { definition: { ...f.set(f.string()).definition, isUnique: true } },
      /one plain value can be unique/,
    ],
    [
      'a unique counter',
      { definition: { ...f.counter().definition, isUnique: true } },
      /one plain value can be unique/,
    ],
    ['a tie rule that is none', f.string().timestamp({ tie: 'middle' as 'least' }), /greatest or least/],
    ['a rank that is no function', f.string().priority(5 as never), /priority takes a function/],
    ['a custom without a name', f.string().custom({ ...custom, name: '' }), /has a name/],
    ['a custom with a name of spaces', f.string().custom({ ...custom, name: 'a b' }), /has a name/],
    ['a custom with a long name', f.string().custom({ ...custom, name: 'x'.repeat(65) }), /has a name/],
    ['a custom of version 0', f.string().custom({ ...custom, version: 0 }), /whole number/],
    ['a custom of version 1.5', f.string().custom({ ...custom, version: 1.5 }), /whole number/],
    ['a custom without a function', f.string().custom({ ...custom, merge: undefined as never }), /function merge/],
    [
      'a default for deep JSON that is no JSON',
      f
        .json()
        .default({ at: new Date() } as never)
        .deepMerge(),
      /default of t\.a/,
    ],
  ])('[SCH2 STRAT7] %s', (_, field, why) => {
    const { code, message } = refusal(() => define(field))
    expect(code).toBe('SCHEMA_INVALID')
    expect(message).toMatch(why)
  })

  test.each<[string, unknown]>([
    ['of no kind', {}],
    ['that is a name', 'manual'],
    ['of a kind that there is not', { kind: 'random' }],
  ])('[STRAT7] a table strategy %s', (_, strategy) => {
    expect(refusal(() => define(f.string(), { strategy: strategy as Strategy })).code).toBe('SCHEMA_INVALID')
  })

  test('[SCH7] a builder offers what its kind can do, at run time too', () => {
    const has = (builder: object): string[] =>
      Object.keys(builder)
        .filter((name) => name !== 'definition')
        .sort()
    const strategic = ['custom', 'lastWriterWins', 'manual', 'priority', 'timestamp']
    expect(has(f.counter())).toEqual(['growOnly'])
    expect(has(f.set(f.string()))).toEqual(['lastWrite'])
    expect(has(f.list(f.string()))).toEqual([])
    expect(has(f.json())).toEqual([...strategic, 'deepMerge', 'default', 'optional'].sort())
    expect(has(f.json().deepMerge())).toEqual(['default', 'optional'])
    expect(has(f.date())).toEqual([...strategic, 'default', 'optional', 'unique'].sort())
  })
})

describe('which strategy a field has', () => {
  test('[STRAT7] its own, else the table’s, else the last writer wins', () => {
    expect(ruleOf(fieldOf(f.string()).strategy)).toBe('last-writer-wins')
    expect(ruleOf(fieldOf(f.string(), { strategy: strategies.manual() }).strategy)).toBe('manual')
    const own = fieldOf(f.string().custom(custom), { strategy: strategies.manual() })
    expect(ruleOf(own.strategy)).toBe('custom:mine@1')
    expect(ruleOf(fieldOf(f.string().manual().timestamp()).strategy)).toBe('timestamp')
    // Order does not matter: a builder only says more.
    expect(fieldOf(f.string().manual().optional().unique())).toMatchObject({ isUnique: true, isOptional: true })
  })
})

describe('values of composed fields', () => {
  const tags = fieldOf(f.set(f.date()))
  const steps = fieldOf(f.list(f.json()))
  const settings = fieldOf(f.json().deepMerge().optional())
  const views = fieldOf(f.counter().growOnly())

  test('[SCH5] each names the law of its cells', () => {
    expect([tags, steps, settings, views, fieldOf(f.json())].map(lawOf)).toEqual([
      Law.add,
      Law.item,
      Law.put,
      Law.grow,
      Law.set,
    ])
  })

  test('[SCH5] what insert gives is encoded element by element; what does not fit is refused and named', () => {
    expect(encodeField(tags, [new Date(5)])).toEqual([5])
    expect(encodeField(steps, [{ a: 1 }, 'x'])).toEqual([{ a: 1 }, 'x'])
    for (const [field, value, why] of [
      [tags, ['soon'], /t\.a: a string instead of a Date/],
      [tags, [null], /null inside of it/],
      [tags, 'x', /instead of an array, f\.add/],
      [steps, [undefined], /undefined inside of it/],
      [steps, { 0: 'x' }, /instead of an array of values/],
      [views, -1, /only grows/],
      [views, f.increment(-1), /only grows/],
      [settings, { at: new Date() }, /a Date inside JSON/],
    ] as const) {
      expect(refusal(() => encodeField(field, value))).toMatchObject({ code: 'VALUE_INVALID' })
      expect(refusal(() => encodeField(field, value)).message).toMatch(why)
    }
    expect(refusal(() => encodeField(views, 1, 'update')).message).toMatch(/cannot be set/)
  })

  test('[SCH6] what nobody wrote is an empty set or list; what does not fit is not shown', () => {
    expect(decodeField(tags, undefined)).toEqual([])
    expect(decodeField(steps, undefined)).toEqual([])
    expect(decodeField(settings, undefined)).toBe(null)
    expect(decodeField(views, undefined)).toBe(0)
    expect(decodeField(tags, [5, 'no date', null, 6])).toEqual([new Date(5), new Date(6)])
    const items = [
      { id: 'i', value: new Uint8Array(1) },
      { id: 'j', value: 1 },
    ] as never
    expect(decodeField(steps, items)).toEqual([{ id: 'j', value: 1 }])
    expect(Object.isFrozen(shownValue(tags, undefined))).toBe(true)
  })
})

describe('what follows for the compiler', () => {
  interface Settings {
    readonly theme: 'light' | 'dark'
  }
  const schema = defineSchema({
    version: 1,
    tables: {
      notes: table({
        tags: f.set(f.string()),
        states: f.set(f.enum('open', 'done')).lastWrite(),
        steps: f.list(f.json<{ text: string }>()),
        settings: f.json<Settings>().deepMerge(),
        maybe: f.json<Settings>().deepMerge().optional(),
        views: f.counter().growOnly(),
        due: f.date().optional().manual(),
        owner: f.ref('notes', { onDelete: 'set-null' }).optional().unique(),
      }),
    },
  })
  type Note = InferRow<typeof schema.tables.notes>
  type NewNote = InferInsert<typeof schema.tables.notes>
  type Change = InferUpdate<typeof schema.tables.notes>

  test('[SCH7] rows', () => {
    expectTypeOf<Omit<Note, 'id' | 'createdAt' | 'createdBy' | 'updatedAt'>>().toEqualTypeOf<{
      tags: readonly string[]
      states: readonly ('open' | 'done')[]
      steps: readonly ListItem<{ text: string }>[]
      settings: Settings
      maybe: Settings | null
      views: number
      due: Date | null
      owner: string | null
    }>()
  })

  test('[SCH7] insert may leave out sets, lists and counters, and takes their first values', () => {
    const least: NewNote = { settings: { theme: 'dark' } }
    expect(least.settings.theme).toBe('dark')
    expectTypeOf<NewNote['tags']>().toEqualTypeOf<readonly string[] | undefined>()
    expectTypeOf<NewNote['steps']>().toEqualTypeOf<readonly { text: string }[] | undefined>()
    expectTypeOf<NewNote['views']>().toEqualTypeOf<number | Increment | undefined>()
    expectTypeOf<Record<never, never>>().not.toExtend<NewNote>()
  })

  test('[SCH7] update takes changes of composed fields', () => {
    expectTypeOf<Change['tags']>().toEqualTypeOf<readonly string[] | ElementChange<string> | undefined>()
    expectTypeOf<Change['steps']>().toEqualTypeOf<
      ItemChange<{ text: string }> | readonly ItemChange<{ text: string }>[] | undefined
    >()
    expectTypeOf<Change['settings']>().toEqualTypeOf<Settings | undefined>()
    expectTypeOf<Change['views']>().toEqualTypeOf<Increment | undefined>()
    const change: Change = {
      tags: f.add('a', 'b'),
      states: f.remove('open'),
      steps: [f.insertItem({ text: 'x' }, { at: 0 }), f.moveItem('i', 1), f.removeItem('j')],
    }
    expect(change.tags).toEqual({ change: 'add', elements: ['a', 'b'] })
    // @ts-expect-error an element has the set's type
    expect({ tags: f.add(1) } satisfies Change).toBeDefined()
    // @ts-expect-error so has an item
    expect({ steps: f.insertItem('x') } satisfies Change).toBeDefined()
  })

  test('[STRAT3 STRAT4] a strategy sees the field’s type', () => {
    f.date().priority(({ value, author, role }) => {
      expectTypeOf(value).toEqualTypeOf<Date>()
      expectTypeOf(author).toEqualTypeOf<string>()
      expectTypeOf(role).toEqualTypeOf<string | undefined>()
      return value.getTime()
    })
    f.enum('open', 'done').custom({
      name: 'done-wins',
      version: 1,
      merge: (all) => (all.some(({ value }) => value === 'done') ? 'done' : 'open'),
    })
    // @ts-expect-error what it returns has the field's type
    f.enum('open', 'done').custom({ name: 'wrong', version: 1, merge: () => 'shut' })
    // @ts-expect-error what a law of its own merges has no strategy
    expect(() => f.json().deepMerge().manual()).toThrow(TypeError)
    // @ts-expect-error JSON cannot be unique
    expect(() => f.json().unique()).toThrow(TypeError)
  })
})
