import type { Replica } from '@driftlog/client'
import type { AppSchema } from '../data/schema.ts'

declare global {
  interface Window {
    /** The open replica. */
    driftlog?: { readonly replica: Replica<AppSchema> }
  }
}
