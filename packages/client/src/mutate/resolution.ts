/** What settles a conflict, and what opens one again, as changes (SPEC CONF3, CONF4). */
import {
  candidatesOf,
  type Conflict,
  type ConflictCandidate,
  deviceOfRef,
  type Dot,
  DriftlogError,
  encodeField,
  Law,
  type LifeSide,
  lifeSides,
  lifeVerdict,
  MAX_REASON_LENGTH,
  type NewChange,
  reopenedValue,
  type Row,
  type SettledWrite,
  type Write,
} from '@driftlog/core'
import type { FieldPlan, TablePlan } from './plan.ts'
import type { UndoContext } from './undo.ts'

interface Place {
  readonly plan: TablePlan
  readonly row: Row
  readonly handle: NewChange['handle']
}

const placeOf = ({ table, rowId }: Conflict, { plans, view, projector }: UndoContext): Place => {
  if (typeof table !== 'string' || typeof rowId !== 'string') {
    throw new DriftlogError(
      'OPTION_INVALID',
      'no conflict as conflicts, conflicts$ and settledConflicts() tell it: a row of _conflicts names one by its id',
    )
  }
  view.refresh()
  const plan = plans.get(table)
  const row = plan && view.cells.table(table).rows.get(rowId)
  if (plan === undefined || row === undefined) throw new DriftlogError('CONFLICT_GONE', `${table} ${rowId}`)
  return { plan, row, handle: projector.handleOf(row) }
}

/** Whatever is written to a row that is gone would bring it back: of its fields nobody is asked. */
const expectShown = ({ id }: Conflict, { plan, row }: Place, { view }: UndoContext): void => {
  if (!view.isShown(row, plan.table)) throw new DriftlogError('CONFLICT_GONE', id)
}

/** Throws CONFLICT_GONE, OPTION_INVALID and VALUE_INVALID. */
export const resolution = (conflict: Conflict, value: unknown, reason: string, context: UndoContext): NewChange[] => {
  if (typeof reason !== 'string' || reason.length > MAX_REASON_LENGTH) {
    throw new DriftlogError('VALUE_INVALID', `a reason is text of at most ${MAX_REASON_LENGTH} characters`)
  }
  if (conflict.status === 'settled') throw new DriftlogError('OPTION_INVALID', 'the conflict is settled: see reopen')
  if (conflict.kind === 'unique') {
    throw new DriftlogError(
      'OPTION_INVALID',
      'a value that two rows have is given up by changing or deleting one of them',
    )
  }
  const place = placeOf(conflict, context)
  return conflict.kind === 'row'
    ? resolveLife(conflict, value, reason, place, context)
    : resolveField(conflict, value, reason, place, context)
}

const resolveLife = (
  conflict: Conflict,
  value: unknown,
  reason: string,
  { plan, row, handle }: Place,
  { projector: { ops } }: UndoContext,
): NewChange[] => {
  if (value !== 'changed' && value !== 'deleted') {
    throw new DriftlogError('VALUE_INVALID', "the conflict of a row is resolved by 'changed' (it stays) or 'deleted'")
  }
  const sides = lifeSides(row, ops)
  const isKnown = ({ ref, isDelete }: LifeSide): boolean =>
    isAmong(
      conflict.candidates.filter((candidate) => candidate.value === (isDelete ? 'deleted' : 'changed')),
      ops.authorId(deviceOfRef(ref)),
      ops.stamp(ref),
    )
  const known = sides.filter(isKnown)
  const changes = known.filter(({ isDelete }) => !isDelete)
  // To keep the row is to decide against every deletion of it: an insert cannot leave one out.
  const isOfAll = value === 'deleted' || sides.every((side) => !side.isDelete || isKnown(side))
  if (changes.length === 0 || changes.length === known.length || !isOfAll)
    throw new DriftlogError('CONFLICT_GONE', conflict.id)
  const common = { rowId: row.id, handle }
  return [
    { ...common, shape: plan.resolve, ...lifeVerdict(known, ops, reason, value === 'deleted')! },
    value === 'deleted'
      ? { ...common, shape: plan.delete, value: null, over: changes.map(({ ref }) => ops.dotOf(ref)) }
      : { ...common, shape: plan.insert, value: null },
  ]
}

const resolveField = (
  conflict: Conflict,
  value: unknown,
  reason: string,
  place: Place,
  context: UndoContext,
): NewChange[] => {
  const { plan, row, handle } = place
  const { view, projector } = context
  const { ops } = projector
  const field = fieldOf(conflict, plan)
  expectShown(conflict, place, context)
  const over = view
    .field(conflict.table, field.field.name)!
    .writes(row)
    .filter((write) => isCandidate(conflict, write, { ops }))
    .map(({ ref }) => ops.dotOf(ref))
  if (over.length === 0) throw new DriftlogError('CONFLICT_GONE', conflict.id)
  const common = { rowId: row.id, handle }
  const write = { ...common, shape: field.shape(Law.set), value: encodeField(field.field, value), over }
  return [{ ...common, shape: field.shape(Law.resolve), value: reason, over }, write]
}

/**
 * The candidates are those of the record, as they were written: another version of the schema may have values that this one does
 * not, and what the caller holds is not asked. Throws CONFLICT_GONE, OPTION_INVALID and TOO_LARGE.
 */
export const reopening = (conflict: Conflict, context: UndoContext): NewChange => {
  const place = placeOf(conflict, context)
  if (conflict.status !== 'settled')
    throw new DriftlogError('OPTION_INVALID', 'only a settled conflict can be reopened')
  if (conflict.kind === 'row')
    throw new DriftlogError(
      'OPTION_INVALID',
      'the conflict of a row is not reopened: delete or restore the row, or undo',
    )
  const { plan, row, handle } = place
  const field = fieldOf(conflict, plan)
  expectShown(conflict, place, context)
  const { ops, cells } = context.projector
  const view = context.view.field(conflict.table, field.field.name)!
  const [settling, ...others] = view.writes(row)
  const isAsSettled =
    settling !== undefined && others.length === 0 && isSameDot(ops.dotOf(settling.ref), conflict.settledDot)
  const candidates = (isAsSettled && cells.settled.settledBy(row, view.column, settling.ref)?.candidates) || []
  // What is not kept (CONF3) cannot be shown again.
  if (candidates.length === 0 || !candidates.every(isKept)) throw new DriftlogError('CONFLICT_GONE', conflict.id)
  return {
    rowId: row.id,
    handle,
    shape: field.shape(Law.reopen),
    value: reopenedValue(candidatesOf(candidates, ops)),
    over: [ops.dotOf(settling.ref)],
  }
}

const isKept = (write: SettledWrite): write is Write => write.value !== undefined

const isSameDot = (a: Dot, b: Dot | undefined): boolean => a.device === b?.device && a.seq === b.seq

const fieldOf = ({ field: name, part }: Conflict, plan: TablePlan): FieldPlan => {
  const field = name === undefined ? undefined : plan.fields.get(name)
  if (field === undefined) throw new DriftlogError('OPTION_INVALID', 'the conflict is not of a field')
  if (field.law !== Law.set || part !== undefined) {
    throw new DriftlogError('OPTION_INVALID', 'what a law of its own decided is changed by an update of the field')
  }
  return field
}

const isAmong = (candidates: readonly ConflictCandidate[], author: string, stamp: number): boolean =>
  candidates.some((candidate) => candidate.author === author && candidate.stamp === stamp)

/** A write that the conflict told of, alone or with others. */
const isCandidate = (conflict: Conflict, write: Write, { ops }: Pick<UndoContext['projector'], 'ops'>): boolean => {
  const { device, seq } = ops.dotOf(write.ref)
  const isNamed = conflict.candidates.some(({ dot }) => dot !== undefined && dot.device === device && dot.seq === seq)
  // One that was opened again stands for others' values, and is told as these.
  return isNamed || candidatesOf([write], ops).every(({ author, stamp }) => isAmong(conflict.candidates, author, stamp))
}
