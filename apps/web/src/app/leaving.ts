import type { Replica } from '@driftlog/client'
import type { AppSchema } from '../data/schema.ts'
import { commitDrafts } from '../ui/use-draft.ts'

/**
 * A window that is closed in the moment of typing would take the last words with it: storing them takes some milliseconds
 * that a closing page is not given. So the browser asks first; whoever stays has them stored a moment later.
 */
export const commitBeforeLeaving = (replica: Replica<AppSchema>): void => {
  addEventListener('beforeunload', (event) => {
    if (commitDrafts() || replica.status.unsaved > 0) event.preventDefault()
  })
  // Where nobody is asked, as on phones, going to the background is often the last that a page hears.
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'hidden') commitDrafts()
  })
}
