import { useRef, useState } from 'react'
import { useMutations } from '../data/mutations-context.tsx'
import { usePeople } from '../data/people.ts'
import { Icon } from '../ui/icons.tsx'
import { InlineText } from '../ui/inline-text.tsx'

/** What the others call whoever writes in this window. */
export const OwnName = () => {
  const { own } = usePeople()
  const { nameMe } = useMutations()
  const [editing, setEditing] = useState(false)
  const button = useRef<HTMLButtonElement>(null)
  return (
    <div className="own-name">
      {editing ? (
        <InlineText
          label="Your name"
          className="own-name-input"
          value={own}
          onCommit={nameMe}
          onDone={({ byKey }) => {
            setEditing(false)
            if (byKey) requestAnimationFrame(() => button.current?.focus())
          }}
        />
      ) : (
        <button ref={button} type="button" className="panel-button" onClick={() => setEditing(true)}>
          {own === '' ? 'Say who you are' : <span>You are {own}</span>}
          <Icon name="pencil" />
        </button>
      )}
    </div>
  )
}
