import { type Ref, useRef, useState } from 'react'
import { Icon } from '../ui/icons.tsx'
import { go, type Place } from './route.ts'

const PAUSE_MS = 120

/** Searches all tasks while one types. Escape goes back to where the search began. */
export const SearchField = ({ ref, place }: { readonly ref: Ref<HTMLInputElement>; readonly place: Place }) => {
  const [text, setText] = useState(place.kind === 'search' ? place.text : '')
  const [origin, setOrigin] = useState<Place>({ kind: 'all' })
  const isSearching = place.kind === 'search'
  if (!isSearching && place !== origin) {
    // The person went somewhere else by the sidebar or the back button.
    setOrigin(place)
    setText('')
  }

  const timer = useRef<number>(undefined)
  const search = (typed: string) => {
    setText(typed)
    clearTimeout(timer.current)
    timer.current = window.setTimeout(() => {
      const wanted = typed.trim()
      // A step for the back button leads to the search, not through every letter of it.
      if (wanted !== '') go({ place: { kind: 'search', text: wanted }, show: 'all' }, { replace: isSearching })
      else if (isSearching) go({ place: origin, show: 'open' })
    }, PAUSE_MS)
  }

  return (
    <search className="search">
      <Icon name="search" />
      <input
        ref={ref}
        type="search"
        aria-label="Search all tasks"
        placeholder="Search all tasks"
        autoComplete="off"
        enterKeyHint="search"
        value={text}
        onChange={(event) => search(event.target.value)}
        onKeyDown={(event) => {
          if (event.key !== 'Escape') return
          event.stopPropagation()
          search('')
          event.currentTarget.blur()
        }}
      />
      <kbd aria-hidden="true">/</kbd>
    </search>
  )
}
