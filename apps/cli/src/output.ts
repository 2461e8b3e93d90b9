/**
 * The only file that writes to the terminal.
 *
 *              for people     the result
 *     plain    stdout         as lines for people
 *     --json   stderr         stdout, one JSON object at the end
 */
import { progress as clackProgress } from '@clack/prompts'
import process from 'node:process'
import { styleText } from 'node:util'
import type { Logger } from '@driftlog/server'
import type { Failure } from './errors.ts'

export interface Output {
  /** For people. */
  line(text?: string): void
  /** Label and value in aligned columns, for people. */
  table(rows: readonly (readonly [label: string, value: string])[]): void
  /** What a program asked for with --json. Once, at the end; without --json nothing happens. */
  result(value: object): void
  /** One line on stderr; with --json it is the object too, where there has been none. */
  failure(failure: Failure): void
  /** Warnings and errors of a server, a line each on stderr. */
  readonly logger: Logger
  /** A bar on stderr; silent where stderr is no terminal. `total`: in the units of `advance`. */
  progress(total: number, message: string): Progress
}

export interface Progress {
  /** `message` replaces the one beside the bar. */
  advance(step: number, message?: string): void
  message(text: string): void
  done(text: string): void
  failed(text: string): void
}

const silent: Progress = { advance: () => {}, message: () => {}, done: () => {}, failed: () => {} }

export const terminalOutput = (json: boolean): Output => {
  const people = json ? process.stderr : process.stdout
  let hasResult = false
  const line = (text = ''): void => void people.write(`${text}\n`)
  return {
    line,
    table(rows) {
      const width = Math.max(...rows.map(([label]) => label.length))
      for (const [label, value] of rows) line(`  ${styled('dim', label.padEnd(width), people)}  ${value}`)
    },
    result(value) {
      hasResult = true
      if (json) process.stdout.write(`${JSON.stringify(value)}\n`)
    },
    failure({ code, message }) {
      process.stderr.write(`${styled('red', code, process.stderr)} ${message}\n`)
      if (json && !hasResult) process.stdout.write(`${JSON.stringify({ error: { code, message } })}\n`)
    },
    logger: {
      debug: () => {},
      info: () => {},
      warn: (fields, message) => logLine('yellow', message, fields),
      error: (fields, message) => logLine('red', message, fields),
    },
    progress(total, message) {
      if (!process.stderr.isTTY) return silent
      const bar = clackProgress({ max: total, output: process.stderr, style: 'heavy', size: 24, withGuide: false })
      bar.start(message)
      return {
        advance: (step, text) => bar.advance(step, text),
        message: (text) => bar.message(text),
        done: (text) => bar.stop(text),
        failed: (text) => bar.error(text),
      }
    },
  }
}

const logLine = (style: 'yellow' | 'red', message: string, fields: object): void => {
  process.stderr.write(`${styled(style, message, process.stderr)} ${JSON.stringify(fields)}\n`)
}

const styled = (style: 'dim' | 'red' | 'yellow', text: string, stream: NodeJS.WriteStream): string =>
  styleText(style, text, { stream })

/** 12540 → "12,540". */
export const formatCount = (count: number): string => count.toLocaleString('en-US')

/** Bytes in steps of 1,000, as disks and networks count: "1.4 MB". */
export const formatBytes = (bytes: number): string => {
  if (bytes < 1_000) return `${bytes} B`
  if (bytes < 1_000_000) return `${(bytes / 1_000).toFixed(1)} kB`
  if (bytes < 1_000_000_000) return `${(bytes / 1_000_000).toFixed(1)} MB`
  return `${(bytes / 1_000_000_000).toFixed(2)} GB`
}

/** "850 ms", "12.3 s", "2 min 5 s". */
export const formatDuration = (ms: number): string => {
  if (ms < 1_000) return `${Math.round(ms)} ms`
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`
  const seconds = Math.round(ms / 1_000)
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`
}

export const plural = (count: number, one: string, many = `${one}s`): string =>
  `${formatCount(count)} ${count === 1 ? one : many}`
