import type { Ref } from 'react'
import { momentInWords } from '../data/days.ts'
import { useMutations } from '../data/mutations-context.tsx'
import { usePeople } from '../data/people.ts'
import { fieldWords } from '../tasks/task-words.ts'
import { Icon } from '../ui/icons.tsx'
import { useNow } from '../ui/use-now.ts'
import type { Decision } from './conflict-words.ts'

export interface DecisionCardProps {
  readonly ref?: Ref<HTMLElement>
  readonly decision: Decision
  readonly inWords: (value: unknown) => string
}

/** Who decided what, when and why; and the way back. */
export const DecisionCard = ({ ref, decision, inWords }: DecisionCardProps) => {
  const { reopen } = useMutations()
  const { nameOf } = usePeople()
  const now = useNow()
  const { field, value, by, at, reason, others, isInForce } = decision
  const words = inWords(value)
  return (
    <article ref={ref} tabIndex={-1} className="decision" aria-label={`${fieldWords[field]}: decided`}>
      <p className="decision-head">
        <Icon name="check" />
        <span>
          <strong>{fieldWords[field]}</strong> decided by {nameOf(by)},{' '}
          <time dateTime={at.toISOString()} title={at.toLocaleString()}>
            {momentInWords(at, now)}
          </time>
        </span>
        {isInForce && (
          <button
            type="button"
            className="button"
            aria-label={`Undo the decision about ${fieldWords[field]}`}
            onClick={() => reopen(decision.id)}
          >
            Undo
          </button>
        )}
      </p>
      <p className="decision-value">{words === '' ? <em>empty</em> : words}</p>
      {reason !== '' && <p className="decision-reason">“{reason}”</p>}
      {others.length > 0 && (
        <p className="decision-others">
          instead of{' '}
          {others.map((other, index) => (
            <span key={`${other.author} ${String(other.value)}`}>
              {index > 0 && ', '}
              <q>{inWords(other.value) || 'empty'}</q> ({nameOf(other.author)})
            </span>
          ))}
        </p>
      )}
      {!isInForce && <p className="decision-others">Changed since.</p>}
    </article>
  )
}
