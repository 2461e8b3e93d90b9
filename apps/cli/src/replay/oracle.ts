/**
 * What every replica must show at the end of a replay, computed from the commit graph alone. It shares no code with the
 * engine, not even the arithmetic of the stamps:
 *
 * - ORA1 a total does not depend on any order: lines = Σ (added − removed), commits = how many touched the path;
 * - ORA2 a write replaces the writes that it saw, its ancestors. What is left are the commits on the path that no later
 *   commit on the path descends from; the one with the latest stamp is shown;
 * - ORA3 the stamp of a commit is the author's clock where that leads, else one above the greatest stamp it saw. A stamp
 *   is `(milliseconds since 2020-01-01 UTC) × 4096 + counter`. Equal stamps are ordered by device id;
 * - ORA4 equal values do not compete: the path of a file never does, the last author only where two last writers differ.
 */
import { forEachAncestorBlock } from './ancestry.ts'
import type { History } from './history.ts'

const STAMP_EPOCH_MS = 1_577_836_800_000
const STAMPS_PER_MS = 4_096

export interface ExpectedFile {
  readonly lines: number
  readonly commits: number
  /** Positions of the concurrent last commits by rising stamp: the last of them is shown. Never empty. */
  readonly lastWriters: readonly number[]
}

export interface Expectation {
  readonly files: ReadonlyMap<string, ExpectedFile>
  /** Fields with more than one concurrent value: lastCommit of a file, and lastAuthor where the authors differ. */
  readonly conflicts: number
}

/** `deviceIdOf`: the id of the device that wrote the commit at a position; it orders equal stamps. */
export const expectedState = (history: History, deviceIdOf: (commit: number) => string): Expectation => {
  const stamps = stampsOf(history)
  const byStamp = (a: number, b: number): number => stamps[a] - stamps[b] || compare(deviceIdOf(a), deviceIdOf(b))
  const touching = commitsByPath(history)
  const lastWriters = new Map<string, number[]>()
  const parents = history.commits.map((commit) => commit.parents)

  // A commit is a last writer unless one of the later commits on the path has it in its past.
  forEachAncestorBlock(parents, (from, to, isAncestor) => {
    for (const [path, { commits }] of touching) {
      for (let index = lowerBound(commits, from); index < commits.length && commits[index] < to; index++) {
        let later = index + 1
        while (later < commits.length && !isAncestor(commits[index], commits[later])) later++
        if (later === commits.length) lastWriters.set(path, [...(lastWriters.get(path) ?? []), commits[index]])
      }
    }
  })

  const files = new Map<string, ExpectedFile>()
  let conflicts = 0
  for (const [path, { commits, lines }] of touching) {
    const writers = (lastWriters.get(path) ?? []).toSorted(byStamp)
    if (writers.length > 1) conflicts++
    if (new Set(writers.map((commit) => history.commits[commit].author)).size > 1) conflicts++
    files.set(path, { lines, commits: commits.length, lastWriters: writers })
  }
  return { files, conflicts }
}

/**
 * ORA3, by position. Commits that change no file write nothing and have none: the entry is what their children see.
 */
export const stampsOf = ({ commits }: History): Float64Array => {
  const stamps = new Float64Array(commits.length)
  const greatest = new Float64Array(commits.length)
  commits.forEach(({ parents, authoredMs, files }, position) => {
    let seen = 0
    for (const parent of parents) seen = Math.max(seen, greatest[parent])
    const clock = Math.max(0, authoredMs - STAMP_EPOCH_MS) * STAMPS_PER_MS
    stamps[position] = files.length === 0 ? seen : Math.max(clock, seen + 1)
    greatest[position] = stamps[position]
  })
  return stamps
}

interface Touching {
  /** Positions, rising. */
  readonly commits: number[]
  lines: number
}

const commitsByPath = ({ commits }: History): Map<string, Touching> => {
  const touching = new Map<string, Touching>()
  commits.forEach(({ files }, position) => {
    for (const { path, added, removed } of files) {
      let entry = touching.get(path)
      if (entry === undefined) touching.set(path, (entry = { commits: [], lines: 0 }))
      entry.commits.push(position)
      entry.lines += added - removed
    }
  })
  return touching
}

const lowerBound = (rising: readonly number[], value: number): number => {
  let low = 0
  let high = rising.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (rising[middle] < value) low = middle + 1
    else high = middle
  }
  return low
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
