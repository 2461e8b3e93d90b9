/** Conflicts as records (SPEC CONF): what was written at the same time, by whom, which rule chose, and who settled it. */
import type { DeviceId, Dot } from '../../clock/dot.ts'
import type { Hlc } from '../../clock/hlc.ts'
import type { VersionVector } from '../../clock/version-vector.ts'
import type { ErrorCode } from '../../errors.ts'
import type { Value } from '../../op/value.ts'

/** One of the things that were done at the same time. */
export interface ConflictCandidate {
  /**
   * Of a field, the value; of a row, `'changed'` or `'deleted'`; of a unique field, the id of the row that shows the value; of an
   * element of a set, whether it is in; undefined for a key of JSON that was taken away, and for what was settled where somebody
   * who knew of this value alone took its place (CONF6): it is not kept.
   */
  readonly value: unknown
  readonly author: DeviceId
  readonly at: Date
  readonly stamp: Hlc
  /** The op that did it; undefined where a conflict was opened again, whose author vouches for it. */
  readonly dot: Dot | undefined
  /** What its author had seen of the authors of all candidates (of 32 where there are more): device → highest seq. */
  readonly seen: VersionVector
}

export interface Conflict {
  /**
   * `table/row/field` for one that is there now; for one that was settled, with the op that did it. No other conflict has it: `%`, `/`
   * and `@` in its parts are `%25`, `%2F` and `%40`.
   */
  readonly id: string
  /** `field`: values of one field. `row`: a change and a deletion. `unique`: rows that show one value. */
  readonly kind: 'field' | 'row' | 'unique'
  readonly table: string
  /** The row; of a unique field, the one that holds the value. */
  readonly rowId: string
  /** undefined for `row`. */
  readonly field: string | undefined
  /** What of the field: an element of a set, the id of an item of a list, the keys of a path in JSON. */
  readonly part: Value | undefined
  /**
   * `open`: a person is asked. `by-rule`: the values are there beside each other, and the rule chose what is shown. `settled`: a
   * later write, whose author had seen them, has taken their place.
   */
  readonly status: 'open' | 'by-rule' | 'settled'
  /** What chose, or whose fault it is that nothing did: a strategy (`custom:name@version`), a law of rows, `unique`. */
  readonly rule: string
  /** By rising stamp. */
  readonly candidates: readonly ConflictCandidate[]
  /** What is shown, or (settled) what took their place. As `value` of a candidate. */
  readonly outcome: unknown
  /** STRATEGY_FAILED: the strategy could not choose, and the latest is shown. */
  readonly error: { readonly code: ErrorCode; readonly message: string } | undefined
  readonly settledBy: DeviceId | undefined
  /** The op that settled it. */
  readonly settledDot: Dot | undefined
  readonly settledAt: Date | undefined
  /** Why, where somebody said so. */
  readonly reason: string | undefined
}

export const isOpen = ({ status }: Conflict): boolean => status === 'open'
