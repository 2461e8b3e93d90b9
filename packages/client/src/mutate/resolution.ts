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
  lifeVerdict,
  MAX_REASON_LENGTH,
  MAX_REOPENED,
  type NewChange,
  reopenedValue,
  type Row,
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
  view.refresh()
  const plan = plans.get(table)
  const row = plan && view.cells.table(table).rows.get(rowId)
  if (plan === undefined || row === undefined) throw new DriftlogError('CONFLICT_GONE', `${table} ${rowId}`)
  return { plan, row, handle: projector.handleOf(row) }
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
  const isThere = (ref: number): boolean => isAmong(conflict.candidates, ops.authorId(deviceOfRef(ref)), ops.stamp(ref))
  if (!row.touches.some(isThere) || !row.deletes.some(isThere)) throw new DriftlogError('CONFLICT_GONE', conflict.id)
  const common = { rowId: row.id, handle }
  const decision = { ...common, shape: value === 'deleted' ? plan.delete : plan.insert, value: null }
  const verdict = lifeVerdict(row, ops, reason, value === 'deleted')
  return verdict === undefined ? [decision] : [{ ...common, shape: plan.resolve, ...verdict }, decision]
}

const resolveField = (
  conflict: Conflict,
  value: unknown,
  reason: string,
  { plan, row, handle }: Place,
  { view, projector: { ops } }: UndoContext,
): NewChange[] => {
  const field = fieldOf(conflict, plan)
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

/** Throws CONFLICT_GONE and OPTION_INVALID. */
export const reopening = (conflict: Conflict, context: UndoContext): NewChange => {
  if (conflict.status !== 'settled')
    throw new DriftlogError('OPTION_INVALID', 'only a settled conflict can be reopened')
  const { plan, row, handle } = placeOf(conflict, context)
  const field = fieldOf(conflict, plan)
  const { ops } = context.projector
  const [settling, ...others] = context.view.field(conflict.table, field.field.name)!.writes(row)
  const isAsSettled =
    settling !== undefined &&
    others.length === 0 &&
    ops.authorId(deviceOfRef(settling.ref)) === conflict.settledBy &&
    conflict.id.endsWith(`@${idOf(ops.dotOf(settling.ref))}`)
  // What is not kept (CONF6) cannot be shown again.
  if (!isAsSettled || conflict.candidates.some(({ value }) => value === undefined))
    throw new DriftlogError('CONFLICT_GONE', conflict.id)
  const candidates = conflict.candidates
    .slice(-MAX_REOPENED)
    .map(({ value, author, stamp }) => ({ author, stamp, value: encodeField(field.field, value) }))
  return {
    rowId: row.id,
    handle,
    shape: field.shape(Law.reopen),
    value: reopenedValue(candidates),
    over: [ops.dotOf(settling.ref)],
  }
}

const idOf = ({ device, seq }: Dot): string => `${device}:${seq}`

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
