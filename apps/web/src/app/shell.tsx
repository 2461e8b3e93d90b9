import { useCallback, useEffect, useRef, useState } from 'react'
import { useQuery, useStatus } from '../data/hooks.ts'
import { allLists } from '../data/queries.ts'
import { Sidebar } from '../lists/sidebar.tsx'
import { StatusBadge } from '../status/status-badge.tsx'
import { TaskDetail } from '../tasks/task-detail.tsx'
import { TaskPane } from '../tasks/task-pane.tsx'
import { StandingBanner } from '../members/standing-banner.tsx'
import { Icon } from '../ui/icons.tsx'
import { KeyHints } from './key-hints.tsx'
import { go, useRoute } from './route.ts'
import { SearchField } from './search-field.tsx'
import { takeUpdate, useUpdateWaits } from './service-worker-updates.ts'
import { UndoRedo } from './undo-redo.tsx'
import { useKeys } from './use-keys.ts'

/** The three panes: where one can go, the tasks there, and one of them in detail. Narrow windows show one at a time. */
export const Shell = () => {
  const route = useRoute()
  const lists = useQuery(allLists, [])
  const { readOnly } = useStatus()
  const updateWaits = useUpdateWaits()
  const [menuOpen, setMenuOpen] = useState(false)
  const closeMenu = useCallback(() => setMenuOpen(false), [])
  const search = useRef<HTMLInputElement>(null)
  const newTask = useRef<HTMLInputElement>(null)

  useKeys({
    '/': () => search.current?.focus(),
    n: () => newTask.current?.focus(),
    Escape: () => (menuOpen ? closeMenu() : go({ task: undefined })),
    ArrowDown: focusFirstTask,
  })
  useReturnOfFocus(route.task)
  useEffect(() => {
    if (menuOpen) document.querySelector<HTMLElement>('#navigation [aria-current], #navigation button')?.focus()
  }, [menuOpen])

  return (
    <div
      className="shell"
      data-menu-open={menuOpen || undefined}
      data-task-open={route.task !== undefined || undefined}
    >
      <aside className="shell-sidebar" aria-label="Navigation" id="navigation">
        <Sidebar onChosen={closeMenu} />
      </aside>
      <button type="button" className="scrim" aria-label="Close menu" tabIndex={-1} onClick={closeMenu} />
      <main className="shell-main">
        <div className="topbar">
          <button
            type="button"
            className="icon-button menu-button"
            aria-label="Menu"
            aria-expanded={menuOpen}
            aria-controls="navigation"
            onClick={() => setMenuOpen(true)}
          >
            <Icon name="menu" />
          </button>
          <SearchField ref={search} place={route.place} />
          <UndoRedo />
          <StatusBadge onOpen={() => setMenuOpen(true)} />
        </div>
        {readOnly && <p className="banner">Writing is stopped until the storage of this device works again.</p>}
        <StandingBanner />
        {updateWaits && (
          <p className="banner">
            A new version is ready.
            <button type="button" className="button" onClick={takeUpdate}>
              Reload
            </button>
          </p>
        )}
        <TaskPane route={route} lists={lists} newTaskRef={newTask} />
      </main>
      <aside className="shell-detail" aria-label="Task details">
        {route.task === undefined ? <KeyHints /> : <TaskDetail key={route.task} id={route.task} lists={lists ?? []} />}
      </aside>
    </div>
  )
}

const focusFirstTask = () => document.querySelector<HTMLElement>('[data-task]')?.focus()

/** When the details close, the keyboard is back at the task. */
const useReturnOfFocus = (task: string | undefined) => {
  const last = useRef(task)
  useEffect(() => {
    const closed = task === undefined ? last.current : undefined
    last.current = task
    if (closed === undefined || document.activeElement !== document.body) return
    document.querySelector<HTMLElement>(`[data-task="${CSS.escape(closed)}"]`)?.focus({ preventScroll: true })
  }, [task])
}
