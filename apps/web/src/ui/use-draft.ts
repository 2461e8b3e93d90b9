import { useCallback, useEffect, useRef, useState } from 'react'
import { type Draft, follow, isUnsent, type } from './draft.ts'

export interface DraftOptions {
  readonly value: string
  /** Typing begins, on the value that is shown. */
  readonly onBegin?: () => void
  /** Writes the text. False: it was refused, and the draft is kept. */
  readonly onCommit: (text: string) => boolean
  /** What is written by itself after a pause in typing this long; otherwise only `commit` writes. */
  readonly pauseMs?: number
}

export interface DraftField {
  readonly text: string
  readonly setText: (text: string) => void
  readonly commit: () => boolean
  /** Gives up what was typed. */
  readonly discard: () => void
}

const drafts = new Set<() => boolean>()

/** Commits what is typed in any field. Whether there was something. */
export const commitDrafts = (): boolean => [...drafts].map((commit) => commit()).includes(true)

/** A text field's draft; it is committed too when the field goes away. */
export const useDraft = ({ value, onBegin, onCommit, pauseMs }: DraftOptions): DraftField => {
  const [kept, setKept] = useState<Draft>()
  const draft = follow(kept, value)
  if (draft !== kept) setKept(draft)

  const commit = (): boolean => {
    if (!isUnsent(draft) || !onCommit(draft.text)) return false
    setKept({ base: value, text: draft.text, sent: draft.text })
    return true
  }

  // Effects outlive a render; they must commit what is typed by then.
  const present = useRef(commit)
  useEffect(() => {
    present.current = commit
  })
  useEffect(() => {
    const now = () => present.current()
    drafts.add(now)
    return () => {
      drafts.delete(now)
      now()
    }
  }, [])

  useEffect(() => {
    if (pauseMs === undefined || !isUnsent(draft)) return
    const handle = setTimeout(() => present.current(), pauseMs)
    return () => clearTimeout(handle)
  }, [draft, pauseMs])

  return {
    text: draft?.text ?? value,
    setText: (text: string) => {
      if (draft === undefined) onBegin?.()
      setKept((now) => type(now, value, text))
    },
    commit,
    discard: useCallback(() => setKept(undefined), []),
  }
}
