import { DriftlogError, type ErrorCode } from '@driftlog/core'

/** What can go wrong in the command itself, by stable code. The engine's own codes are in core. */
export type CliErrorCode =
  /** An option or argument cannot be used. Exit code 2. */
  | 'USAGE'
  /** The history cannot be opened, read or unpacked. */
  | 'HISTORY_UNREADABLE'
  /** A line of the history has another shape; the message names the line. */
  | 'HISTORY_INVALID'
  /** Another program listens where the server should. */
  | 'PORT_IN_USE'
  /** The address cannot be listened on. */
  | 'LISTEN_FAILED'
  /** The database or a file beside it cannot be used. */
  | 'DATA_UNUSABLE'
  /** Nothing answers at the address. */
  | 'SERVER_UNREACHABLE'
  /** Something answers, but not a Driftlog server. */
  | 'NOT_A_SERVER'
  /** A replay needs a space that holds nothing. */
  | 'SPACE_NOT_EMPTY'
  /** The replayed devices do not hold what the history says. */
  | 'REPLAY_DISAGREES'
  /** The replay did not get to its end. */
  | 'REPLAY_FAILED'
  /** A schedule broke what must hold, or a planted bug was not found. */
  | 'SIMULATION_FAILED'
  /** The simulator itself did not get to its end. */
  | 'SIMULATION_BROKEN'
  /** It takes Driftlog's own repository. */
  | 'NOT_A_CHECKOUT'

/** An expected failure of the command. The message is one sentence for a person: what happened and what to do. */
export class CliError extends Error {
  readonly code: CliErrorCode | ErrorCode

  /** With a code of the engine: an error that another thread or the server already put into words. */
  constructor(code: CliErrorCode | ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.name = 'CliError'
    this.code = code
  }
}

export interface Failure {
  readonly code: string
  readonly message: string
  /** 1, or 2 for usage. */
  readonly exitCode: number
}

/** What is shown of an error: a code and one line. Whatever is not expected is told as such, never swallowed. */
export const failureOf = (error: unknown): Failure => {
  if (error instanceof CliError) {
    return { code: error.code, message: oneLine(error.message), exitCode: error.code === 'USAGE' ? 2 : 1 }
  }
  if (error instanceof DriftlogError) return { code: error.code, message: oneLine(error.message), exitCode: 1 }
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  return { code: 'UNEXPECTED', message: oneLine(message), exitCode: 1 }
}

const oneLine = (text: string): string => text.replaceAll(/\s*\n\s*/g, ' ').trim()

/** The code of a system error, such as ENOENT; undefined for anything else. */
export const systemCode = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
