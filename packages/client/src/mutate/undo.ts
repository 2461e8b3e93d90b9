/**
 * Undo and redo of own mutations (SPEC UNDO): a mutation that takes back what another one did, as far as it is still what counts.
 * What others wrote since stays. Undoing is a mutation like any other, so undoing it is redoing.
 *
 * What a mutation did is noted before it is written, as one step for each change; a step knows what was there before.
 */
import {
  candidatesOf,
  deviceOfRef,
  diff,
  type DotRef,
  type Elements,
  elementTouches,
  equalValues,
  type Hlc,
  Law,
  type List,
  type ListItemState,
  listItem,
  MAX_REOPENED,
  type NewChange,
  type Projector,
  type RegisterCandidate,
  reopenedValue,
  type Row,
  type SchemaView,
  shownTree,
  type Tree,
  type Value,
  valueAt,
  type Write,
} from '@driftlog/core'
import type { FieldPlan, TablePlan } from './plan.ts'

/** What undoing needs to look at, and writes under. */
export interface UndoContext {
  readonly plans: ReadonlyMap<string, TablePlan>
  readonly view: SchemaView
  readonly projector: Projector
}

/** What an op of this device's did, as its author and stamp tell. */
interface Own {
  readonly device: string
  readonly hlc: Hlc
}

type Undo = (context: UndoContext, row: Row, own: Own) => Omit<NewChange, 'rowId' | 'handle'>[]

interface StepOf {
  readonly undo: Undo
  /** Called once the mutation is written. */
  readonly written?: (context: UndoContext, row: Row) => void
}

interface Step extends StepOf {
  readonly table: string
  readonly rowId: string
}

/** A mutation that can be taken back. */
export interface Undoable {
  readonly steps: readonly Step[]
  readonly own: Own
}

/** So many mutations can be taken back. */
const MAX_UNDO = 100

export class UndoStack {
  #done: Undoable[] = []
  #undone: Undoable[] = []

  get canUndo(): boolean {
    return this.#done.length > 0
  }

  get canRedo(): boolean {
    return this.#undone.length > 0
  }

  /** A mutation was made: what was taken back before cannot be made again. */
  push(undoable: Undoable): void {
    this.#undone = []
    this.#note(undoable)
  }

  #note(undoable: Undoable): void {
    this.#done.push(undoable)
    if (this.#done.length > MAX_UNDO) this.#done.shift()
  }

  /** `take`: takes back what it is given, and returns how to take back that; undefined where there was nothing to do. */
  undo(take: (undoable: Undoable) => Undoable | undefined): boolean {
    const last = this.#done.pop()
    if (last === undefined) return false
    const taken = take(last)
    if (taken !== undefined) this.#undone.push(taken)
    return true
  }

  redo(take: (undoable: Undoable) => Undoable | undefined): boolean {
    const last = this.#undone.pop()
    if (last === undefined) return false
    const taken = take(last)
    if (taken !== undefined) this.#note(taken)
    return true
  }

  /** Nothing of before can be taken back: another device is written as, and branches have other names. */
  clear(): void {
    this.#done = []
    this.#undone = []
  }
}

/** How to take back changes that are about to be written. Call `noteWritten` with it once they are. */
export const stepsOf = (changes: readonly NewChange[], context: UndoContext): Step[] => {
  const steps: Step[] = []
  const wholeFields = new Set<string>()
  // In reverse: what was done last is taken back first.
  for (const { shape, rowId, value } of changes.toReversed()) {
    const { law, table, path } = shape
    const plan = context.plans.get(table)
    if (plan === undefined) throw new Error(`no table ${table}`)
    const row = context.view.cells.table(table).rows.get(rowId)
    const field = plan.fields.get(path[0])
    if (law === Law.put && field !== undefined) {
      const key = JSON.stringify([table, rowId, path[0]])
      if (!wholeFields.has(key)) steps.push({ table, rowId, ...undoJson(field, row, context) })
      wholeFields.add(key)
      continue
    }
    const undo =
      path.length === 0 ? undoLife(law, plan, row, context) : field && undoField(law, value, field, row, context)
    if (undo !== undefined) steps.push({ table, rowId, undo })
  }
  return steps
}

export const noteWritten = (steps: readonly Step[], context: UndoContext): void => {
  for (const { table, rowId, written } of steps) written?.(context, context.view.cells.table(table).rows.get(rowId)!)
}

/** What there is to write to take a mutation back now. */
export const undoChanges = ({ steps, own }: Undoable, context: UndoContext): NewChange[] =>
  steps.flatMap(({ table, rowId, undo }) => {
    const row = context.view.cells.table(table).rows.get(rowId)
    if (row === undefined || row.erased !== 0) return []
    const handle = context.projector.handleOf(row)
    return undo(context, row, own).map((change) => ({ ...change, rowId, handle }))
  })

const isOwn = (ref: DotRef, own: Own, { projector: { ops } }: UndoContext): boolean =>
  ops.stamp(ref) === own.hlc && ops.authorId(deviceOfRef(ref)) === own.device

/** By this device, at that time or later. */
const isOwnSince = (ref: DotRef, own: Own, { projector: { ops } }: UndoContext): boolean =>
  ops.stamp(ref) >= own.hlc && ops.authorId(deviceOfRef(ref)) === own.device

const undoLife = (law: number, plan: TablePlan, row: Row | undefined, { view }: UndoContext): Undo | undefined => {
  const wasShown = row !== undefined && view.isShown(row, plan.table)
  switch (law) {
    case Law.insert:
      if (wasShown) return undefined
      // Only what this device keeps alive dies: a row that somebody else has changed since stays.
      return (context, now, own) => {
        const { ops } = context.projector
        const over = now.touches.filter((ref) => isOwnSince(ref, own, context)).map((ref) => ops.dotOf(ref))
        return over.length === 0 ? [] : [{ shape: plan.delete, value: null, over }]
      }
    case Law.delete:
      return (context, now, own) =>
        now.deletes.some((ref) => isOwn(ref, own, context)) ? [{ shape: plan.insert, value: null }] : []
    default:
      return undefined
  }
}

const undoField = (
  law: number,
  value: Value,
  field: FieldPlan,
  row: Row | undefined,
  context: UndoContext,
): Undo | undefined => {
  switch (law) {
    case Law.set:
    case Law.reopen:
      return undoWrite(field, row, context)
    case Law.increment:
      return () => (value === 0 ? [] : [{ shape: field.shape(Law.increment), value: -(value as number) }])
    case Law.add:
    case Law.remove:
      return undoElement(field, law, value, row, context)
    case Law.item:
    case Law.drop:
      return undoItem(field, law, value, row, context)
    // A counter that only grows cannot be taken back, nor can what was said of a resolution.
    default:
      return undefined
  }
}

const cellOf = (row: Row | undefined, { field }: FieldPlan, { view }: UndoContext): unknown =>
  row?.values[view.field(field.table, field.name)!.column]

const undoWrite = (plan: FieldPlan, row: Row | undefined, context: UndoContext): Undo => {
  const { field } = plan
  const writesOf = ({ view }: UndoContext, of: Row): readonly Write[] => view.field(field.table, field.name)!.writes(of)
  const before = row === undefined ? [] : candidatesOf(writesOf(context, row), context.projector.ops)
  return (now, current, own) => {
    const written = writesOf(now, current).find(({ ref }) => isOwn(ref, own, now))
    // Somebody who saw it wrote something else since.
    if (written === undefined) return []
    return [{ ...writeOf(plan, before), over: [now.projector.ops.dotOf(written.ref)] }]
  }
}

/** A write that shows what was there. */
const writeOf = (plan: FieldPlan, before: readonly RegisterCandidate[]): Pick<NewChange, 'shape' | 'value'> => {
  const set = (value: Value): Pick<NewChange, 'shape' | 'value'> => ({ shape: plan.shape(Law.set), value })
  if (before.length === 0) return set(plan.field.fallback)
  if (before.length === 1) return set(before[0].value)
  return { shape: plan.shape(Law.reopen), value: reopenedValue(before.slice(-MAX_REOPENED)) }
}

const undoElement = (
  plan: FieldPlan,
  law: typeof Law.add | typeof Law.remove,
  element: Value,
  row: Row | undefined,
  context: UndoContext,
): Undo => {
  const before = cellOf(row, plan, context) as Elements | undefined
  const wasIn = before !== undefined && elementTouches(before, element).length > 0
  return (now, current, own) => {
    const touches = elementTouches(cellOf(current, plan, now) as Elements, element)
    if (law === Law.remove) return wasIn && touches.length === 0 ? [{ shape: plan.shape(Law.add), value: element }] : []
    const isMine = touches.length > 0 && touches.every((ref) => isOwnSince(ref, own, now))
    return !wasIn && isMine ? [{ shape: plan.shape(Law.remove), value: element }] : []
  }
}

const undoItem = (
  plan: FieldPlan,
  law: typeof Law.item | typeof Law.drop,
  value: Value,
  row: Row | undefined,
  context: UndoContext,
): Undo => {
  const [id, position, content] =
    law === Law.drop ? [value as string] : (value as readonly [string, string | null, Value?])
  const stateOf = (cell: unknown, { projector: { ops } }: UndoContext): ListItemState | undefined =>
    cell === undefined ? undefined : listItem(cell as List, id, (a, b) => ops.compare(a, b))
  const before = stateOf(cellOf(row, plan, context), context)
  return (now, current, own) => {
    const state = stateOf(cellOf(current, plan, now), now)
    const shape = plan.shape(Law.item)
    if (law === Law.drop) {
      const isBack = before === undefined || (state?.isLive ?? false)
      return isBack ? [] : [{ shape, value: [id, before.position, before.value] }]
    }
    if (state === undefined || !state.isLive) return []
    if (before === undefined || !before.isLive) {
      return state.touches.every((ref) => isOwnSince(ref, own, now)) ? [{ shape: plan.shape(Law.drop), value: id }] : []
    }
    const isMoved = position !== null && position !== undefined && state.position === position
    const isSet = content !== undefined && equalValues(state.value, content)
    if (isMoved && isSet) return [{ shape, value: [id, before.position, before.value] }]
    if (isMoved) return [{ shape, value: [id, before.position] }]
    return isSet ? [{ shape, value: [id, null, before.value] }] : []
  }
}

/**
 * JSON is taken back where it still is what the mutation made of it: a path that it changed becomes what it was, unless something
 * else is there by now.
 */
const undoJson = (plan: FieldPlan, row: Row | undefined, context: UndoContext): StepOf => {
  const shownIn = (of: Row | undefined, at: UndoContext): Value | undefined => {
    const { ops } = at.projector
    const cell = cellOf(of, plan, at)
    return cell === undefined ? undefined : shownTree(cell as Tree, (a, b) => ops.compare(a, b))
  }
  const before = shownIn(row, context)
  let after: Value | undefined
  return {
    written: (now, current) => {
      after = shownIn(current, now)
    },
    undo: (now, current) => {
      const shown = shownIn(current, now)
      const back = before === undefined ? [{ keys: [], value: [] }] : diff(after, before)
      return back
        .filter(({ keys }) => isSame(valueAt(shown, keys), valueAt(after, keys)))
        .map(({ keys, value }) => ({ shape: plan.shape(Law.put, keys), value }))
    },
  }
}

const isSame = (a: Value | undefined, b: Value | undefined): boolean =>
  a === undefined || b === undefined ? a === b : equalValues(a, b)
