import { useId } from 'react'
import { useDraft } from '../ui/use-draft.ts'

export interface DraftTextProps {
  readonly label: string
  readonly isLabelShown?: boolean
  readonly className: string
  readonly placeholder?: string
  /** One row: a single line, where Enter saves. */
  readonly rows: number
  readonly value: string
  readonly onCommit: (text: string) => boolean
  readonly pauseMs?: number
}

/** Text that grows with what is in it. Leaving it saves; where another device wrote meanwhile, the person decides. */
export const DraftText = (props: DraftTextProps) => {
  const { label, isLabelShown = false, className, placeholder, rows, value, onCommit, pauseMs } = props
  const { text, setText, commit, discard, theirs } = useDraft({ value, onCommit, pauseMs })
  const id = useId()
  const isLine = rows === 1
  return (
    <div className={className}>
      <label htmlFor={id} className={isLabelShown ? undefined : 'visually-hidden'}>
        {label}
      </label>
      <textarea
        id={id}
        rows={rows}
        placeholder={placeholder}
        autoComplete="off"
        value={text}
        onChange={(event) => setText(isLine ? event.target.value.replaceAll('\n', ' ') : event.target.value)}
        onBlur={() => {
          if (theirs === undefined) commit()
        }}
        onKeyDown={(event) => {
          if (event.key === 'Escape') {
            // Not both: leaving the field saves what is typed.
            if (isLine && text !== value) discard()
            else event.currentTarget.blur()
            event.stopPropagation()
          }
          if (event.key === 'Enter' && isLine) {
            event.preventDefault()
            event.currentTarget.blur()
          }
        }}
      />
      {theirs !== undefined && (
        <div className="concurrent" role="group" aria-label={`${label}: changed elsewhere while you were typing`}>
          <p className="concurrent-head">{label}: changed elsewhere while you were typing</p>
          <p className="concurrent-value">{theirs === '' ? <em>empty</em> : theirs}</p>
          <p className="button-row">
            <button type="button" className="button" onClick={discard}>
              Use this
            </button>
            <button type="button" className="button" onClick={commit}>
              Keep mine
            </button>
          </p>
        </div>
      )}
    </div>
  )
}
