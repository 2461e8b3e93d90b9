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
  readonly onBegin: () => void
  readonly onCommit: (text: string) => boolean
  readonly pauseMs?: number
}

/** Text that grows with what is in it. Leaving it saves. */
export const DraftText = (props: DraftTextProps) => {
  const { label, isLabelShown = false, className, placeholder, rows, value, onBegin, onCommit, pauseMs } = props
  const { text, setText, commit, discard } = useDraft({ value, onBegin, onCommit, pauseMs })
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
        onBlur={commit}
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
    </div>
  )
}
