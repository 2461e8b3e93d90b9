import type { Ports, QuarantiningStore } from '@driftlog/core'
import type { Auth } from './auth/auth.ts'
import type { Logger } from './logger.ts'
import type { Prunings } from './pruning/prunings.ts'
import type { MemberLogs } from './members/member-logs.ts'
import type { ServerLimits } from './options.ts'

/** The options of a server with every default filled in; the store, in which bit rot heals. */
export interface ServerParts {
  readonly store: QuarantiningStore
  readonly auth: Auth
  readonly members: MemberLogs
  readonly prunings: Prunings
  readonly ports: Ports
  readonly limits: ServerLimits
  readonly logger: Logger
  readonly origins: readonly string[] | undefined
}
