/** Reading option values. A value that cannot be used throws USAGE: the command ends with exit code 2. */
import { isSpaceId } from '@driftlog/core'
import { CliError } from './errors.ts'

const UNIT_SECONDS = { s: 1, m: 60, h: 3_600, d: 86_400, w: 604_800 } as const

/** "90s", "15m", "12h", "30d", "2w" → seconds. */
export const durationSeconds = (text: string): number => {
  const match = /^(\d{1,9})([smhdw])$/.exec(text)
  const seconds = match === null ? 0 : Number(match[1]) * UNIT_SECONDS[match[2] as keyof typeof UNIT_SECONDS]
  if (seconds === 0) throw new CliError('USAGE', `${text} is not a duration such as 90s, 15m, 12h, 30d or 2w`)
  return seconds
}

export const portNumber = (text: string): number => {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : -1
  if (port < 0 || port > 65_535) throw new CliError('USAGE', `${text} is not a port: 0 to 65535, 0 for any free one`)
  return port
}

/** A whole number of at least `least`. */
export const wholeNumber =
  (what: string, least: number) =>
  (text: string): number => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : -1
    if (value < least) throw new CliError('USAGE', `${text} is not ${what}: a whole number from ${least} on`)
    return value
  }

export const spaceId = (text: string): string => {
  if (!isSpaceId(text)) throw new CliError('USAGE', `${text} is not a space: 1 to 64 letters, digits, - or _`)
  return text
}

const roles = ['reader', 'writer', 'admin'] as const
export type Role = (typeof roles)[number]

export const roleName = (text: string): Role => {
  const role = roles.find((name) => name === text)
  if (role === undefined) throw new CliError('USAGE', `${text} is not a role: ${roles.join(', ')}`)
  return role
}

/** An address of a server, with http or https. */
export const serverUrl = (text: string): string => {
  let url: URL
  try {
    url = new URL(text)
  } catch {
    throw new CliError('USAGE', `${text} is not a URL such as http://localhost:4000`)
  }
  const scheme = { 'ws:': 'http:', 'wss:': 'https:' }[url.protocol] ?? url.protocol
  if (scheme !== 'http:' && scheme !== 'https:') throw new CliError('USAGE', `${text} is not an http or https URL`)
  return `${scheme}//${url.host}${url.pathname.replace(/\/$/, '')}`
}

/** For options that may stand several times. */
export const collect =
  <T>(parse: (text: string) => T) =>
  (text: string, before: readonly T[] | undefined): T[] => [...(before ?? []), parse(text)]
