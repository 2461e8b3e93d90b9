import { useEffect } from 'react'
import { useUndo } from '../data/hooks.ts'
import { useMutations } from '../data/mutations-context.tsx'
import { useMayWrite } from '../members/use-members.ts'
import { Icon } from '../ui/icons.tsx'
import { isWriting, useNotify } from '../ui/notices.tsx'

/** Takes back what was done in this window, a step at a time; what others did since stays. */
export const UndoRedo = () => {
  const { canUndo, canRedo } = useUndo()
  const { undo, redo } = useMutations()
  const mayWrite = useMayWrite()
  const notify = useNotify()

  const run = (take: () => boolean, words: string) => {
    if (mayWrite && take()) notify({ text: words })
  }
  const back = () => run(undo, 'Undone.')
  const again = () => run(redo, 'Done again.')

  useEffect(() => {
    const handle = (event: KeyboardEvent) => {
      // In a field the key takes back what was typed there.
      if (event.defaultPrevented || event.altKey || !(event.ctrlKey || event.metaKey) || isWriting(event.target)) return
      const key = event.key.toLowerCase()
      const isRedo = (key === 'z' && event.shiftKey) || (key === 'y' && !event.shiftKey)
      if (!isRedo && key !== 'z') return
      event.preventDefault()
      if (isRedo) again()
      else back()
    }
    addEventListener('keydown', handle)
    return () => removeEventListener('keydown', handle)
  })

  return (
    <div className="undo-redo">
      <button
        type="button"
        className="icon-button"
        aria-label="Undo"
        title="Undo (Ctrl Z)"
        disabled={!canUndo || !mayWrite}
        onClick={back}
      >
        <Icon name="undo" />
      </button>
      <button
        type="button"
        className="icon-button redo-button"
        aria-label="Redo"
        title="Redo (Ctrl Shift Z)"
        disabled={!canRedo || !mayWrite}
        onClick={again}
      >
        <Icon name="redo" />
      </button>
    </div>
  )
}
