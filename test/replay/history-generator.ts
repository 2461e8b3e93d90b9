/**
 * Histories of the shape that `driftlog replay` reads, from a seed: authors on branches that merge now and then, criss-cross
 * too, files that several of them change, and clocks that are hours off.
 */
export interface GeneratedCommit {
  readonly i: number
  readonly parents: readonly number[]
  readonly author: number
  readonly authoredMs: number
  readonly committedMs: number
  readonly files: readonly (readonly [path: string, added: number, removed: number])[]
}

const START_MS = Date.UTC(2022, 4, 1)
const HOUR_MS = 3_600_000

export const generateHistory = (seed: number, commits: number, authors = 6): GeneratedCommit[] => {
  const random = mulberry32(seed)
  const below = (limit: number): number => Math.floor(random() * limit)
  const paths = Array.from({ length: 24 }, (_, index) => `src/${'abcdef'[index % 6]}/file-${index}.ts`)
  // A path longer than a row id may be.
  paths.push(`${'deep/'.repeat(40)}leaf.ts`)
  const skews = Array.from({ length: authors }, () => (random() < 0.3 ? (random() - 0.5) * 6 * HOUR_MS : 0))
  const tips: number[] = []
  return Array.from({ length: commits }, (_, i) => {
    const author = below(authors)
    const isRoot = i === 0 || random() < 0.005
    const isMerge = !isRoot && tips.length > 1 && random() < 0.25
    const first = isRoot ? -1 : below(tips.length)
    const parents = isRoot ? [] : [tips[first]]
    if (isMerge) {
      const second = below(tips.length)
      if (tips[second] !== tips[first]) parents.push(tips[second])
      // Half of the merges leave the other branch open: it may be merged again, or the other way round.
      if (second !== first && random() < 0.5) tips.splice(second, 1)
    }
    const replaced = tips.indexOf(parents[0])
    if (replaced >= 0 && random() < 0.85) tips[replaced] = i
    else tips.push(i)
    const at = Math.round(START_MS + i * HOUR_MS * 0.3 + skews[author])
    // Most merges change nothing of their own.
    const changes = parents.length > 1 && random() < 0.8 ? 0 : 1 + below(4)
    const files = Array.from({ length: changes }, () => [paths[below(paths.length)], below(30), below(12)] as const)
    return { i, parents, author, authoredMs: at, committedMs: at, files }
  })
}

export const linesOf = (history: readonly GeneratedCommit[]): string =>
  `${history.map((commit) => JSON.stringify(commit)).join('\n')}\n`

/** A small generator of numbers in [0, 1) that a seed fixes (Tommy Ettinger's mulberry32). */
const mulberry32 = (seed: number) => (): number => {
  seed = (seed + 0x6d2b79f5) | 0
  let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
}
