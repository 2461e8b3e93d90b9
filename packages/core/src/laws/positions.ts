/**
 * Places of list items (SPEC CELL11): texts that sort by UTF-16 code units, with a free place between any two of them.
 *
 * A position is a path through a tree, flattened (the idea of position-strings; and of Fugue, Weidner and Kleppmann
 * 2023, 'The Art of the Fugue: Minimizing Interleaving in Collaborative Text Editing'):
 *
 *     position = level+                 every level but the last ends in ( or ), the last in )
 *     level    = run author '!' place unique side
 *
 *     run      the number of a run of items among the runs of its level
 *     author   whose run it is; empty where it is the author of the level before
 *     place    the number of the item within its run
 *     unique   tells apart what an author put to one place at different times
 *     side     ) the item, and what is behind it; ( what is before it. Both sort below all that can follow unique.
 *
 *     0Ann!0x)   0Ann!1y)   1Bob!0z)     two runs
 *     0Ann!0x)0Bob!0w)                   Bob's, between Ann's two: behind her first one
 *
 * Who goes on where he wrote last takes the next number of his own run; who comes anew begins a run, on the level
 * nearest to the root where one fits. So what one author puts to one place, item after item or item before item, stays
 * together, whatever others put there at the same time; and positions grow with the logarithm of their count.
 */

const AUTHOR_END = '!'
const BEFORE = '('
const BEHIND = ')'
const WORD = /^[\w-]+$/

// Whole numbers as text that sorts as they do, none the start of another: -20 to 19 in one character of the middle of
// DIGITS; further out the first character says how many follow, up to 8.
const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const BASE = DIGITS.length
const MAX_LENGTH = 8
const FIRST_DIRECT = 11
const DIRECT = 40
const MIN_DIRECT = -20
const FIRST_ABOVE = FIRST_DIRECT + DIRECT

const digitsOf = (number: number, length: number): string => {
  let text = ''
  for (let rest = number; text.length < length; rest = Math.floor(rest / BASE)) text = DIGITS[rest % BASE] + text
  return text
}

/** undefined beyond what 8 digits hold: nobody counts that far, but somebody may claim to have. */
const numberText = (number: number): string | undefined => {
  const direct = number - MIN_DIRECT
  if (direct >= 0 && direct < DIRECT) return DIGITS[FIRST_DIRECT + direct]
  let rest = direct < 0 ? -1 - direct : direct - DIRECT
  for (let length = 1; length <= MAX_LENGTH; length++) {
    const span = BASE ** length
    if (rest < span)
      return direct < 0
        ? DIGITS[FIRST_DIRECT - length] + digitsOf(span - 1 - rest, length)
        : DIGITS[FIRST_ABOVE + length - 1] + digitsOf(rest, length)
    rest -= span
  }
  return undefined
}

const ZERO = DIGITS[FIRST_DIRECT - MIN_DIRECT]

const isDigit = (code: number): boolean =>
  (code >= 48 && code <= 57) || (code >= 65 && code <= 90) || (code >= 97 && code <= 122)

/** How long the number at an index is; 0 where none is. */
const numberLength = (text: string, at: number): number => {
  const head = DIGITS.indexOf(text.charAt(at) || ' ')
  if (head < 0) return 0
  const more = head < FIRST_DIRECT ? FIRST_DIRECT - head : head >= FIRST_ABOVE ? head - FIRST_ABOVE + 1 : 0
  if (more > MAX_LENGTH) return 0
  for (let index = at + 1; index <= at + more; index++) if (!isDigit(text.charCodeAt(index))) return 0
  return 1 + more
}

const readNumber = (text: string, at: number): number => {
  const head = DIGITS.indexOf(text[at])
  if (head >= FIRST_DIRECT && head < FIRST_ABOVE) return MIN_DIRECT + head - FIRST_DIRECT
  const length = numberLength(text, at) - 1
  let digits = 0
  for (let index = at + 1; index <= at + length; index++) digits = digits * BASE + DIGITS.indexOf(text[index])
  let shorter = 0
  for (let less = 1; less < length; less++) shorter += BASE ** less
  return head < FIRST_DIRECT
    ? MIN_DIRECT - 1 - shorter - (BASE ** length - 1 - digits)
    : MIN_DIRECT + DIRECT + shorter + digits
}

interface Level {
  /** Where the level begins in its position, and where its place does. */
  readonly start: number
  readonly placeStart: number
  readonly author: string
}

/** undefined for what is no position. */
const levelsOf = (position: string): Level[] | undefined => {
  const levels: Level[] = []
  let author = ''
  let start = 0
  while (start < position.length) {
    const authorStart = start + numberLength(position, start)
    const authorEnd = position.indexOf(AUTHOR_END, authorStart)
    if (authorStart === start || authorEnd < 0) return undefined
    if (authorEnd > authorStart) {
      author = position.slice(authorStart, authorEnd)
      if (!WORD.test(author)) return undefined
    }
    const placeStart = authorEnd + 1
    const uniqueStart = placeStart + numberLength(position, placeStart)
    let end = uniqueStart
    while (end < position.length && position[end] !== BEFORE && position[end] !== BEHIND) end++
    if (author === '' || uniqueStart === placeStart || end === position.length) return undefined
    if (!WORD.test(position.slice(uniqueStart, end))) return undefined
    levels.push({ start, placeStart, author })
    start = end + 1
  }
  return position.endsWith(BEHIND) ? levels : undefined
}

/** Whether a text is a position. Only between such is there always a place. */
export const isPosition = (text: string): boolean => levelsOf(text) !== undefined

const parsed = (position: string | undefined): Level[] => {
  if (position === undefined) return []
  const levels = levelsOf(position)
  if (levels === undefined) throw new RangeError(`no position: ${position}`)
  return levels
}

/** Whether all that begins with `stem` is between the two. */
const isFree = (stem: string, before: string | undefined, after: string | undefined): boolean =>
  (before === undefined || before < stem) && (after === undefined || (stem < after && !after.startsWith(stem)))

/** A number of what stands at an index, moved by some; undefined where it gets too large. */
const movedStem = (position: string, at: number, by: number): string | undefined => {
  const moved = numberText(readNumber(position, at) + by)
  return moved && position.slice(0, at) + moved
}

/** Who makes positions, as letters, digits, - and _. */
export interface PositionSource {
  /** Of the device, the same in all its mutations. A few characters do: those who share one may interleave, no more. */
  readonly author: string
  /** Of the mutation alone: a few random characters. */
  readonly unique: string
}

/** One position between two, with room behind it, in its run, for `count` in all. */
const positionBetween = (
  before: string | undefined,
  after: string | undefined,
  count: number,
  { author, unique }: PositionSource,
): string => {
  const below = parsed(before)
  const above = parsed(after)
  const item = (stem: string): string => stem + unique + BEHIND
  const newRun = (stem: string, inherited: string | undefined): string =>
    item(stem + (inherited === author ? '' : author) + AUTHOR_END + ZERO)

  // Two items can share a position: what was moved away comes back. No place is between them, but one behind both.
  const isBetween = before === undefined || after === undefined || before < after
  if (before !== undefined && !isBetween) return newRun(before + ZERO, below.at(-1)!.author)

  const sides = [
    { position: before, levels: below, other: after, direction: 1 },
    { position: after, levels: above, other: before, direction: -1 },
  ]
  const runOf = (position: string, levels: readonly Level[]): string => position.slice(0, levels.at(-1)!.placeStart)
  // On with a run of one's own, forward or backward, but not between two items of it: its numbers would soon run out
  // there, and what follows would be put where others are.
  for (const { position, levels, other, direction } of sides) {
    if (position === undefined || levels.at(-1)!.author !== author) continue
    if (other?.startsWith(runOf(position, levels))) continue
    const by = direction === 1 ? 1 : -count
    const stem = movedStem(position, levels.at(-1)!.placeStart, by)
    if (stem !== undefined && isFree(stem, before, after)) return item(stem)
  }
  // A new run as near to the root as can be.
  for (const { position, levels, direction } of sides)
    for (const [index, { start }] of levels.entries()) {
      const stem = movedStem(position!, start, direction)
      if (stem !== undefined && isFree(stem, before, after)) return newRun(stem, levels[index - 1]?.author)
    }
  // A level of its own, always free: behind the one or, where the other follows that already, before the other.
  const isFollowed = before !== undefined && after !== undefined && after.startsWith(runOf(before, below))
  if (before !== undefined && !isFollowed) return newRun(before + ZERO, below.at(-1)!.author)
  if (after !== undefined) return newRun(after.slice(0, -1) + BEFORE + ZERO, above.at(-1)!.author)
  return newRun(ZERO, undefined)
}

/**
 * Positions for `count` items between two that are next to each other, rising; a function of its arguments. Without
 * `before`: at the start; without `after`: at the end. Throws RangeError for what is no position.
 */
export const positionsBetween = (
  before: string | undefined,
  after: string | undefined,
  count: number,
  source: PositionSource,
): string[] => {
  if (!WORD.test(source.author) || !WORD.test(source.unique)) throw new RangeError('no source of positions')
  const end = before !== undefined && after !== undefined && before >= after ? undefined : after
  const positions: string[] = []
  let last: string | undefined
  while (positions.length < count) {
    const next = last && movedStem(last, parsed(last).at(-1)!.placeStart, 1)
    if (last === undefined) last = positionBetween(before, after, count, source)
    // The numbers of a run end somewhere, if only for one that somebody else's program began.
    else if (next === undefined) last = positionBetween(last, end, 1, source)
    else last = next + source.unique + BEHIND
    positions.push(last)
  }
  return positions
}
