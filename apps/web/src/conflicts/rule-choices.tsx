import type { Conflict } from '@driftlog/core'
import { useMutations } from '../data/mutations-context.tsx'
import { usePeople } from '../data/people.ts'
import { fieldWords } from '../tasks/task-words.ts'
import type { FieldConflict } from './conflict-words.ts'

export interface RuleChoicesProps {
  readonly conflicts: readonly FieldConflict[]
  readonly life: Conflict | undefined
  readonly inWords: (field: FieldConflict['field'], value: unknown) => string
}

/** Where a rule has chosen between values of the same time: quiet, for nobody is asked, but each of them is there to be used. */
export const RuleChoices = ({ conflicts, life, inWords }: RuleChoicesProps) => {
  const { settle } = useMutations()
  const { nameOf } = usePeople()
  const deleted = life?.candidates.find(({ value }) => value === 'deleted')
  return (
    <ul className="rule-choices">
      {life && deleted && (
        <li>
          <p>Deleted at the same time by {nameOf(deleted.author)}. It stays, for somebody was still changing it.</p>
          <button type="button" className="button" onClick={() => settle(life, 'changed', '')}>
            Keep it
          </button>
        </li>
      )}
      {conflicts.map((conflict) => {
        const { id, field, outcome, candidates } = conflict
        const shown = inWords(field, outcome)
        const others = candidates.filter(({ value }) => inWords(field, value) !== shown)
        return others.map(({ value, author, stamp }) => (
          <li key={`${id} ${author} ${stamp}`}>
            <p>
              {fieldWords[field]}: {nameOf(author)} chose “{inWords(field, value)}” at the same time;{' '}
              {conflict.rule === 'priority' ? 'the higher one' : 'the later one'} counts.
            </p>
            <button
              type="button"
              className="button"
              aria-label={`Use ${inWords(field, value)} for ${fieldWords[field]}`}
              onClick={() => settle(conflict, value, '')}
            >
              Use this
            </button>
          </li>
        ))
      })}
    </ul>
  )
}
