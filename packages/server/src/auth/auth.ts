import type { Role } from '@driftlog/core'

/** What a valid token says. */
export interface Grant {
  /** Who: a user or an installation. Shares one rate limit over HTTP. */
  readonly subject: string
  /** The role in a space; undefined where the space is not theirs. */
  roleIn(space: string): Role | undefined
}

/** Who may do what. Asked before every message, so that rights can be taken away while a session lasts (ING5). */
export interface Auth {
  /** Resolves to what the token allows at `nowMs`; undefined where it is not, or no longer, valid. Rejects only if broken. */
  check(token: string, nowMs: number): Promise<Grant | undefined>
}
