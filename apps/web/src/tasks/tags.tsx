import { useState } from 'react'
import { useMutations } from '../data/mutations-context.tsx'
import type { Task } from '../data/schema.ts'
import { Icon } from '../ui/icons.tsx'

/** Tags, each there once. A comma or Enter adds what is typed. */
export const Tags = ({ task: { id, tags } }: { readonly task: Task }) => {
  const { addTag, removeTag } = useMutations()
  const [text, setText] = useState('')
  const add = (typed: string) => {
    const tag = typed.trim().replace(/^#/, '')
    if (tag === '' || tags.includes(tag) || addTag(id, tag)) setText('')
  }
  return (
    <div className="tags" role="group" aria-labelledby="tags-label">
      {tags.map((tag) => (
        <span key={tag} className="tag">
          {tag}
          <button type="button" aria-label={`Remove the tag ${tag}`} onClick={() => removeTag(id, tag)}>
            <Icon name="close" />
          </button>
        </span>
      ))}
      <input
        aria-label="New tag"
        placeholder={tags.length === 0 ? 'Add a tag' : 'Add'}
        autoComplete="off"
        maxLength={60}
        value={text}
        onChange={({ target: { value } }) => (value.endsWith(',') ? add(value.slice(0, -1)) : setText(value))}
        onBlur={() => add(text)}
        onKeyDown={(event) => {
          if (event.key === 'Enter') add(text)
          if (event.key === 'Backspace' && text === '' && tags.length > 0) removeTag(id, tags[tags.length - 1])
        }}
      />
    </div>
  )
}
