import { type ReactNode, type SyntheticEvent, useId, useRef, useState } from 'react'
import { afterPaint } from '../ui/after-paint.ts'

export interface SecretField {
  readonly name: string
  readonly label: string
  readonly hint?: string
  /** For password managers; undefined: it is shown, and nobody is to remember it. */
  readonly autoComplete?: 'current-password' | 'new-password'
}

export interface SecretFormProps {
  readonly fields: readonly SecretField[]
  readonly submit: string
  /** While it works. */
  readonly busy: string
  /** What was typed, by name. Resolves with what is wrong with it; undefined: it is accepted. */
  readonly onSubmit: (typed: Readonly<Record<string, string>>) => Promise<string | undefined>
  /** Above the fields, where something else is to be given first. */
  readonly before?: ReactNode
  /** Beside the button. */
  readonly children?: ReactNode
}

/** One or two secrets and a button. What is wrong is said under them, and the first field has the focus again. */
export const SecretForm = ({ fields, before, submit, busy, onSubmit, children }: SecretFormProps) => {
  const id = useId()
  const first = useRef<HTMLInputElement>(null)
  const [problem, setProblem] = useState<string>()
  const [isBusy, setBusy] = useState(false)

  const run = async (typed: Readonly<Record<string, string>>) => {
    setBusy(true)
    setProblem(undefined)
    await afterPaint()
    // What fails is told like what is wrong: the storage may be full.
    const found = await onSubmit(typed).catch((error: unknown) =>
      error instanceof Error ? error.message : 'It failed.',
    )
    setBusy(false)
    setProblem(found)
    if (found === undefined) return
    first.current?.focus()
    first.current?.select()
  }
  const read = (event: SyntheticEvent<HTMLFormElement>) => {
    event.preventDefault()
    const typed = new FormData(event.currentTarget)
    if (!isBusy) void run(Object.fromEntries(fields.map(({ name }) => [name, textOf(typed.get(name))])))
  }

  return (
    <form className="secret-form" onSubmit={read}>
      {before}
      {fields.map(({ name, label, hint, autoComplete }, index) => (
        <div key={name} className="secret-field">
          <label htmlFor={id + name}>{label}</label>
          <input
            ref={index === 0 ? first : undefined}
            id={id + name}
            name={name}
            type={autoComplete === undefined ? 'text' : 'password'}
            autoComplete={autoComplete ?? 'off'}
            autoCapitalize="off"
            autoCorrect="off"
            spellCheck={false}
            required
            // The form is there because of this field alone.
            autoFocus={index === 0 && before === undefined}
            aria-invalid={problem !== undefined}
            aria-describedby={`${hint === undefined ? '' : `${id}${name}-hint `}${id}problem`}
          />
          {hint !== undefined && (
            <p id={`${id}${name}-hint`} className="fine-print">
              {hint}
            </p>
          )}
        </div>
      ))}
      <p id={`${id}problem`} className="secret-problem" role="alert">
        {problem}
      </p>
      <div className="button-row">
        <button type="submit" className="button button-primary" aria-disabled={isBusy}>
          {isBusy ? busy : submit}
        </button>
        {children}
      </div>
    </form>
  )
}

const textOf = (value: FormDataEntryValue | null): string => (typeof value === 'string' ? value : '')
