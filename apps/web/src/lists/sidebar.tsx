import { go, type Place, samePlace, useRoute } from '../app/route.ts'
import { useMutations } from '../data/mutations-context.tsx'
import { undecidedTasks } from '../conflicts/conflict-words.ts'
import { useConflicts, useQuery } from '../data/hooks.ts'
import { allLists, countDue, countsByList } from '../data/queries.ts'
import { useMayWrite } from '../members/use-members.ts'
import { StatusPanel } from '../status/status-panel.tsx'
import { Icon, type IconName } from '../ui/icons.tsx'
import { useToday } from '../ui/use-now.ts'
import { NewList } from './new-list.tsx'

export const Sidebar = ({ onChosen }: { readonly onChosen: () => void }) => {
  const { addList } = useMutations()
  const mayWrite = useMayWrite()
  const today = useToday()
  const lists = useQuery(allLists, [])
  const counts = useQuery(countsByList, [])
  const due = useQuery(countDue(today), [today])?.[0]?.open ?? 0

  const undecided = undecidedTasks(useConflicts()).size

  const openIn = new Map(counts?.map(({ list, open }) => [list, open]))
  const total = [...openIn.values()].reduce((sum, open) => sum + open, 0)
  const listed = lists?.reduce((sum, { id }) => sum + (openIn.get(id) ?? 0), 0) ?? 0

  const choose = (place: Place) => {
    go({ place, task: undefined })
    onChosen()
  }

  return (
    <div className="sidebar">
      <p className="brand">
        <img src="/icon.svg" alt="" width="26" height="26" /> Driftlog
      </p>
      <nav className="places" aria-label="Lists">
        <ul>
          <PlaceLink place={{ kind: 'all' }} icon="all" name="All tasks" open={total} onChoose={choose} />
          <PlaceLink place={{ kind: 'due' }} icon="calendar" name="Due" open={due} onChoose={choose} />
          <PlaceLink place={{ kind: 'inbox' }} icon="inbox" name="Inbox" open={total - listed} onChoose={choose} />
          <PlaceLink
            place={{ kind: 'undecided' }}
            icon="branch"
            name="To decide"
            open={undecided}
            isUrgent={undecided > 0}
            onChoose={choose}
          />
        </ul>
        <h2>Lists</h2>
        <ul>
          {lists?.map(({ id, name }) => (
            <PlaceLink key={id} place={{ kind: 'list', id }} name={name} open={openIn.get(id) ?? 0} onChoose={choose} />
          ))}
        </ul>
        {lists?.length === 0 && <p className="hint">A list keeps together what belongs together.</p>}
        {mayWrite && (
          <NewList
            onAdd={(name) => {
              const id = addList(name)
              if (id !== undefined) choose({ kind: 'list', id })
              return id !== undefined
            }}
          />
        )}
      </nav>
      <StatusPanel onUndecided={() => choose({ kind: 'undecided' })} />
    </div>
  )
}

interface PlaceLinkProps {
  readonly place: Place
  readonly icon?: IconName
  readonly name: string
  readonly open: number
  readonly isUrgent?: boolean
  readonly onChoose: (place: Place) => void
}

const PlaceLink = ({ place, icon, name, open, isUrgent = false, onChoose }: PlaceLinkProps) => {
  const isHere = samePlace(useRoute().place, place)
  return (
    <li>
      <button
        type="button"
        className="place"
        aria-current={isHere ? 'page' : undefined}
        aria-label={`${name}, ${open} open`}
        data-urgent={isUrgent || undefined}
        onClick={() => onChoose(place)}
      >
        {icon ? <Icon name={icon} /> : <span className="place-dot" aria-hidden="true" />}
        <span className="place-name">{name}</span>
        {open > 0 && <span className="count">{open}</span>}
      </button>
    </li>
  )
}
