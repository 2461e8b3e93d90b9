import { useEffect, useMemo, useRef, useState } from 'react'
import { go } from '../app/route.ts'
import { ConflictCard } from '../conflicts/conflict-card.tsx'
import { conflictsOf, type Decision, decisionsFrom } from '../conflicts/conflict-words.ts'
import { DecisionCard } from '../conflicts/decision-card.tsx'
import { RuleChoices } from '../conflicts/rule-choices.tsx'
import { dateOf, dayOf, momentInWords } from '../data/days.ts'
import { useConflicts, useQuery } from '../data/hooks.ts'
import type { TaskDraft } from '../data/mutations.ts'
import { useMutations } from '../data/mutations-context.tsx'
import { usePeople } from '../data/people.ts'
import { decisionsOn, oneTask } from '../data/queries.ts'
import { type List, states, type Task, type TaskField, type TextField } from '../data/schema.ts'
import { useMayWrite } from '../members/use-members.ts'
import { Icon } from '../ui/icons.tsx'
import { useNotify } from '../ui/notices.tsx'
import { useDraft } from '../ui/use-draft.ts'
import { useNow, useToday } from '../ui/use-now.ts'
import { DraftText } from './draft-text.tsx'
import { Steps } from './steps.tsx'
import { Tags } from './tags.tsx'
import { priorityWords, stateWords, valueInWords } from './task-words.ts'

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
  const mayWrite = useMayWrite()
  return (
    <div className="empty">
      <h2>This task is deleted</h2>
      {task && <p>“{task.title}” can come back as it was.</p>}
      <p className="button-row">
        {task && mayWrite && (
          <button type="button" className="button button-primary" onClick={() => restoreTask(task.id)}>
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
  const mayWrite = useMayWrite()
  const notify = useNotify()
  const { names } = usePeople()
  const form = useForm(task.id)
  const { conflicts, decisions, revealed, reveal } = useDisputes(task)
  const today = useToday()
  const inWords = (field: TaskField, value: unknown) => valueInWords(field, value, today, lists)
  const change = (fields: Parameters<typeof changeTask>[1]) => changeTask(task.id, fields)

  const remove = () => {
    const deleted = deleteTask(task.id)
    if (deleted === undefined) return
    close()
    notify({ text: `“${deleted.title}” is deleted.`, action: { label: 'Undo', run: () => restoreTask(deleted.id) } })
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
            disabled={!mayWrite}
            onChange={(event) => change({ done: event.target.checked })}
          />
          Done
        </label>
        {conflicts.open.length > 0 && (
          <button type="button" className="button decide-button" onClick={reveal}>
            <Icon name="branch" /> {conflicts.open.length} to decide
          </button>
        )}
        {mayWrite && (
          <button type="button" className="icon-button" aria-label="Delete task" onClick={remove}>
            <Icon name="trash" />
          </button>
        )}
      </header>

      <fieldset className="detail-inputs" disabled={!mayWrite} aria-label="The task">
        <DraftText
          className="detail-title"
          label="Title"
          rows={1}
          value={task.title}
          onBegin={() => form.open('title')}
          onCommit={(title) => title.trim() !== '' && form.save('title', title.trim())}
        />

        <Revealed disputes={{ conflicts, decisions, revealed }} inWords={inWords} />

        <div className="detail-fields">
          <label htmlFor="who">Who</label>
          <Who
            names={names}
            value={task.who}
            onBegin={() => form.open('who')}
            onCommit={(who) => form.save('who', who)}
          />
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
          <span className="detail-label" id="tags-label">
            Tags
          </span>
          <Tags task={task} />
        </div>

        <Steps task={task} />

        <DraftText
          className="detail-notes"
          label="Notes"
          placeholder="Add notes"
          rows={6}
          pauseMs={700}
          isLabelShown
          value={task.notes}
          onBegin={() => form.open('notes')}
          onCommit={(notes) => form.save('notes', notes)}
        />

        <RuleChoices conflicts={conflicts.byRule} life={conflicts.life} inWords={inWords} />
        <Decisions decisions={decisions.filter(({ field }) => !revealed.includes(field))} inWords={inWords} />
      </fieldset>

      <Authorship task={task} />
    </div>
  )
}

type InWords = (field: TaskField, value: unknown) => string

/** Forms on the fields of a task, each opened when somebody begins to type in it. */
const useForm = (id: string) => {
  const { openForm, saveForm } = useMutations()
  const forms = useRef(new Map<TextField, TaskDraft>())
  return {
    open: (field: TextField): void => {
      const form = openForm(id)
      if (form !== undefined) forms.current.set(field, form)
    },
    save: (field: TextField, text: string): boolean => {
      const form = forms.current.get(field)
      return form !== undefined && saveForm(form, { [field]: text })
    },
  }
}

/**
 * What is or was disputed about a task. What waits for a decision when the task is opened is shown at once; what comes in later waits
 * behind a button, and what was decided stays where it was, so that nothing moves under the pointer.
 */
const useDisputes = (task: Task) => {
  const all = useConflicts()
  const conflicts = useMemo(() => conflictsOf(task.id, all), [task.id, all])
  const rows = useQuery(decisionsOn(task.id), [task.id])
  const decisions = decisionsFrom(rows ?? [], { shown: task, open: conflicts.open })
  const [revealed, setRevealed] = useState<readonly TaskField[]>(() => conflicts.open.map(({ field }) => field))
  const reveal = () => {
    setRevealed((before) => [...new Set([...before, ...conflicts.open.map(({ field }) => field)])])
    requestAnimationFrame(() => document.querySelector<HTMLElement>('.conflict input')?.focus())
  }
  return { conflicts, decisions, revealed, reveal }
}

interface RevealedProps {
  readonly disputes: Omit<ReturnType<typeof useDisputes>, 'reveal'>
  readonly inWords: InWords
}

const Revealed = ({ disputes: { conflicts, decisions, revealed }, inWords }: RevealedProps) => {
  const [settled, setSettled] = useState<TaskField>()
  const decided = useRef<HTMLElement>(null)
  useEffect(() => {
    // The form with the focus is gone.
    if (settled !== undefined) decided.current?.focus({ preventScroll: true })
  }, [settled, decisions.length])
  return revealed.map((field) => {
    const words = (value: unknown) => inWords(field, value)
    const conflict = conflicts.open.find((each) => each.field === field)
    if (conflict !== undefined) {
      return <ConflictCard key={field} conflict={conflict} inWords={words} onSettled={() => setSettled(field)} />
    }
    const decision = decisions.find((each) => each.field === field)
    return (
      decision && (
        <DecisionCard key={field} ref={field === settled ? decided : undefined} decision={decision} inWords={words} />
      )
    )
  })
}

const Decisions = ({ decisions, inWords }: { readonly decisions: readonly Decision[]; readonly inWords: InWords }) =>
  decisions.length > 0 && (
    <section className="decisions" aria-label="Decisions">
      <h2>Decisions</h2>
      {decisions.map((decision) => (
        <DecisionCard key={decision.id} decision={decision} inWords={(value) => inWords(decision.field, value)} />
      ))}
    </section>
  )

interface WhoProps {
  readonly names: readonly string[]
  readonly value: string
  readonly onBegin: () => void
  readonly onCommit: (who: string) => boolean
}

const Who = ({ names, value, onBegin, onCommit }: WhoProps) => {
  const { text, setText, commit, discard } = useDraft({ value, onBegin, onCommit: (who) => onCommit(who.trim()) })
  return (
    <>
      <input
        id="who"
        list="people"
        placeholder="Nobody yet"
        autoComplete="off"
        maxLength={100}
        value={text}
        onChange={(event) => setText(event.target.value)}
        onBlur={commit}
        onKeyDown={(event) => {
          if (event.key !== 'Enter' && event.key !== 'Escape') return
          if (event.key === 'Enter') commit()
          else discard()
          event.stopPropagation()
        }}
      />
      <datalist id="people">
        {names.map((name) => (
          <option key={name} value={name} />
        ))}
      </datalist>
    </>
  )
}

const Authorship = ({ task }: { readonly task: Task }) => {
  const { nameOf } = usePeople()
  const now = useNow()
  return (
    <footer className="detail-foot">
      <p>
        Created <Moment at={task.createdAt} now={now} /> by {nameOf(task.createdBy)}
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
