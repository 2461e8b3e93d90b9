/**
 * The laws that a change can name (SPEC CELL1). A number is for ever; one above the last known belongs to a newer
 * format, and its op is parked. Which of a row's cells are shown, and by which strategy, is the schema's business.
 */
export const Law = {
  /** The row is (again) there: a register of life. Row-level. */
  insert: 1,
  /** A register takes a value. */
  set: 2,
  /** The row is dead. Row-level. */
  delete: 3,
  /** A counter grows by a whole number, maybe below 0. */
  increment: 4,
} as const

export type Law = (typeof Law)[keyof typeof Law]

export const LAST_KNOWN_LAW = Law.increment

export const isRowLevel = (law: number): boolean => law === Law.insert || law === Law.delete
