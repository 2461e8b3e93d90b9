import { useState } from 'react'

export interface InlineTextProps {
  readonly label: string
  readonly className: string
  readonly value: string
  /** False: it was refused, and the field stays open with what was typed. */
  readonly onCommit: (text: string) => boolean
  readonly onDone: () => void
}

/** One line of text, edited in place: Enter or leaving it saves, Escape gives up. Empty text changes nothing. */
export const InlineText = ({ label, className, value, onCommit, onDone }: InlineTextProps) => {
  const [text, setText] = useState(value)
  const commit = () => {
    const trimmed = text.trim()
    if (trimmed === '' || trimmed === value || onCommit(trimmed)) onDone()
  }
  return (
    <input
      className={className}
      aria-label={label}
      value={text}
      // The field appears because the person asked to edit just this text.
      autoFocus
      autoComplete="off"
      onFocus={(event) => event.target.select()}
      onChange={(event) => setText(event.target.value)}
      onBlur={commit}
      onKeyDown={(event) => {
        event.stopPropagation()
        if (event.key === 'Enter') commit()
        if (event.key === 'Escape') onDone()
      }}
    />
  )
}
