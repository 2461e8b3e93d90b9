import { useEffect } from 'react'
import { isTyping } from '../ui/notices.tsx'

/** Keys that work anywhere but in a field. A handler gets the key that is its name, as `KeyboardEvent.key` calls it. */
export const useKeys = (handlers: Readonly<Record<string, () => void>>): void => {
  useEffect(() => {
    const handle = (event: KeyboardEvent) => {
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return
      const handler = handlers[event.key]
      if (handler === undefined) return
      event.preventDefault()
      handler()
    }
    addEventListener('keydown', handle)
    return () => removeEventListener('keydown', handle)
  })
}
