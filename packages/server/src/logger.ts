import { pino } from 'pino'

/** Structured logging; a pino logger fits. Tokens and contents are never logged. */
export interface Logger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

const nothing = (): void => {}

export const silentLogger: Logger = { debug: nothing, info: nothing, warn: nothing, error: nothing }

/** JSON lines on standard output. */
export const jsonLogger = (level: 'debug' | 'info' | 'warn' | 'error' = 'info'): Logger =>
  pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime })
