/**
 * Undo and redo of own mutations (SPEC UNDO): a mutation that takes back what another one did, as far as it is still what counts.
 * What others wrote since stays. Undoing is a mutation like any other, so undoing it is redoing.
 *
 * What a mutation did is noted before it is written, row by row; it knows what was there before. A row that was new needs no more
 * than that: taken back, it is deleted, with all its fields.
 *
 * What a mutation wrote may have been replaced and be there again, because a later one was taken back: then this device has written
 * the same again since, and that counts as it.
 */
import {
  byRow,
  candidatesOf,
  deviceOfRef,
  diff,
  type DotRef,
  elementLife,
  type Elements,
  equalValues,
  type Hlc,
  isContest,
  isLive,
  isObserved,
  isWrittenLast,
  Law,
  type Life,
  lifeSides,
  lifeVerdict,
  type List,
  type ListItemState,
  listItem,
  type NewChange,
  type PathChange,
  type Projector,
  type RegisterCandidate,
  reopenedValue,
  type Row,
  type RowChanges,
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
export interface Own {
  readonly device: string
  readonly hlc: Hlc
}

type UndoneChange = Omit<NewChange, 'rowId' | 'handle'>

type Undo = (context: UndoContext, row: Row, own: Own) => UndoneChange[]

interface FieldStep {
  readonly undo: Undo
  /** Called once the mutation is written. */
  readonly written?: (context: UndoContext, row: Row) => void
}

/**
 * What is to become of a row. `remove`: it was not there. `return`: it was there, and was deleted. `contest`: a deletion stood
 * beside what kept it, and the mutation decided for the row, if only by a change to a field.
 */
interface LifeStep {
  readonly turn: 'remove' | 'return' | 'contest'
  /** A deletion stood beside what kept it. */
  readonly wasContested: boolean
}

/** What a mutation did to one row. */
interface Step {
  readonly plan: TablePlan
  readonly rowId: string
  readonly life: LifeStep | undefined
  /** What was done last comes first. */
  readonly fields: readonly FieldStep[]
}

/** A mutation that can be taken back. */
export interface Undoable {
  readonly steps: readonly Step[]
  readonly own: Own
}

/** Changes to one row, and the row as it is before them; undefined: it is not known here. */
export interface KnownRowChanges extends RowChanges {
  readonly row: Row | undefined
}

export const knowRows = (changes: readonly NewChange[], { view }: UndoContext): KnownRowChanges[] =>
  byRow(changes).map((ofRow) => ({
    ...ofRow,
    row: view.cells.table(ofRow.shapes[0].table).rows.get(ofRow.rowId),
  }))

/** How to take back changes that are about to be written. Call `noteWritten` with it once they are. */
export const stepsOf = (changes: readonly KnownRowChanges[], context: UndoContext): Step[] => {
  const steps: Step[] = []
  for (const ofRow of changes) {
    const step = stepOf(ofRow, context)
    if (step !== undefined) steps.push(step)
  }
  return steps.reverse()
}

const stepOf = ({ rowId, row, shapes, values, over }: KnownRowChanges, context: UndoContext): Step | undefined => {
  const { table } = shapes[0]
  const plan = context.plans.get(table)
  if (plan === undefined) throw new Error(`no table ${table}`)
  if (row === undefined || row.created === 0) return { plan, rowId, life: NEW_ROW, fields: NO_FIELDS }
  const laws: number[] = []
  for (const { law, path } of shapes) if (path.length === 0) laws.push(law)
  if (laws.includes(Law.erase)) return undefined
  const fields: FieldStep[] = []
  // JSON under deep merge: all its changes are taken back at once.
  let whole: Set<FieldPlan> | undefined
  for (let index = shapes.length - 1; index >= 0; index--) {
    const { law, path } = shapes[index]
    const field = plan.fields.get(path[0])
    if (field === undefined || whole?.has(field) === true) continue
    if (law === Law.put) (whole ??= new Set()).add(field)
    const step = undoField({ law, value: values[index], over: over?.get(index) }, field, row, context)
    if (step !== undefined) fields.push(step)
  }
  const life = lifeStep(laws, row, plan, context)
  return life === undefined && fields.length === 0 ? undefined : { plan, rowId, life, fields }
}

const NEW_ROW: LifeStep = { turn: 'remove', wasContested: false }
const NO_FIELDS: readonly FieldStep[] = []

const lifeStep = (
  laws: readonly number[],
  row: Row,
  { table }: TablePlan,
  { projector: { ops } }: UndoContext,
): LifeStep | undefined => {
  const wasContested = lifeSides(row, ops).length > 0
  const wasLive = isLive(row, table.onDelete)
  if (laws.includes(Law.delete)) return wasLive || wasContested ? { turn: 'return', wasContested } : undefined
  if (wasContested) return { turn: 'contest', wasContested }
  return wasLive ? undefined : { turn: 'remove', wasContested }
}

export const noteWritten = (steps: readonly Step[], context: UndoContext): void => {
  for (const { plan, rowId, fields } of steps) {
    for (const { written } of fields) {
      if (written !== undefined) written(context, context.view.cells.table(plan.table.name).rows.get(rowId)!)
    }
  }
}

/** What there is to write to take a mutation back now. */
export const undoChanges = ({ steps, own }: Undoable, context: UndoContext): NewChange[] =>
  steps.flatMap((step) => {
    const row = context.view.cells.table(step.plan.table.name).rows.get(step.rowId)
    if (row === undefined || row.erased !== 0) return []
    const handle = context.projector.handleOf(row)
    return undoStep(step, row, own, context).map((change) => ({ ...change, rowId: row.id, handle }))
  })

const undoStep = ({ plan, life, fields }: Step, row: Row, own: Own, context: UndoContext): UndoneChange[] => {
  const lives = life === undefined ? [] : undoLife(life, plan, row, own, context)
  // Somebody else has changed the row since: it stays, and as it is.
  if (life?.turn === 'remove' && lives.length === 0) return []
  // Whatever is written to a row that somebody deleted would bring it back.
  if (lives.length === 0 && row.touches.length === 0) return []
  const changes = fields.flatMap(({ undo }) => undo(context, row, own))
  return life?.turn === 'remove' ? [...changes, ...lives] : [...lives, ...changes]
}

/**
 * What there is to write after that, asked before: rows whose conflict is to be there again, for it was decided by what is taken
 * back, or would be by a field that is taken back. A mutation of its own, for a deletion takes the changes of its own op with it. `written`:
 * what took it back.
 */
export const conflictsBack = (
  { steps, own }: Undoable,
  context: UndoContext,
): ((written: Own | undefined) => NewChange[]) => {
  const { ops } = context.projector
  const rowOf = ({ plan, rowId }: Step): Row | undefined => context.view.cells.table(plan.table.name).rows.get(rowId)
  const isContested = (row: Row | undefined): boolean => row !== undefined && lifeSides(row, ops).length > 0
  const contested = steps.filter((step) =>
    step.life === undefined ? isContested(rowOf(step)) : step.life.wasContested,
  )
  return (written) =>
    contested.flatMap((step) => {
      const { plan, rowId, life } = step
      const row = rowOf(step)
      if (row === undefined || row.touches.length === 0 || isContested(row)) return []
      const isMine = (ref: DotRef): boolean =>
        life?.turn === 'contest' ? isOwnSince(ref, own, context) : written !== undefined && isOwn(ref, written, context)
      if (!row.touches.every(isMine)) return []
      // It takes nothing with it: both stand beside each other.
      return [{ shape: plan.delete, value: null, over: [], rowId, handle: context.projector.handleOf(row) }]
    })
}

/** How to take back two mutations at once, of which the second one opened conflicts of rows again. */
export const joined = (first: Undoable | undefined, second: Undoable | undefined): Undoable | undefined => {
  if (first === undefined || second === undefined) return first ?? second
  const keyOf = ({ plan, rowId }: Step): string => `${plan.table.name}/${rowId}`
  const later = new Map(second.steps.map((step) => [keyOf(step), step]))
  const steps = first.steps.map((step) => ({ ...step, life: step.life ?? later.get(keyOf(step))?.life }))
  for (const step of first.steps) later.delete(keyOf(step))
  return { steps: [...steps, ...later.values()], own: first.own }
}

const isOwn = (ref: DotRef, own: Own, { projector: { ops } }: UndoContext): boolean =>
  ops.stamp(ref) === own.hlc && ops.authorId(deviceOfRef(ref)) === own.device

/** By this device, at that time or later. */
const isOwnSince = (ref: DotRef, own: Own, { projector: { ops } }: UndoContext): boolean =>
  ops.stamp(ref) >= own.hlc && ops.authorId(deviceOfRef(ref)) === own.device

const undoLife = ({ turn }: LifeStep, plan: TablePlan, row: Row, own: Own, context: UndoContext): UndoneChange[] => {
  const isMine = (refs: readonly DotRef[]): boolean =>
    refs.length > 0 && refs.every((ref) => isOwnSince(ref, own, context))
  const { ops } = context.projector
  switch (turn) {
    case 'remove':
      return isMine(row.touches)
        ? [{ shape: plan.delete, value: null, over: row.touches.map((ref) => ops.dotOf(ref)) }]
        : []
    case 'return': {
      if (!isMine(row.deletes)) return []
      const verdict = lifeVerdict(lifeSides(row, ops), ops, '', false)
      const insert = { shape: plan.insert, value: null }
      return verdict === undefined ? [insert] : [{ shape: plan.resolve, ...verdict }, insert]
    }
    case 'contest':
      // See conflictsBack.
      return []
  }
}

const undoField = (
  { law, value, over }: Pick<NewChange, 'value' | 'over'> & { readonly law: number },
  field: FieldPlan,
  row: Row,
  context: UndoContext,
): FieldStep | undefined => {
  switch (law) {
    case Law.set:
    case Law.reopen:
      return { undo: undoWrite(field, value, over, row, context) }
    case Law.increment:
      return { undo: () => (value === 0 ? [] : [{ shape: field.shape(Law.increment), value: -(value as number) }]) }
    case Law.add:
    case Law.remove:
      return { undo: undoElement(field, law, value, row, context) }
    case Law.item:
    case Law.drop:
      return { undo: undoItem(field, law, value, row, context) }
    case Law.put:
      return undoJson(field, row, context)
    // A counter that only grows cannot be taken back, nor can what was said of a resolution.
    default:
      return undefined
  }
}

const cellOf = (row: Row | undefined, { field }: FieldPlan, { view }: UndoContext): unknown =>
  row?.values[view.field(field.table, field.name)!.column]

const writesOf = ({ field }: FieldPlan, row: Row, { view }: UndoContext): readonly Write[] =>
  view.field(field.table, field.name)!.writes(row)

/** The values that the write took the place of are there again; those beside it stay as they are. */
const undoWrite = (plan: FieldPlan, value: Value, over: NewChange['over'], row: Row, context: UndoContext): Undo => {
  const { ops } = context.projector
  const before = writesOf(plan, row, context)
  const named = over && new Set(over.map((dot) => ops.refOf(dot)))
  const replaced = named === undefined ? before : before.filter(({ ref }) => named.has(ref))
  return (now, current, own) => {
    const writes = writesOf(plan, current, now)
    const written = writes.find(({ ref }) => isOwn(ref, own, now)) ?? standIn(writes, value, own, now)
    // Somebody who saw it wrote something else since.
    if (written === undefined) return []
    const others = writes.filter((write) => write !== written)
    const restored = [...candidatesOf(replaced, ops), ...besides(written, own, now)]
    if (restored.length > 0 || others.length === 0) return restore(plan, restored, [written], now)
    // It replaced nothing. A register cannot lose a write, so what stands beside it is said again, in this device's name.
    return restore(plan, candidatesOf(others, ops), writes, now)
  }
}

/** What this device wrote again since, when it took back a later mutation: the same, or a conflict of which it is a part. */
const standIn = (writes: readonly Write[], value: Value, own: Own, context: UndoContext): Write | undefined =>
  writes.find(
    (write) =>
      isOwnSince(write.ref, own, context) &&
      (equalValues(write.value, value) || (write.isReopened === true && holdsOwn(write, own, context))),
  )

const isOwnCandidate = ({ author, stamp }: RegisterCandidate, own: Own): boolean =>
  author === own.device && stamp === own.hlc

const holdsOwn = (write: Write, own: Own, { projector: { ops } }: UndoContext): boolean =>
  candidatesOf([write], ops).some((candidate) => isOwnCandidate(candidate, own))

/** What a write stands for beside the own value. */
const besides = (write: Write, own: Own, context: UndoContext): RegisterCandidate[] =>
  write.isReopened === true && holdsOwn(write, own, context)
    ? candidatesOf([write], context.projector.ops).filter((candidate) => !isOwnCandidate(candidate, own))
    : []

/** Candidates take the place of writes. */
const restore = (
  plan: FieldPlan,
  candidates: readonly RegisterCandidate[],
  writes: readonly Write[],
  { projector: { ops } }: UndoContext,
): UndoneChange[] => {
  const over = writes.map(({ ref }) => ops.dotOf(ref))
  const kept = candidates.toSorted((a, b) => a.stamp - b.stamp)
  if (kept.length > 1) return [{ shape: plan.shape(Law.reopen), value: reopenedValue(kept), over }]
  const write = { shape: plan.shape(Law.set), value: kept.length === 0 ? plan.field.fallback : kept[0].value, over }
  return isContest(writes) ? [{ shape: plan.shape(Law.resolve), value: '', over }, write] : [write]
}

const undoElement = (
  plan: FieldPlan,
  law: typeof Law.add | typeof Law.remove,
  element: Value,
  row: Row,
  context: UndoContext,
): Undo => {
  const { field } = plan
  const lifeOf = (of: Row, at: UndoContext): Life | undefined => {
    const cell = cellOf(of, plan, at)
    return cell === undefined ? undefined : elementLife(cell as Elements, element)
  }
  const isIn = (of: Row, at: UndoContext): boolean => {
    const life = lifeOf(of, at)
    if (life === undefined) return false
    const { ops } = at.projector
    return field.kind === 'set' && field.wins === 'last-write'
      ? isWrittenLast(life, (a, b) => ops.compare(a, b))
      : isObserved(life)
  }
  const wasIn = isIn(row, context)
  return (now, current, own) => {
    if (wasIn !== (law === Law.remove) || wasIn === isIn(current, now)) return []
    const { touches, deletes } = lifeOf(current, now)!
    const isMine = (wasIn ? deletes : touches).every((ref) => isOwnSince(ref, own, now))
    return isMine ? [{ shape: plan.shape(wasIn ? Law.add : Law.remove), value: element }] : []
  }
}

const undoItem = (
  plan: FieldPlan,
  law: typeof Law.item | typeof Law.drop,
  value: Value,
  row: Row,
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
const undoJson = (plan: FieldPlan, row: Row, context: UndoContext): FieldStep => {
  const shownIn = (of: Row, at: UndoContext): Value | undefined => {
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
      return pathsBack(before, after, shown)
        .filter(({ keys }) => isSame(valueAt(shown, keys), valueAt(after, keys)))
        .map(({ keys, value }) => ({ shape: plan.shape(Law.put, keys), value }))
    },
  }
}

const pathsBack = (before: Value | undefined, after: Value | undefined, shown: Value | undefined): PathChange[] => {
  if (before === undefined) return after === undefined ? [] : pathsGone([], after, shown)
  return diff(after, before).flatMap((change) =>
    change.value.length === 0 ? pathsGone(change.keys, valueAt(after, change.keys)!, shown) : [change],
  )
}

/** What was added at a path goes as one or, where it is something else by now, leaf by leaf: what others added to it stays. */
const pathsGone = (keys: readonly string[], added: Value, shown: Value | undefined): PathChange[] =>
  isSame(valueAt(shown, keys), added)
    ? [{ keys, value: [] }]
    : diff(undefined, added).map((leaf) => ({ keys: [...keys, ...leaf.keys], value: [] }))

const isSame = (a: Value | undefined, b: Value | undefined): boolean =>
  a === undefined || b === undefined ? a === b : equalValues(a, b)
