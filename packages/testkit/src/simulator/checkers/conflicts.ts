/** CONF: replicas of one schema tell of the same conflicts, and what waits for a person is what really is undecided. */
import { expectedLaws } from '../laws/expected.ts'
import { textOf } from '../laws/texts.ts'
import type { CheckerFactory } from './checker.ts'
import { vectorText } from './checker.ts'
import { mayFork } from './identity-faults.ts'

export const conflicts: CheckerFactory = (report, options) => ({
  name: 'conflicts',
  atHealed({ log, mutations, replicas, healedInMs }) {
    if (options.laws === 0 || healedInMs === undefined) return
    const told = new Map<string, { readonly by: string; readonly text: string }>()
    const expected = mayFork(options) ? undefined : expectedLaws(mutations, log)
    for (const { name, version, projected, conflicts: records } of replicas) {
      const all = records().toSorted((a, b) => (a.id < b.id ? -1 : 1))
      const text = all.map(textOf).join('\n')
      const key = `${version} ${vectorText(projected)}`
      const known = told.get(key)
      if (known === undefined) told.set(key, { by: name, text })
      else if (known.text !== text) {
        const but = (a: string, b: string): string =>
          a
            .split('\n')
            .filter((line) => !b.split('\n').includes(line))
            .join('\n')
        report(
          `${name} and ${known.by} tell of different conflicts:\n${but(text, known.text)}\nand\n${but(known.text, text)}`,
        )
      }
      if (expected === undefined) continue
      const isOpen = new Set(
        all.filter(({ status, table }) => status === 'open' && isOfLaws(table)).map(({ id }) => id),
      )
      const should = expected[version].open
      for (const id of isOpen)
        if (!should.has(id)) report(`${name} says that ${id} is open, though nothing is undecided`)
      for (const id of should) if (!isOpen.has(id)) report(`${name} does not say that ${id} is open`)
    }
  },
})

const isOfLaws = (table: string): boolean => table === 'things' || table === 'folders'
