import { useState } from 'react'

export interface InlineTextProps {
  readonly label: string
  readonly className: string
  readonly value: string
  /** False: it was refused, and the field stays open with what was typed. */
  readonly onCommit: (text: string) => boolean
  /** `byKey`: the person did not go elsewhere, so focus belongs where the text is. */
  readonly onDone: (end: { readonly byKey: boolean }) => void
}

/** One line of text, edited in place: Enter or leaving it saves, Escape gives up. Empty text changes nothing. */
export const InlineText = ({ label, className, value, onCommit, onDone }: InlineTextProps) => {
  const [text, setText] = useState(value)
  const commit = (byKey: boolean) => {
    const trimmed = text.trim()
    if (trimmed === '' || trimmed === value || onCommit(trimmed)) onDone({ byKey })
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
      onBlur={() => commit(false)}
      onKeyDown={(event) => {
        event.stopPropagation()
        if (event.key !== 'Enter' && event.key !== 'Escape') return
        // Else the key would go on to press the button that gets the focus.
        event.preventDefault()
        if (event.key === 'Enter') commit(true)
        else onDone({ byKey: true })
      }}
    />
  )
}
