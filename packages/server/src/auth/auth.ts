import type { Role } from '@driftlog/core'

/** What a valid token says. */
export interface Grant {
  /** Who: a user or an installation. Shares one rate limit over HTTP. */
  readonly subject: string
  /**
   * The role in a space; undefined where the space is not theirs. In a space with members their log says what who speaks for one
   * of them may do (MEM8), and this is the most that it can be.
   */
  roleIn(space: string): Role | undefined
  /** Whoever the members let in may be in any space, `roleIn` or not, and a space that does not exist yet may be founded. */
  readonly mayFound?: boolean
}

/** Who may do what. Asked before every message, so that rights can be taken away while a session lasts (ING5). */
export interface Auth {
  /** Resolves to what the token allows at `nowMs`; undefined where it is not, or no longer, valid. Rejects only if broken. */
  check(token: string, nowMs: number): Promise<Grant | undefined>
  /** What is allowed to who brings no token; nothing where it is left out. */
  readonly withoutToken?: Grant
}
