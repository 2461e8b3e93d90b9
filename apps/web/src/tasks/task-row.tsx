import { memo, useState } from 'react'
import type { TaskChange } from '../data/mutations.ts'
import { dayInWords, type Day, dayOf } from '../data/days.ts'
import { useReplica, useStatus } from '../data/hooks.ts'
import { type Task, taskFields } from '../data/schema.ts'
import { Icon } from '../ui/icons.tsx'
import { InlineText } from '../ui/inline-text.tsx'
import { priorityWords, stateWords } from './task-words.ts'

export interface TaskRowProps {
  readonly task: Task
  readonly today: Day
  /** Where the task is; undefined where the whole pane is of one list. */
  readonly listName: string | undefined
  readonly isOpen: boolean
  readonly onOpen: (id: string) => void
  readonly onChange: (task: Task, change: TaskChange) => boolean
  readonly onDelete: (id: string) => void
}

export const TaskRow = memo(({ task, today, listName, isOpen, onOpen, onChange, onDelete }: TaskRowProps) => {
  const [title, setTitle] = useState<'shown' | 'editing' | 'edited'>('shown')
  const hasMeta = task.state !== 'open' || task.due !== null || listName !== undefined

  return (
    <li className="task" data-done={task.done || undefined} data-open={isOpen || undefined}>
      <input
        type="checkbox"
        className="tick"
        aria-label={task.title}
        checked={task.done}
        onChange={(event) => onChange(task, { done: event.target.checked })}
      />
      {title === 'editing' ? (
        <InlineText
          className="task-rename"
          label="Task title"
          value={task.title}
          onCommit={(text) => onChange(task, { title: text })}
          onDone={({ byKey }) => setTitle(byKey ? 'edited' : 'shown')}
        />
      ) : (
        <button
          type="button"
          className="task-main"
          data-task={task.id}
          aria-expanded={isOpen}
          aria-label={`Open ${task.title}`}
          autoFocus={title === 'edited'}
          onClick={() => onOpen(task.id)}
          onDoubleClick={() => setTitle('editing')}
          onKeyDown={(event) => {
            if (event.ctrlKey || event.metaKey || event.altKey) return
            if (event.key === 'e' || event.key === 'F2') setTitle('editing')
            else if (event.key === 'x') onChange(task, { done: !task.done })
            else if (event.key === 'Delete' || event.key === 'Backspace') onDelete(task.id)
            else return
            event.preventDefault()
          }}
        >
          <span className="task-title">
            {task.title}
            {task.notes !== '' && (
              <span className="task-has-notes" title="Has notes">
                <Icon name="notes" />
              </span>
            )}
          </span>
          {hasMeta && (
            <span className="task-meta">
              {task.due && <Due due={task.due} today={today} done={task.done} />}
              {task.state !== 'open' && <span className={`chip chip-${task.state}`}>{stateWords[task.state]}</span>}
              {listName !== undefined && <span className="task-list">{listName}</span>}
            </span>
          )}
        </button>
      )}
      <ConcurrentMark task={task} />
      {task.priority > 0 && (
        <span className={`priority priority-${task.priority}`} title={`Priority: ${priorityWords[task.priority]}`}>
          <span className="visually-hidden">{`Priority: ${priorityWords[task.priority]}`}</span>
        </span>
      )}
      <button
        type="button"
        className="icon-button task-delete"
        aria-label={`Delete ${task.title}`}
        onClick={() => onDelete(task.id)}
      >
        <Icon name="trash" />
      </button>
    </li>
  )
})

const Due = ({ due, today, done }: { readonly due: Date; readonly today: Day; readonly done: boolean }) => {
  const day = dayOf(due)
  const when = done ? 'past' : day < today ? 'late' : day === today ? 'today' : 'later'
  return (
    <time className={`due due-${when}`} dateTime={day}>
      <Icon name="calendar" />
      {dayInWords(due, today)}
    </time>
  )
}

const ConcurrentMark = ({ task }: { readonly task: Task }) => {
  const replica = useReplica()
  // Most of the time nothing is concurrent anywhere, and no row has to look.
  const { conflicts } = useStatus()
  const isConcurrent =
    conflicts > 0 && taskFields.some((field) => replica.candidates('tasks', task.id, field).length > 1)
  if (!isConcurrent) return null
  return (
    <span className="chip chip-concurrent">
      <Icon name="branch" /> 2 versions
    </span>
  )
}
