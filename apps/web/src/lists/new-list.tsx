import { useState } from 'react'
import { Icon } from '../ui/icons.tsx'

/** `onAdd` returns false where the list was refused; then the name stays in the field. */
export const NewList = ({ onAdd }: { readonly onAdd: (name: string) => boolean }) => {
  const [name, setName] = useState('')
  return (
    <form
      className="new-list"
      onSubmit={(event) => {
        event.preventDefault()
        if (name.trim() !== '' && onAdd(name.trim())) setName('')
      }}
    >
      <Icon name="plus" />
      <input
        aria-label="New list"
        placeholder="New list"
        autoComplete="off"
        maxLength={200}
        value={name}
        onChange={(event) => setName(event.target.value)}
      />
    </form>
  )
}
