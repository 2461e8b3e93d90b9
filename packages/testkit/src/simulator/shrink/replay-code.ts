/**
 * A schedule in one line, to be pasted into a shell, a test or an issue: the seed, what of the options is not the seed's,
 * and the acts of the plan that are kept.
 *
 *     17&devices=2&weights=clone:1,cut:1&latencyMs=1:20&keep=0-3,7
 */
import { type FaultKind, faultKinds } from '../faults.ts'
import { type OptionOverrides, optionsOf } from '../options.ts'
import { planOf } from '../plan.ts'
import type { RunOverrides } from '../run.ts'

export interface ReplayCode {
  readonly seed: number
  readonly options: OptionOverrides
  /** Indexes of acts; undefined: all. */
  readonly kept: ReadonlySet<number> | undefined
}

type OptionName = keyof OptionOverrides

export const formatReplay = ({ seed, options, kept }: ReplayCode): string => {
  const parts = [String(seed)]
  for (const [name, value] of Object.entries(options)) {
    if (value !== undefined) parts.push(`${name}=${formatValue(value)}`)
  }
  if (kept !== undefined) parts.push(`keep=${formatIndexes(kept)}`)
  return parts.join('&')
}

/** Throws an Error that says what cannot be read. */
export const parseReplay = (text: string): ReplayCode => {
  const [seedText, ...parts] = text.trim().split('&')
  const seed = numberIn(seedText, 'a seed')
  if (!Number.isSafeInteger(seed) || seed < 0) throw new Error(`${seedText} is not a seed`)
  const known = optionsOf(seed)
  const options: Record<string, unknown> = {}
  let kept: ReadonlySet<number> | undefined
  for (const part of parts) {
    const equals = part.indexOf('=')
    const name = part.slice(0, equals)
    const value = part.slice(equals + 1)
    if (name === 'keep') kept = parseIndexes(value)
    else if (equals < 0 || name === 'seed' || !Object.hasOwn(known, name)) throw new Error(`${part} is no option`)
    else options[name] = parseValue(name as OptionName, value, known[name as OptionName])
  }
  return { seed, options, kept }
}

/** What `runSchedule` and `replay` take beside the seed. */
export const overridesOf = ({ options, kept }: ReplayCode): RunOverrides =>
  kept === undefined ? { options } : { options, keep: ({ index }) => kept.has(index) }

/** How many acts there are to be done. */
export const actCount = ({ seed, options, kept }: ReplayCode): number => {
  const plan = planOf(optionsOf(seed, options))
  return kept === undefined ? plan.length : plan.filter(({ index }) => kept.has(index)).length
}

const formatValue = (value: NonNullable<OptionOverrides[OptionName]>): string => {
  if (Array.isArray(value)) return value.join(':')
  if (typeof value !== 'object') return String(value)
  const weights = Object.entries(value).map(([kind, weight]) => `${kind}:${weight}`)
  return weights.join(',')
}

/** `like`: a value of that option, for its type. */
const parseValue = (name: OptionName, text: string, like: NonNullable<OptionOverrides[OptionName]>): unknown => {
  if (name === 'weights') return parseWeights(text)
  if (Array.isArray(like)) {
    const [least, most] = text.split(':').map((part) => numberIn(part, name))
    if (most === undefined || text.split(':').length !== 2) throw new Error(`${name}=${text} is not two numbers`)
    return [least, most]
  }
  if (typeof like === 'number') return numberIn(text, name)
  if (text !== 'true' && text !== 'false') throw new Error(`${name}=${text} is neither true nor false`)
  return text === 'true'
}

const parseWeights = (text: string): Partial<Record<FaultKind, number>> => {
  const weights: Partial<Record<FaultKind, number>> = {}
  for (const part of text === '' ? [] : text.split(',')) {
    const [name, weight] = part.split(':')
    const kind = faultKinds.find((known) => known === name)
    if (kind === undefined) throw new Error(`${name} is no fault: there are ${faultKinds.join(', ')}`)
    weights[kind] = numberIn(weight ?? '1', name)
  }
  return weights
}

const numberIn = (text: string, what: string): number => {
  const value = Number(text)
  if (text === '' || !Number.isFinite(value)) throw new Error(`${text} is not a number (${what})`)
  return value
}

/** "0-3,7": runs of consecutive indexes. */
const formatIndexes = (indexes: ReadonlySet<number>): string => {
  const runs: [number, number][] = []
  for (const index of [...indexes].toSorted((a, b) => a - b)) {
    const last = runs.at(-1)
    if (last !== undefined && index === last[1] + 1) last[1] = index
    else runs.push([index, index])
  }
  return runs.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(',')
}

const parseIndexes = (text: string): ReadonlySet<number> => {
  const indexes = new Set<number>()
  for (const part of text === '' ? [] : text.split(',')) {
    const match = /^(\d{1,6})(?:-(\d{1,6}))?$/.exec(part)
    if (match === null) throw new Error(`keep=${part} is not a list such as 0-3,7`)
    for (let index = Number(match[1]); index <= Number(match[2] ?? match[1]); index++) indexes.add(index)
  }
  return indexes
}
