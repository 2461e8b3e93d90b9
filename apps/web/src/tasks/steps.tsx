import { f } from '@driftlog/core'
import { type KeyboardEvent, useState } from 'react'
import { useMutations } from '../data/mutations-context.tsx'
import type { Task } from '../data/schema.ts'
import { Icon } from '../ui/icons.tsx'

/** A list to tick off within a task. Two people may add, move and tick at once: every step stays, and each is there once. */
export const Steps = ({ task: { id, steps, stepsDone } }: { readonly task: Task }) => {
  const { changeSteps, tickStep } = useMutations()
  const [text, setText] = useState('')
  const done = new Set(stepsDone)

  const move = (event: KeyboardEvent, step: string, at: number) => {
    const by = event.key === 'ArrowUp' ? -1 : event.key === 'ArrowDown' ? 1 : 0
    if (by === 0 || !event.altKey) return
    event.preventDefault()
    if (steps[at + by] !== undefined) changeSteps(id, f.moveItem(step, at + by))
  }

  return (
    <section className="steps" aria-label="Steps">
      <h2>
        Steps
        {steps.length > 0 && (
          <span className="count">
            {steps.filter((step) => done.has(step.id)).length} of {steps.length}
          </span>
        )}
      </h2>
      <ol>
        {steps.map(({ id: step, value }, at) => (
          <li key={step} data-done={done.has(step) || undefined} onKeyDown={(event) => move(event, step, at)}>
            <input
              type="checkbox"
              className="tick"
              id={`step-${step}`}
              checked={done.has(step)}
              onChange={(event) => tickStep(id, step, event.target.checked)}
            />
            <label htmlFor={`step-${step}`}>{value}</label>
            <button
              type="button"
              className="icon-button"
              aria-label={`Move ${value} up`}
              title="Up (Alt ↑)"
              disabled={at === 0}
              onClick={() => changeSteps(id, f.moveItem(step, at - 1))}
            >
              <Icon name="up" />
            </button>
            <button
              type="button"
              className="icon-button"
              aria-label={`Remove ${value}`}
              onClick={() => changeSteps(id, f.removeItem(step))}
            >
              <Icon name="close" />
            </button>
          </li>
        ))}
      </ol>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          if (text.trim() !== '' && changeSteps(id, f.insertItem(text.trim()))) setText('')
        }}
      >
        <Icon name="plus" />
        <input
          aria-label="New step"
          placeholder="Add a step"
          autoComplete="off"
          maxLength={500}
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
      </form>
    </section>
  )
}
