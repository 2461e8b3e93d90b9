import { type KeyboardEvent, type Ref, useCallback, useEffect } from 'react'
import { undecidedTasks } from '../conflicts/conflict-words.ts'
import { go, type Place, type Route } from '../app/route.ts'
import { useMutations } from '../data/mutations-context.tsx'
import { type Day, dateOf } from '../data/days.ts'
import { useConflicts } from '../data/hooks.ts'
import type { List } from '../data/schema.ts'
import { askToKeepData } from '../data/replica.ts'
import { ListHeader } from '../lists/list-header.tsx'
import { useMayWrite } from '../members/use-members.ts'
import { isTyping } from '../ui/notices.tsx'
import { EmptyPlace } from './empty-place.tsx'
import { FilterTabs } from './filter-tabs.tsx'
import { NewTask } from './new-task.tsx'
import { TaskRow } from './task-row.tsx'
import { listInWords } from './task-words.ts'
import { useTasks } from './use-tasks.ts'

export interface TaskPaneProps {
  readonly route: Route
  /** undefined: not known yet. */
  readonly lists: readonly List[] | undefined
  readonly newTaskRef: Ref<HTMLInputElement>
}

export const TaskPane = ({ route, lists, newTaskRef }: TaskPaneProps) => {
  const { place, show, task: openTask } = route
  const { addTask } = useMutations()
  const mayWrite = useMayWrite()
  const { tasks, today, hasMore, showMore, change, remove } = useTasks(route)
  const undecided = undecidedTasks(useConflicts())
  const open = useCallback((id: string) => go({ task: id }), [])
  const list = place.kind === 'list' ? lists?.find(({ id }) => id === place.id) : undefined

  const title = list?.name ?? titleOf(place)
  useEffect(() => {
    document.title = `${title} · Driftlog`
  }, [title])

  const add = (name: string) => {
    const id = addTask({ title: name, ...defaultsIn(place, today) })
    if (id !== undefined) void askToKeepData()
    return id !== undefined
  }

  if (place.kind === 'list' && lists !== undefined && list === undefined) {
    return (
      <div className="empty">
        <h1>This list is deleted</h1>
        <p>Its tasks are in the inbox.</p>
        <button type="button" className="button" onClick={() => go({ place: { kind: 'inbox' } })}>
          Go to the inbox
        </button>
      </div>
    )
  }

  return (
    <>
      <header className="pane-head">
        {list === undefined ? (
          <div className="pane-title">
            <h1>{title}</h1>
          </div>
        ) : (
          <ListHeader key={list.id} list={list} />
        )}
        {place.kind !== 'undecided' && <FilterTabs show={show} />}
      </header>
      {mayWrite && place.kind !== 'search' && place.kind !== 'undecided' && (
        <NewTask ref={newTaskRef} placeholder={placeholderIn(place, list)} onAdd={add} />
      )}
      {tasks?.length === 0 && <EmptyPlace place={place} show={show} />}
      <ul className="tasks" aria-label="Tasks" onKeyDown={moveFocus}>
        {tasks?.map((task) => (
          <TaskRow
            key={task.id}
            task={task}
            today={today}
            listName={place.kind === 'list' || place.kind === 'inbox' ? undefined : listInWords(task.list, lists ?? [])}
            isOpen={task.id === openTask}
            isUndecided={undecided.has(task.id)}
            mayWrite={mayWrite}
            onOpen={open}
            onChange={change}
            onDelete={remove}
          />
        ))}
      </ul>
      {hasMore && (
        <button type="button" className="button show-more" onClick={showMore}>
          Show more
        </button>
      )}
    </>
  )
}

/** What a task that is added here has to be, to be seen here. */
const defaultsIn = (place: Place, today: Day) => ({
  list: place.kind === 'list' ? place.id : null,
  due: (place.kind === 'due' ? dateOf(today) : undefined) ?? null,
})

const titleOf = (place: Place): string => {
  switch (place.kind) {
    case 'all':
      return 'All tasks'
    case 'due':
      return 'Due'
    case 'inbox':
      return 'Inbox'
    case 'undecided':
      return 'To decide'
    case 'search':
      return `“${place.text}”`
    case 'list':
      return '…'
  }
}

const placeholderIn = (place: Place, list: List | undefined): string => {
  if (list !== undefined) return `Add a task to ${list.name}`
  return place.kind === 'due' ? 'Add a task for today' : 'Add a task'
}

/** Up and down go from task to task. */
const moveFocus = (event: KeyboardEvent<HTMLUListElement>): void => {
  if ((event.key !== 'ArrowDown' && event.key !== 'ArrowUp') || isTyping(event.target)) return
  const rows = [...event.currentTarget.querySelectorAll<HTMLElement>('[data-task]')]
  const row =
    event.target instanceof HTMLElement ? event.target.closest('li')?.querySelector<HTMLElement>('[data-task]') : null
  const at = row ? rows.indexOf(row) : -1
  rows[at + (event.key === 'ArrowDown' ? 1 : -1)]?.focus()
  event.preventDefault()
}
