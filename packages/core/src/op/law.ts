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
  /** A counter that only grows grows by a whole number from 0 on. */
  grow: 5,
  /** A set has an element. */
  add: 6,
  /** A set has it no more. */
  remove: 7,
  /** JSON takes a value at a path, or loses what is there: `[value]` or `[]`. */
  put: 8,
  /** An item of a list is there, at a place, with a value: `[id, position or null]` or `[id, position or null, value]`. */
  item: 9,
  /** An item of a list is gone: its id. */
  drop: 10,
  /** A register takes several values at once, of which none is chosen: a conflict that was settled is open again. */
  reopen: 11,
  /**
   * Says of the change that follows to the field (or, where that has no name, to the row's life) that it settles a conflict: which
   * writes it is over, and why.
   */
  resolve: 12,
  /** The row is gone for good, with whatever is written to it, before or after. Row-level. */
  erase: 13,
} as const

export type Law = (typeof Law)[keyof typeof Law]

export const LAST_KNOWN_LAW = Law.erase

export const isRowLevel = (law: number): boolean => law === Law.insert || law === Law.delete || law === Law.erase

/** Whether a change under this law may name exactly what it replaces (CELL2), or settles (CONF3). */
export const mayBeOver = (law: number): boolean =>
  law === Law.set || law === Law.delete || law === Law.reopen || law === Law.resolve
