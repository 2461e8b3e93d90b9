/** A text to start from, where a person combines what several people wrote at the same time. */

/** More would be felt as a pause. */
const MAX_CELLS = 1_000_000

/**
 * Lines that are in both are there once, those of only one are kept in their places; one line is taken word by word where the two
 * have much in common. Nothing of either is left out: the person takes away what is too much.
 */
export const combineTexts = (texts: readonly string[], { isLine }: { readonly isLine: boolean }): string =>
  texts
    .filter((text) => text.trim() !== '')
    .reduce((all, text) => (all === '' ? text : isLine ? combineLine(all, text) : combineLines(all, text)), '')

const combineLines = (a: string, b: string): string => union(a.split('\n'), b.split('\n')).join('\n')

const combineLine = (a: string, b: string): string => {
  const [first, second] = [a.split(' '), b.split(' ')]
  const together = union(first, second)
  const common = first.length + second.length - together.length
  // Of two sentences that only share an “and”, a mixture would be word salad.
  return 2 * common >= Math.min(first.length, second.length) ? together.join(' ') : `${a} / ${b}`
}

/** Both sequences merged, with the parts of a longest common subsequence once. */
const union = (a: readonly string[], b: readonly string[]): string[] => {
  if (a.length * b.length > MAX_CELLS) return [...a, ...b]
  // common[i][j]: the length of the longest common subsequence of a from i and b from j.
  const common = Array.from({ length: a.length + 1 }, () => new Array<number>(b.length + 1).fill(0))
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      common[i][j] = a[i] === b[j] ? common[i + 1][j + 1] + 1 : Math.max(common[i + 1][j], common[i][j + 1])
    }
  }
  const merged: string[] = []
  let [i, j] = [0, 0]
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      merged.push(a[i++])
      j++
    } else if (j >= b.length || (i < a.length && common[i + 1][j] >= common[i][j + 1])) merged.push(a[i++])
    else merged.push(b[j++])
  }
  return merged
}
