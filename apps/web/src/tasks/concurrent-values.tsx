import { momentInWords } from '../data/days.ts'
import { useCandidates } from '../data/hooks.ts'
import { usePeople } from '../data/people.ts'
import type { AppSchema } from '../data/schema.ts'
import { Icon } from '../ui/icons.tsx'
import { useNow } from '../ui/use-now.ts'

type Tables = AppSchema['tables']

export interface ConcurrentValuesProps<K extends keyof Tables> {
  readonly table: K
  readonly id: string
  readonly field: keyof Tables[K]['fields'] & string
  readonly label: string
  readonly inWords: (value: unknown) => string
  /** Writes the value: a write replaces all the values that it saw, so this settles it on every device. */
  readonly onKeep: (value: unknown) => void
}

/** Says that a field was written on several devices without one knowing of the other, and lets the person settle it. */
export const ConcurrentValues = <K extends keyof Tables>(props: ConcurrentValuesProps<K>) => {
  const { table, id, field, label, inWords, onKeep } = props
  const candidates = useCandidates(table, id, field)
  const { nameOf } = usePeople()
  const now = useNow()
  if (candidates.length < 2) return null
  const head = `${label} has ${candidates.length === 2 ? 'two' : candidates.length} values`
  return (
    <div className="concurrent" role="group" aria-label={head}>
      <p className="concurrent-head">
        <Icon name="branch" /> {head}
      </p>
      <ul>
        {candidates.map(({ value, author, at }, index) => {
          const words = inWords(value)
          return (
            <li key={`${author} ${at.getTime()}`}>
              <div>
                <p className="concurrent-value">{words === '' ? <em>empty</em> : words}</p>
                <p className="concurrent-author">
                  {index === 0 && <strong>shown · </strong>}
                  {nameOf(author)}, {momentInWords(at, now)}
                </p>
              </div>
              <button type="button" className="button" aria-label={`Keep “${words}”`} onClick={() => onKeep(value)}>
                Keep
              </button>
            </li>
          )
        })}
      </ul>
    </div>
  )
}
