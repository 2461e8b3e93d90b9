import type { ConflictCandidate } from '@driftlog/core'
import { useId, useState } from 'react'
import { momentInWords } from '../data/days.ts'
import { useMutations } from '../data/mutations-context.tsx'
import { usePeople } from '../data/people.ts'
import { fieldWords } from '../tasks/task-words.ts'
import { Icon } from '../ui/icons.tsx'
import { useNow } from '../ui/use-now.ts'
import { combineTexts } from './combine.ts'
import { conflictHead, type FieldConflict, isText } from './conflict-words.ts'

export interface ConflictCardProps {
  readonly conflict: FieldConflict
  readonly inWords: (value: unknown) => string
  readonly onSettled: () => void
}

type Choice = { readonly kind: 'candidate'; readonly key: string } | { readonly kind: 'combined' }

/** The values of a field that several people wrote at the same time: one of them is chosen, or a text is made of all. */
export const ConflictCard = ({ conflict, inWords, onSettled }: ConflictCardProps) => {
  const { settle } = useMutations()
  const [choice, setChoice] = useState<Choice>()
  /** With the conflict that it was made of: what came in since is not in the text, and stays a conflict. */
  const [combined, setCombined] = useState<{ readonly text: string; readonly of: FieldConflict }>()
  const [reason, setReason] = useState('')
  const id = useId()
  const { field, candidates } = conflict
  const isLine = field !== 'notes'

  // Another value may come in, or one go, while a person thinks about it.
  const chosen = choice?.kind === 'candidate' ? candidates.find((each) => keyOf(each) === choice.key) : undefined
  const isCombining = choice?.kind === 'combined'
  const text =
    combined?.text ??
    combineTexts(
      candidates.map(({ value }) => String(value)),
      { isLine },
    )
  const isReady = chosen !== undefined || (isCombining && (field !== 'title' || text.trim() !== ''))

  const decide = () => {
    if (!isReady) return
    const value = chosen === undefined ? (isLine ? text.trim() : text) : chosen.value
    if (!settle(isCombining && combined !== undefined ? combined.of : conflict, value, reason.trim())) return
    setChoice(undefined)
    setCombined(undefined)
    setReason('')
    onSettled()
  }

  return (
    <form
      className="conflict"
      aria-labelledby={`${id}-head`}
      onSubmit={(event) => {
        event.preventDefault()
        decide()
      }}
    >
      <p className="conflict-head" id={`${id}-head`}>
        <Icon name="branch" /> {conflictHead(conflict)}
      </p>
      <p className="conflict-hint">Written at the same time. Which one counts?</p>
      <div role="radiogroup" aria-label={fieldWords[field]} className="versions">
        {candidates.toReversed().map((candidate, index) => (
          <label key={keyOf(candidate)} className="version">
            <input
              type="radio"
              name={id}
              checked={candidate === chosen}
              onChange={() => setChoice({ kind: 'candidate', key: keyOf(candidate) })}
            />
            <Version candidate={candidate} words={inWords(candidate.value)} isShown={index === 0} />
          </label>
        ))}
        {isText(field) && (
          <div className="version">
            <label className="version-combine">
              <input
                type="radio"
                name={id}
                checked={isCombining}
                onChange={() => {
                  setChoice({ kind: 'combined' })
                  setCombined(combined ?? { text, of: conflict })
                }}
              />
              <span>Combine them</span>
            </label>
            {isCombining && (
              <textarea
                aria-label={`${fieldWords[field]}, combined`}
                rows={isLine ? 2 : 5}
                value={text}
                onChange={({ target: { value } }) =>
                  setCombined({ text: isLine ? value.replaceAll('\n', ' ') : value, of: combined?.of ?? conflict })
                }
              />
            )}
          </div>
        )}
      </div>
      <div className="conflict-end">
        <input
          type="text"
          aria-label="Reason (optional)"
          placeholder="Why? (optional)"
          autoComplete="off"
          maxLength={200}
          value={reason}
          onChange={(event) => setReason(event.target.value)}
        />
        <button type="submit" className="button button-primary" disabled={!isReady}>
          Decide
        </button>
      </div>
    </form>
  )
}

const keyOf = ({ author, stamp }: ConflictCandidate): string => `${author} ${stamp}`

interface VersionProps {
  readonly candidate: ConflictCandidate
  readonly words: string
  readonly isShown: boolean
}

const Version = ({ candidate: { author, at }, words, isShown }: VersionProps) => {
  const { nameOf } = usePeople()
  const now = useNow()
  return (
    <span className="version-text">
      <span className="version-value">{words === '' ? <em>empty</em> : words}</span>
      <span className="version-author">
        {nameOf(author)}, <time dateTime={at.toISOString()}>{momentInWords(at, now)}</time>
        {isShown && ' · shown meanwhile'}
      </span>
    </span>
  )
}
