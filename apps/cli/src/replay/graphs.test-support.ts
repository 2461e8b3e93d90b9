/** Small commit graphs for tests: written by hand, or generated. */
import * as fc from 'fast-check'
import type { Commit, History } from './history.ts'

const BASE_MS = Date.UTC(2021, 0, 1)

/** `atMs`: after BASE_MS. A path stands for a change of +1 line. */
export const commit = (
  parents: readonly number[],
  author: number,
  paths: readonly string[] = ['a'],
  atMs = 0,
): Omit<Commit, 'name'> => ({
  parents,
  author,
  authoredMs: BASE_MS + atMs,
  files: paths.map((path) => ({ path, added: 1, removed: 0 })),
})

export const historyOf = (commits: readonly Omit<Commit, 'name'>[]): History => ({
  commits: commits.map((each, name) => ({ ...each, name })),
})

/** Graphs with branches, merges (criss-cross ones too), several roots, clocks that go wrong, and commits without files. */
export const graphs = (most = 40): fc.Arbitrary<History> =>
  fc
    .array(
      fc.record({
        author: fc.nat(3),
        // Steps back from the newest; a step of 0 twice, or beyond the start, leaves fewer parents.
        parents: fc.array(fc.nat(6), { maxLength: 3 }),
        skewMs: fc.oneof(
          { weight: 3, arbitrary: fc.constant(0) },
          { weight: 1, arbitrary: fc.integer({ min: -5_000, max: 5_000 }) },
        ),
        files: fc.uniqueArray(
          fc.record({ path: fc.constantFrom('a', 'b', 'src/c', 'src/d'), added: fc.nat(9), removed: fc.nat(9) }),
          { maxLength: 3, selector: ({ path }) => path },
        ),
      }),
      { minLength: 1, maxLength: most },
    )
    .map((drafts) =>
      historyOf(
        drafts.map(({ author, parents, skewMs, files }, position) => ({
          author,
          parents: [...new Set(parents.map((back) => position - 1 - back).filter((parent) => parent >= 0))],
          authoredMs: BASE_MS + position * 1_000 + skewMs,
          files,
        })),
      ),
    )
