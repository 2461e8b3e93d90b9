import { useState } from 'react'
import { go } from '../app/route.ts'
import { dateOf, dayOf, momentInWords } from '../data/days.ts'
import { deviceName } from '../data/devices.ts'
import { useQuery, useReplica } from '../data/hooks.ts'
import { useMutations } from '../data/mutations-context.tsx'
import { oneTask } from '../data/queries.ts'
import { type List, states, type Task, type TaskField, taskFields } from '../data/schema.ts'
import { Icon } from '../ui/icons.tsx'
import { useNotify } from '../ui/notices.tsx'
import { useNow, useToday } from '../ui/use-now.ts'
import { ConcurrentValues } from './concurrent-values.tsx'
import { DraftText } from './draft-text.tsx'
import { fieldWords, priorityWords, stateWords, valueInWords } from './task-words.ts'

export interface TaskDetailProps {
  readonly id: string
  readonly lists: readonly List[]
}

export const TaskDetail = ({ id, lists }: TaskDetailProps) => {
  const found = useQuery(oneTask(id), [id])
  const [known, setKnown] = useState<Task>()
  const task = found?.[0]
  if (task !== undefined && task !== known) setKnown(task)
  if (task !== undefined) return <Fields task={task} lists={lists} />
  return found === undefined ? null : <Gone task={known} />
}

const close = () => go({ task: undefined })

const Gone = ({ task }: { readonly task: Task | undefined }) => {
  const { restoreTask } = useMutations()
  return (
    <div className="empty">
      <h2>This task is deleted</h2>
      {task && <p>“{task.title}” can come back as it was.</p>}
      <p className="button-row">
        {task && (
          <button type="button" className="button button-primary" onClick={() => restoreTask(task)}>
            Restore
          </button>
        )}
        <button type="button" className="button" onClick={close}>
          Close
        </button>
      </p>
    </div>
  )
}

const Fields = ({ task, lists }: { readonly task: Task; readonly lists: readonly List[] }) => {
  const { changeTask, deleteTask, restoreTask } = useMutations()
  const notify = useNotify()
  const change = (fields: Parameters<typeof changeTask>[1]) => changeTask(task.id, fields)

  const remove = () => {
    const deleted = deleteTask(task.id)
    if (deleted === undefined) return
    close()
    notify({ text: `“${deleted.title}” is deleted.`, action: { label: 'Undo', run: () => restoreTask(deleted) } })
  }

  return (
    <div className="detail">
      <header className="detail-head">
        <button type="button" className="icon-button detail-back" aria-label="Close details" onClick={close}>
          <Icon name="close" />
        </button>
        <label className="detail-done">
          <input
            type="checkbox"
            className="tick"
            checked={task.done}
            onChange={(event) => change({ done: event.target.checked })}
          />
          Done
        </label>
        <button type="button" className="icon-button" aria-label="Delete task" onClick={remove}>
          <Icon name="trash" />
        </button>
      </header>

      <DraftText
        className="detail-title"
        label="Title"
        rows={1}
        value={task.title}
        onCommit={(title) => title.trim() !== '' && change({ title: title.trim() })}
      />

      <Concurrent task={task} lists={lists} />

      <div className="detail-fields">
        <label htmlFor="due">Due</label>
        <input
          id="due"
          type="date"
          value={task.due ? dayOf(task.due) : ''}
          onChange={(event) => change({ due: dateOf(event.target.value) ?? null })}
        />
        <label htmlFor="state">State</label>
        <select
          id="state"
          value={task.state}
          onChange={(event) => change({ state: states.find((state) => state === event.target.value) })}
        >
          {states.map((state) => (
            <option key={state} value={state}>
              {stateWords[state]}
            </option>
          ))}
        </select>
        <label htmlFor="priority">Priority</label>
        <select
          id="priority"
          value={task.priority}
          onChange={(event) => change({ priority: Number(event.target.value) })}
        >
          {priorityWords.map((word, priority) => (
            <option key={word} value={priority}>
              {word}
            </option>
          ))}
        </select>
        <label htmlFor="list">List</label>
        <select
          id="list"
          value={lists.some((list) => list.id === task.list) ? (task.list ?? '') : ''}
          onChange={(event) => change({ list: event.target.value === '' ? null : event.target.value })}
        >
          <option value="">Inbox</option>
          {lists.map((list) => (
            <option key={list.id} value={list.id}>
              {list.name}
            </option>
          ))}
        </select>
      </div>

      <DraftText
        className="detail-notes"
        label="Notes"
        placeholder="Add notes"
        rows={6}
        pauseMs={700}
        isLabelShown
        value={task.notes}
        onCommit={(notes) => change({ notes })}
      />

      <Authorship task={task} />
    </div>
  )
}

const Authorship = ({ task }: { readonly task: Task }) => {
  const { device } = useReplica()
  const now = useNow()
  return (
    <footer className="detail-foot">
      <p>
        Created <Moment at={task.createdAt} now={now} />, {deviceName(task.createdBy, device)}
      </p>
      <p>
        Changed <Moment at={task.updatedAt} now={now} />
      </p>
    </footer>
  )
}

const Moment = ({ at, now }: { readonly at: Date; readonly now: Date }) => (
  <time dateTime={at.toISOString()} title={at.toLocaleString()}>
    {momentInWords(at, now)}
  </time>
)

const Concurrent = ({ task, lists }: { readonly task: Task; readonly lists: readonly List[] }) => {
  const { changeTask } = useMutations()
  const today = useToday()
  return taskFields.map((field: TaskField) => (
    <ConcurrentValues
      key={field}
      table="tasks"
      id={task.id}
      field={field}
      label={fieldWords[field]}
      inWords={(value) => valueInWords(field, value, today, lists)}
      onKeep={(value) => changeTask(task.id, { [field]: value })}
    />
  ))
}
