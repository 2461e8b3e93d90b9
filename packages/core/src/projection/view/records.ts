/** Makes the records of the conflicts of one row, as a schema sees them. */
import { isContest } from '../../cells/cell-state.ts'
import type { OpIndex } from '../../cells/ops.ts'
import { ABSENT, type Row, type Write } from '../../cells/row.ts'
import { type LifeSide, lifeSides, type Settled, type SettledWrite } from '../../cells/settled.ts'
import type { DeviceId } from '../../clock/dot.ts'
import { hlcToMs } from '../../clock/hlc.ts'
import { DriftlogError } from '../../errors.ts'
import { contestedElements, type Elements } from '../../laws/elements.ts'
import { contestedItems, type List } from '../../laws/list.ts'
import { collisions, shown as shownTree, type Tree, type TreeWrite, valueAt } from '../../laws/tree.ts'
import { deviceOfRef, type DotRef } from '../../op/dot-ref.ts'
import { Law } from '../../op/law.ts'
import type { Value } from '../../op/value.ts'
import { decodeField } from '../../schema/encode.ts'
import { decodeElement, elementDefinition, elementKind } from '../../schema/kinds/element.ts'
import type { Table } from '../../schema/schema.ts'
import { ruleOf } from '../../schema/strategy.ts'
import { candidatesOf, type RegisterCandidate } from './choose.ts'
import type { Conflict, ConflictCandidate } from './conflict.ts'
import type { FieldView } from './field-view.ts'

/** A value with the op that wrote it. */
interface Side {
  readonly value: unknown
  readonly ref: DotRef
  /** Where they are not those of the op. */
  readonly claimed?: Pick<RegisterCandidate, 'author' | 'stamp'>
}

/** Of as many authors is told what the author of a candidate had seen: of all of all it would be the square of their number. */
const MAX_SEEN_AUTHORS = 32

/**
 * The parts of a conflict's name, of any text, so that no two conflicts have one name. The parts of an ordinary one are told as they are.
 */
const idOf = (...parts: readonly string[]): string => parts.map(escaped).join('/')

const escaped = (part: string): string =>
  part.replace(/[%/@]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`)

const NOT_SETTLED = {
  error: undefined,
  settledBy: undefined,
  settledDot: undefined,
  settledAt: undefined,
  reason: undefined,
} as const

export class ConflictRecords {
  readonly #ops: OpIndex

  constructor(ops: OpIndex) {
    this.#ops = ops
  }

  /** What is concurrent in a row now. */
  ofRow(row: Row, table: Table, fields: readonly FieldView[]): Conflict[] {
    if (row.erased !== ABSENT) return []
    return [...this.#ofLife(row, table), ...fields.flatMap((field) => this.#ofField(row, table, field))]
  }

  /** A change and a deletion that have not seen each other, or of which one did not mean the other. */
  #ofLife(row: Row, table: Table): Conflict[] {
    const sides = lifeSides(row, this.#ops)
    if (sides.length === 0) return []
    return [
      {
        ...this.#place(row, table),
        ...NOT_SETTLED,
        id: idOf(table.name, row.id),
        kind: 'row',
        field: undefined,
        status: table.onDelete === 'manual' ? 'open' : 'by-rule',
        rule: table.onDelete,
        candidates: this.#candidates(sides.map(lifeSide)),
        outcome: table.onDelete === 'delete-wins' ? 'deleted' : 'changed',
      },
    ]
  }

  #ofField(row: Row, table: Table, view: FieldView): Conflict[] {
    const content = row.values[view.column]
    if (content === undefined) return []
    switch (view.law) {
      case Law.set:
        return this.#ofRegister(row, table, view)
      case Law.add:
        return this.#ofElements(row, table, view, content as Elements)
      case Law.item:
        return this.#ofItems(row, table, view, content as List)
      case Law.put:
        return this.#ofTree(row, table, view, content as Tree)
      default:
        return []
    }
  }

  #ofRegister(row: Row, table: Table, view: FieldView): Conflict[] {
    const writes = view.writes(row)
    if (writes.length === 0 || !isContest(writes)) return []
    const { field } = view
    const { value, failure } = view.choice(writes)
    const isOpen = field.strategy.kind === 'manual' || failure !== undefined
    return [
      {
        ...this.#place(row, table),
        ...NOT_SETTLED,
        id: idOf(table.name, row.id, field.name),
        kind: 'field',
        field: field.name,
        status: isOpen ? 'open' : 'by-rule',
        rule: ruleOf(field.strategy),
        candidates: this.#candidates(registerSides(writes, this.#ops, view)),
        outcome: decodeField(field, value),
        error: failure === undefined ? undefined : strategyError(table.name, view, failure),
      },
    ]
  }

  #ofElements(row: Row, table: Table, view: FieldView, elements: Elements): Conflict[] {
    const { field } = view
    const compare = (a: DotRef, b: DotRef): number => this.#ops.compare(a, b)
    const wins = field.kind === 'set' ? field.wins : 'add'
    const kind = elementKind(field)
    // What the field cannot show is in nobody's way.
    const fitting = contestedElements(elements, compare).filter(({ value }) =>
      kind.fits(value, elementDefinition(field)),
    )
    return fitting.map(({ value, adds, removes }) => {
      const sides = [...adds.map((ref) => ({ ref, value: true })), ...removes.map((ref) => ({ ref, value: false }))]
      const candidates = this.#candidates(sides)
      const part = decodeElement(value, field) as Value
      const outcome = wins === 'add' || candidates[candidates.length - 1].value
      return this.#byLaw(row, table, view, { part, rule: `set:${wins}`, candidates, outcome })
    })
  }

  #ofItems(row: Row, table: Table, view: FieldView, list: List): Conflict[] {
    const { field } = view
    const compare = (a: DotRef, b: DotRef): number => this.#ops.compare(a, b)
    return contestedItems(list, compare).flatMap(({ id, positions, values, touches, drops }) => {
      const decoded = values.map(({ ref, value }) => ({ ref, value: decodeElement(value, field) }))
      const conflicts: Conflict[] = []
      const add = (what: string, sides: readonly Side[], outcome: unknown): void => {
        if (sides.length === 0) return
        const candidates = this.#candidates(sides)
        conflicts.push(this.#byLaw(row, table, view, { part: [id, what], rule: 'list', candidates, outcome }))
      }
      add('value', decoded, decoded.at(-1)?.value)
      add('position', positions, positions.at(-1)?.value)
      const life = [
        ...touches.map((ref) => ({ ref, isDelete: false })),
        ...drops.map((ref) => ({ ref, isDelete: true })),
      ]
      add('life', life.map(lifeSide), 'changed')
      return conflicts
    })
  }

  #ofTree(row: Row, table: Table, view: FieldView, tree: Tree): Conflict[] {
    const compare = (a: DotRef, b: DotRef): number => this.#ops.compare(a, b)
    const shown = shownTree(tree, compare)
    return collisions(tree, compare).map(({ keys, writes }) => {
      // One candidate an op: what it alone would make of the path.
      const byOp = Map.groupBy(writes, ({ ref }) => ref)
      const sides = [...byOp].map(([ref, own]) => ({ ref, value: madeBy(own, keys.length) }))
      const candidates = this.#candidates(sides)
      return this.#byLaw(row, table, view, {
        part: keys,
        rule: 'deep-merge',
        candidates,
        outcome: valueAt(shown, keys),
      })
    })
  }

  /** What a law of its own decides about a part of a field. */
  #byLaw(
    row: Row,
    table: Table,
    { field }: FieldView,
    about: Pick<Conflict, 'part' | 'rule' | 'candidates' | 'outcome'>,
  ): Conflict {
    const id = idOf(table.name, row.id, field.name, JSON.stringify(about.part))
    const status = 'by-rule'
    return { ...this.#place(row, table), ...NOT_SETTLED, kind: 'field', field: field.name, status, ...about, id }
  }

  /** Rows that show one value: the holder first. */
  unique(rows: readonly Row[], table: Table, view: FieldView): Conflict {
    const [holder] = rows
    const sides = rows.map((row) => ({ ref: view.takenBy(row), value: row.id }))
    return {
      ...this.#place(holder, table),
      ...NOT_SETTLED,
      id: idOf(table.name, holder.id, view.field.name, 'unique'),
      kind: 'unique',
      field: view.field.name,
      status: 'open',
      rule: 'unique',
      candidates: this.#candidates(sides),
      outcome: holder.id,
    }
  }

  /** undefined where the schema does not know the table or the field. */
  settled(settled: Settled, table: Table | undefined, fields: readonly FieldView[]): Conflict | undefined {
    const { row, by, reason } = settled
    if (table === undefined) return undefined
    const dot = this.#ops.dotOf(by)
    const at = `@${dot.device}:${dot.seq}`
    const common = {
      ...this.#place(row, table),
      status: 'settled',
      error: undefined,
      settledBy: this.#ops.authorId(deviceOfRef(by)),
      settledDot: dot,
      settledAt: this.#at(by),
      reason: reason === '' ? undefined : reason,
    } as const
    if (settled.column === undefined) {
      return {
        ...common,
        id: `${idOf(table.name, row.id)}${at}`,
        kind: 'row',
        field: undefined,
        rule: table.onDelete,
        candidates: this.#candidates(settled.sides.map(lifeSide)),
        outcome: settled.isDeleted ? 'deleted' : 'changed',
      }
    }
    const view = fields.find(({ column }) => column === settled.column)
    if (view === undefined) return undefined
    const { field } = view
    return {
      ...common,
      id: `${idOf(table.name, row.id, field.name)}${at}`,
      kind: 'field',
      field: field.name,
      rule: ruleOf(field.strategy),
      candidates: this.#candidates([
        ...registerSides(settled.candidates.filter(isKept), this.#ops, view),
        ...settled.candidates.filter((write) => !isKept(write)),
      ]),
      outcome: decodeField(field, settled.outcome),
    }
  }

  #place(row: Row, table: Table): { table: string; rowId: string; part: undefined } {
    return { table: table.name, rowId: row.id, part: undefined }
  }

  #at(ref: DotRef): Date {
    return new Date(hlcToMs(this.#ops.stamp(ref)))
  }

  #candidates(sides: readonly Side[]): ConflictCandidate[] {
    const inOrder = sides.toSorted((a, b) => this.#ops.compare(a.ref, b.ref))
    const authors = [...new Set(inOrder.map(({ ref }) => deviceOfRef(ref)))].slice(-MAX_SEEN_AUTHORS)
    return inOrder
      .map(({ value, ref, claimed }): ConflictCandidate => {
        const stamp = claimed?.stamp ?? this.#ops.stamp(ref)
        return {
          value,
          author: claimed?.author ?? this.#author(ref),
          at: new Date(hlcToMs(stamp)),
          stamp,
          dot: claimed === undefined ? this.#ops.dotOf(ref) : undefined,
          seen: this.#ops.seenOf(ref, authors),
        }
      })
      .sort((a, b) => a.stamp - b.stamp || (a.author < b.author ? -1 : a.author > b.author ? 1 : 0))
  }

  #author(ref: DotRef): DeviceId {
    return this.#ops.authorId(deviceOfRef(ref))
  }
}

const isKept = (write: SettledWrite): write is Write => write.value !== undefined

/** What writes of one op make of the path of their first `depth` keys; undefined where it takes away what was there. */
const madeBy = (writes: readonly TreeWrite[], depth: number): Value | undefined => {
  let made: Value | undefined
  for (const { keys, put } of writes) {
    const value = keys
      .slice(depth)
      .reduceRight<Value | undefined>((inner, key) => (inner === undefined ? {} : { [key]: inner }), put[0])
    const isJoined = keys.length > depth && made !== undefined
    made = isJoined ? { ...(made as object), ...(value as object) } : value
  }
  return made
}

const lifeSide = ({ ref, isDelete }: LifeSide): Side => ({ ref, value: isDelete ? 'deleted' : 'changed' })

const registerSides = (writes: readonly Write[], ops: OpIndex, { field }: FieldView): Side[] => {
  const reopened = new Set(writes.filter(({ isReopened }) => isReopened).map(({ ref }) => ref))
  return candidatesOf(writes, ops).map(({ value, ref, author, stamp }) => ({
    value: decodeField(field, value),
    ref,
    ...(reopened.has(ref) ? { claimed: { author, stamp } } : {}),
  }))
}

const strategyError = (table: string, { field }: FieldView, failure: string): Conflict['error'] => {
  const { code, message } = new DriftlogError(
    'STRATEGY_FAILED',
    `${table}.${field.name}, ${ruleOf(field.strategy)}: ${failure}`,
  )
  return { code, message }
}
