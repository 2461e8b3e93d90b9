/**
 * Reachability in a commit graph, by bitsets over blocks of ancestors: for a block of `BLOCK` commits, one bit each says
 * which later commits have it in their past. Blocks are asked one after the other, so that a history of 100,000 commits
 * needs 25 MB at a time rather than 1.2 GB.
 */
const BLOCK = 2_048
const WORD_BITS = 32
const WORDS = BLOCK / WORD_BITS

/** Whether `ancestor`, which is in the current block, is a strict ancestor of `commit`. */
export type IsAncestor = (ancestor: number, commit: number) => boolean

/** Calls `visit` for each block `[from, to)` of commits as ancestors. `parents[i]` are positions below i. */
export const forEachAncestorBlock = (
  parents: readonly (readonly number[])[],
  visit: (from: number, to: number, isAncestor: IsAncestor) => void,
): void => {
  const count = parents.length
  for (let from = 0; from < count; from += BLOCK) {
    const to = Math.min(from + BLOCK, count)
    // Row i: the commits of the block in the past of commit from + i, itself not included.
    const rows = new Uint32Array((count - from) * WORDS)
    for (let commit = from + 1; commit < count; commit++) {
      const row = (commit - from) * WORDS
      for (const parent of parents[commit]) {
        if (parent < from) continue
        const parentRow = (parent - from) * WORDS
        for (let word = 0; word < WORDS; word++) rows[row + word] |= rows[parentRow + word]
        if (parent < to) rows[row + ((parent - from) >>> 5)] |= 1 << ((parent - from) & 31)
      }
    }
    visit(from, to, (ancestor, commit) => {
      if (commit <= ancestor) return false
      const bit = ancestor - from
      return (rows[(commit - from) * WORDS + (bit >>> 5)] & (1 << (bit & 31))) !== 0
    })
  }
}
