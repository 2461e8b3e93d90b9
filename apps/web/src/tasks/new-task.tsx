import { type Ref, useState } from 'react'
import { Icon } from '../ui/icons.tsx'

export interface NewTaskProps {
  readonly ref: Ref<HTMLInputElement>
  readonly placeholder: string
  /** False where the task was refused; then the title stays in the field. */
  readonly onAdd: (title: string) => boolean
}

/** One line that stays in focus: a task per Enter. */
export const NewTask = ({ ref, placeholder, onAdd }: NewTaskProps) => {
  const [title, setTitle] = useState('')
  return (
    <form
      className="new-task"
      onSubmit={(event) => {
        event.preventDefault()
        if (title.trim() !== '' && onAdd(title.trim())) setTitle('')
      }}
    >
      <Icon name="plus" />
      <input
        ref={ref}
        aria-label="New task"
        placeholder={placeholder}
        autoComplete="off"
        enterKeyHint="done"
        maxLength={2_000}
        value={title}
        onChange={(event) => setTitle(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === 'Escape') event.currentTarget.blur()
        }}
      />
      <button type="submit" className="button button-primary" disabled={title.trim() === ''}>
        Add
      </button>
    </form>
  )
}
