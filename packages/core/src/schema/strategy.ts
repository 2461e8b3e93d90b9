/**
 * Strategies: which of a register's concurrent values is shown. A pure function of those values alone, so every one of them
 * converges, and none is lost: the cells keep all, and another strategy may choose another one tomorrow (SPEC STRAT).
 */
import { DriftlogError } from '../errors.ts'

/** One of several concurrent values, as a strategy sees it. Sorted by stamp, the earliest first. */
export interface StrategyCandidate<T = unknown> {
  readonly value: T
  /** The device that wrote it. */
  readonly author: string
  /** When, by its author's clock. */
  readonly at: Date
  /** The author's role in the space when it wrote; undefined where the space knows no roles. */
  readonly role: string | undefined
}

export interface CustomStrategy<T = unknown> {
  /** Told in the records of conflicts that it settled, with the version: change that with the function. */
  readonly name: string
  readonly version: number
  /**
   * A pure function of the values alone: whatever is asked, wherever, answers alike. What it throws, or returns that the field
   * cannot hold, is told in the conflict's record (STRATEGY_FAILED), and the latest value is shown.
   */
  readonly merge: (candidates: readonly StrategyCandidate<T>[]) => T
}

export type Strategy =
  | { readonly kind: 'last-writer-wins' }
  | { readonly kind: 'timestamp'; readonly tie: TieRule }
  | { readonly kind: 'priority'; readonly rank: (candidate: StrategyCandidate) => number }
  | ({ readonly kind: 'custom' } & CustomStrategy)
  | { readonly kind: 'manual' }

/** Of values written in one millisecond: the one that sorts last or first as text of its JSON. */
export type TieRule = 'greatest' | 'least'

/** The strategies, as a table's default takes them; a field has methods of the same names. */
export const strategies = Object.freeze({
  /** The default: the value that is last in total order (stamp, author, seq). */
  lastWriterWins: (): Strategy => Object.freeze({ kind: 'last-writer-wins' }),
  /** The latest by the wall clock, to the millisecond; of several in one millisecond, by their values. */
  timestamp: ({ tie = 'greatest' }: { readonly tie?: TieRule } = {}): Strategy =>
    Object.freeze({ kind: 'timestamp', tie }),
  /** The value of the highest rank, of equals the latest. `rank`: a pure function of value, author and role. */
  priority: <T = unknown>(rank: (candidate: StrategyCandidate<T>) => number): Strategy =>
    Object.freeze({ kind: 'priority', rank: rank as (candidate: StrategyCandidate) => number }),
  /** The app's own function of the values. */
  custom: <T = unknown>({ name, version, merge }: CustomStrategy<T>): Strategy =>
    Object.freeze({ kind: 'custom', name, version, merge: merge as CustomStrategy['merge'] }),
  /** Shows the latest, and stays a conflict until a person resolves it: a plain write replaces only what was shown. */
  manual: (): Strategy => Object.freeze({ kind: 'manual' }),
})

/** What conflict records call the rule. */
export const ruleOf = (strategy: Strategy): string =>
  strategy.kind === 'custom' ? `custom:${strategy.name}@${strategy.version}` : strategy.kind

/** Throws SCHEMA_INVALID for what is not made by `strategies`. */
export const checkStrategy = (strategy: Strategy, where: string): void => {
  const refuse = (why: string): never => {
    throw new DriftlogError('SCHEMA_INVALID', `${where}: ${why}`)
  }
  switch (strategy?.kind) {
    case 'last-writer-wins':
    case 'manual':
      return
    case 'timestamp':
      if (strategy.tie !== 'greatest' && strategy.tie !== 'least') refuse('the tie rule is greatest or least')
      return
    case 'priority':
      if (typeof strategy.rank !== 'function') refuse('priority takes a function of a candidate')
      return
    case 'custom':
      if (typeof strategy.name !== 'string' || !/^[\w.-]{1,64}$/.test(strategy.name)) {
        refuse('a custom strategy has a name of 1 to 64 letters, digits, dots and dashes')
      }
      if (!Number.isSafeInteger(strategy.version) || strategy.version < 1)
        refuse('a version is a whole number from 1 on')
      if (typeof strategy.merge !== 'function') refuse('a custom strategy has a function merge')
      return
    default:
      refuse('a strategy is made by `strategies`')
  }
}
