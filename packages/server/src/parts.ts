import type { BatchStore, Ports } from '@driftlog/core'
import type { Auth } from './auth/auth.ts'
import type { Logger } from './logger.ts'
import type { ServerLimits } from './options.ts'

/** The options of a server with every default filled in. */
export interface ServerParts {
  readonly store: BatchStore
  readonly auth: Auth
  readonly ports: Ports
  readonly limits: ServerLimits
  readonly logger: Logger
  readonly origins: readonly string[] | undefined
}
