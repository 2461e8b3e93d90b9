/**
 * Which of a register's concurrent values is shown (SPEC STRAT). Never throws: a function of the app's that fails is told in the
 * choice, and the latest value is shown meanwhile.
 */
import type { OpIndex } from '../../cells/ops.ts'
import type { Write } from '../../cells/row.ts'
import { compareDevices, type DeviceId } from '../../clock/dot.ts'
import { type Hlc, hlcToMs } from '../../clock/hlc.ts'
import { valueKey } from '../../laws/elements.ts'
import { reopenedCandidates } from '../../laws/reopened.ts'
import type { Role } from '../../membership/entry.ts'
import { deviceOfRef, type DotRef } from '../../op/dot-ref.ts'
import { equalValues, type Value } from '../../op/value.ts'
import { decodeField, encodeOrRefuse } from '../../schema/encode.ts'
import type { Field } from '../../schema/field.ts'
import { canonicalJson } from '../../schema/kinds/json.ts'
import { Refusal } from '../../schema/kinds/kind.ts'
import type { Strategy, StrategyCandidate, TieRule } from '../../schema/strategy.ts'

/** One of the values that a register holds. */
export interface RegisterCandidate {
  readonly value: Value
  readonly author: DeviceId
  readonly stamp: Hlc
  /** What its author might do when it wrote; undefined where the space has no members, and of what was opened again. */
  readonly role: Role | undefined
  /** The write that holds it, alone or (see laws/reopened) with others. */
  readonly ref: DotRef
}

export interface Choice {
  readonly value: Value
  /** The candidate that is shown; undefined where a function made a value of its own. */
  readonly shown: RegisterCandidate | undefined
  /** Why the strategy could not choose, in a sentence. */
  readonly failure: string | undefined
}

/**
 * All values of a register, by rising stamp, with those that a reopened conflict stands for: each once, where several opened it or
 * it is there beside them.
 */
export const candidatesOf = (writes: readonly Write[], ops: OpIndex): RegisterCandidate[] => {
  const inOrder = (a: RegisterCandidate, b: RegisterCandidate): number =>
    a.stamp - b.stamp || compareDevices(a.author, b.author) || ops.compare(a.ref, b.ref)
  const plain = writes
    .filter(({ isReopened }) => isReopened !== true)
    .map(({ ref, value }) => ({
      ref,
      value,
      author: ops.authorId(deviceOfRef(ref)),
      stamp: ops.stamp(ref),
      role: ops.roleOf(ref),
    }))
  if (plain.length === writes.length) return plain.sort(inOrder)
  const reopened = writes
    .filter(({ isReopened }) => isReopened === true)
    .flatMap(({ ref, value }) =>
      reopenedCandidates(value, ops.stamp(ref)).map((candidate) => ({ ...candidate, ref, role: undefined })),
    )
  const known = new Set(plain.map(keyOf))
  const others = new Map<string, RegisterCandidate>()
  for (const candidate of reopened.sort(inOrder)) {
    const key = keyOf(candidate)
    if (!known.has(key) && !others.has(key)) others.set(key, candidate)
  }
  return [...plain, ...others.values()].sort(inOrder)
}

const keyOf = ({ author, stamp, value }: RegisterCandidate): string => `${author} ${stamp} ${valueKey(value)}`

/** The candidates, in order, with one more. Of the same stamp and author it is the last. */
export const candidatesWith = (
  candidates: readonly RegisterCandidate[],
  coming: RegisterCandidate,
): RegisterCandidate[] => {
  const isLater = ({ stamp, author }: RegisterCandidate): boolean =>
    stamp > coming.stamp || (stamp === coming.stamp && compareDevices(author, coming.author) > 0)
  const later = candidates.findIndex(isLater)
  return candidates.toSpliced(later < 0 ? candidates.length : later, 0, coming)
}

/** `isChecked`: custom functions are asked twice, the second time in reverse, to find those that are not pure. */
export const choose = (field: Field, candidates: readonly RegisterCandidate[], isChecked: boolean): Choice => {
  const { strategy } = field
  const latest = candidates[candidates.length - 1]
  // CONF1: where all wrote the same there is nothing to choose, and no record that could tell of it.
  if (candidates.every(({ value }) => equalValues(value, latest.value))) return chosen(latest)
  try {
    switch (strategy.kind) {
      case 'last-writer-wins':
      case 'manual':
        return chosen(latest)
      case 'timestamp':
        return chosen(byTimestamp(candidates, strategy.tie))
      case 'priority':
        return chosen(byPriority(field, candidates, strategy))
      case 'custom':
        return byFunction(field, candidates, strategy, isChecked)
    }
  } catch (error) {
    return { value: latest.value, shown: latest, failure: messageOf(error) }
  }
}

/** An app's function may throw anything: what has no text, half a character. */
const messageOf = (error: unknown): string => {
  try {
    return String(error instanceof Error ? error.message : error).toWellFormed()
  } catch {
    return 'it threw what has no text'
  }
}

/** What an app's function returned. A promise is refused by whoever takes it; that it fails would be told nowhere, and end a process. */
const answerOf = (given: unknown): unknown => {
  const isPromise = typeof (given as PromiseLike<unknown> | null | undefined)?.then === 'function'
  if (isPromise) Promise.resolve(given).catch(() => undefined)
  return given
}

const chosen = (candidate: RegisterCandidate): Choice => ({
  value: candidate.value,
  shown: candidate,
  failure: undefined,
})

const byTimestamp = (candidates: readonly RegisterCandidate[], tie: TieRule): RegisterCandidate =>
  candidates.reduce((best, candidate) => {
    const difference = hlcToMs(candidate.stamp) - hlcToMs(best.stamp)
    if (difference !== 0) return difference > 0 ? candidate : best
    const [text, other] = [tieText(candidate.value), tieText(best.value)]
    return (tie === 'greatest' ? text >= other : text <= other) ? candidate : best
  })

const tieText = (value: Value): string => (value instanceof Uint8Array ? String(value) : canonicalJson(value))

const asSeen = (field: Field, { value, author, stamp, role }: RegisterCandidate): StrategyCandidate => ({
  value: decodeField(field, value),
  author,
  at: new Date(hlcToMs(stamp)),
  role,
})

const byPriority = (
  field: Field,
  candidates: readonly RegisterCandidate[],
  { rank }: Extract<Strategy, { kind: 'priority' }>,
): RegisterCandidate => {
  const ranks = candidates.map((candidate) => {
    const given = answerOf(rank(asSeen(field, candidate)))
    if (typeof given !== 'number' || Number.isNaN(given)) throw new Error(`the rank is ${String(given)}, not a number`)
    return given
  })
  const highest = Math.max(...ranks)
  return candidates[ranks.lastIndexOf(highest)]
}

const byFunction = (
  field: Field,
  candidates: readonly RegisterCandidate[],
  { merge }: Extract<Strategy, { kind: 'custom' }>,
  isChecked: boolean,
): Choice => {
  // Each time anew: a function that changes what it is given must not reach the cells, or the second run.
  const run = (of: readonly RegisterCandidate[]): Value => {
    try {
      return encodeOrRefuse(field, answerOf(merge(of.map((candidate) => asSeen(field, candidate)))), 'insert')
    } catch (error) {
      if (error instanceof Refusal) throw new Error(`it returned ${error.message}`, { cause: error })
      throw error
    }
  }
  const value = run(candidates)
  if (isChecked && !equalValues(run(candidates), value)) throw new Error('asked twice, it answered differently')
  if (isChecked && !equalValues(run(candidates.toReversed()), value)) {
    throw new Error('it answers differently when the values come in another order')
  }
  return { value, shown: candidates.findLast((candidate) => equalValues(candidate.value, value)), failure: undefined }
}
