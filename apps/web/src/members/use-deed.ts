import { useCallback, useRef, useState } from 'react'
import { membersProblem } from './member-words.ts'

/** Does what changes the members, one thing at a time. */
export type RunDeed = (deed: () => Promise<void>) => Promise<void>

/** What is refused, or fails, is told as a sentence. */
export const useDeed = () => {
  const [problem, setProblem] = useState<string>()
  const [isBusy, setBusy] = useState(false)
  const isRunning = useRef(false)
  const run = useCallback<RunDeed>(async (deed) => {
    if (isRunning.current) return
    isRunning.current = true
    setBusy(true)
    setProblem(undefined)
    try {
      await deed()
    } catch (error) {
      setProblem(membersProblem(error))
    } finally {
      isRunning.current = false
      setBusy(false)
    }
  }, [])
  return { problem, isBusy, run }
}
