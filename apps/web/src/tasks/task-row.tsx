import { memo, useRef, useState } from 'react'
import type { TaskChange, TaskDraft } from '../data/mutations.ts'
import { useMutations } from '../data/mutations-context.tsx'
import { dayInWords, type Day, dayOf } from '../data/days.ts'
import type { Task } from '../data/schema.ts'
import { Icon } from '../ui/icons.tsx'
import { InlineText } from '../ui/inline-text.tsx'
import { priorityWords, stateWords } from './task-words.ts'

export interface TaskRowProps {
  readonly task: Task
  readonly today: Day
  /** Where the task is; undefined where the whole pane is of one list. */
  readonly listName: string | undefined
  readonly isOpen: boolean
  /** People disagree about it, and somebody has to decide. */
  readonly isUndecided: boolean
  readonly mayWrite: boolean
  readonly onOpen: (id: string) => void
  readonly onChange: (task: Task, change: TaskChange) => boolean
  readonly onDelete: (id: string) => void
}

export const TaskRow = memo(
  ({ task, today, listName, isOpen, isUndecided, mayWrite, onOpen, onChange, onDelete }: TaskRowProps) => {
    const [title, setTitle] = useState<'shown' | 'editing' | 'edited'>('shown')
    const { openForm, saveForm } = useMutations()
    const form = useRef<TaskDraft>(undefined)
    const rename = () => {
      form.current = openForm(task.id)
      if (form.current !== undefined) setTitle('editing')
    }
    const hasMeta =
      task.who !== '' ||
      task.tags.length + task.steps.length > 0 ||
      task.state !== 'open' ||
      task.due !== null ||
      listName !== undefined

    return (
      <li className="task" data-done={task.done || undefined} data-open={isOpen || undefined}>
        <input
          type="checkbox"
          className="tick"
          aria-label={task.title}
          checked={task.done}
          disabled={!mayWrite}
          onChange={(event) => onChange(task, { done: event.target.checked })}
        />
        {title === 'editing' ? (
          <InlineText
            className="task-rename"
            label="Task title"
            value={task.title}
            onCommit={(text) => form.current !== undefined && saveForm(form.current, { title: text })}
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
            onDoubleClick={() => mayWrite && rename()}
            onKeyDown={(event) => {
              if (!mayWrite || event.ctrlKey || event.metaKey || event.altKey) return
              if (event.key === 'e' || event.key === 'F2') rename()
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
                {task.steps.length > 0 && <StepCount task={task} />}
                {task.who !== '' && <span className="task-who">{task.who}</span>}
                {task.tags.map((tag) => (
                  <span key={tag} className="task-tag">
                    #{tag}
                  </span>
                ))}
                {listName !== undefined && <span className="task-list">{listName}</span>}
              </span>
            )}
          </button>
        )}
        {isUndecided && (
          <span className="chip chip-undecided">
            <Icon name="branch" /> Decide
          </span>
        )}
        {task.priority > 0 && (
          <span className={`priority priority-${task.priority}`} title={`Priority: ${priorityWords[task.priority]}`}>
            <span className="visually-hidden">{`Priority: ${priorityWords[task.priority]}`}</span>
          </span>
        )}
        {mayWrite && (
          <button
            type="button"
            className="icon-button task-delete"
            aria-label={`Delete ${task.title}`}
            onClick={() => onDelete(task.id)}
          >
            <Icon name="trash" />
          </button>
        )}
      </li>
    )
  },
)

const StepCount = ({ task: { steps, stepsDone } }: { readonly task: Task }) => {
  const done = new Set(stepsDone)
  return <span>{`${steps.filter(({ id }) => done.has(id)).length} of ${steps.length} steps`}</span>
}

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
