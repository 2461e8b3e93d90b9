import type { Place, Show } from '../app/route.ts'

/** What is said where nothing is. */
export const EmptyPlace = ({ place, show }: { readonly place: Place; readonly show: Show }) => {
  const [head, text] = wordsFor(place, show)
  return (
    <div className="empty">
      <svg className="empty-waves" viewBox="0 0 96 40" aria-hidden="true">
        <path d="M4 14c11-9 22-9 33 0s22 9 33 0 22-9 22-9" />
        <path d="M4 30c11-9 22-9 33 0s22 9 33 0 22-9 22-9" />
      </svg>
      <h2>{head}</h2>
      <p>{text}</p>
    </div>
  )
}

const wordsFor = (place: Place, show: Show): readonly [string, string] => {
  if (place.kind === 'search') return ['Nothing found', 'Search looks at the beginnings of words in titles and notes.']
  if (place.kind === 'undecided') {
    return [
      'Nothing to decide',
      'Where two people change the same words at the same time, both wait here for one of you.',
    ]
  }
  if (show === 'done') return ['Nothing done yet', 'What you tick is kept here.']
  if (place.kind === 'due') return ['Nothing is due', 'Tasks show up here on their day, and stay until they are done.']
  if (show === 'open') return ['All clear', 'Type a task above and press Enter. No network is needed.']
  return ['No tasks here', 'Type one above and press Enter. No network is needed.']
}
