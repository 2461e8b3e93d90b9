/**
 * The oracle of the laws: each of them word by word, over every change that was ever made to a row and what its author had
 * seen by then. Nothing is kept small, nothing is folded: slow, and plain to read.
 */
import { Buffer } from 'node:buffer'
import { Law, type Value } from '@driftlog/core'

/** An op as its author made it. `order`: its place in the total order of ops. */
export interface MadeOp {
  readonly order: number
  readonly stamp: number
  readonly device: string
  readonly seq: number
  readonly seen: ReadonlyMap<string, number>
}

/** One change of an op. A row's changes are listed by order, those of one op as it made them. */
export interface Act {
  readonly op: MadeOp
  readonly law: number
  /** The field, then keys; empty for the row itself. */
  readonly path: readonly string[]
  readonly value: Value
  /** Exactly what it replaces. */
  readonly over: readonly MadeOp[] | undefined
}

export interface Candidate {
  readonly op: MadeOp
  readonly stamp: number
  readonly author: string
  readonly value: Value
}

/** Whether an op had seen another one, or is it. */
export const saw = (op: MadeOp, other: MadeOp): boolean => op === other || (op.seen.get(other.device) ?? 0) >= other.seq

const replaces = ({ op, over }: Act, other: MadeOp): boolean =>
  over === undefined ? saw(op, other) : op === other || over.includes(other)

const of = (acts: readonly Act[], field: string, ...laws: readonly number[]): Act[] =>
  acts.filter(({ law, path }) => path[0] === field && laws.includes(law))

/** CELL5, CELL6. Changes and deletes that nothing took the place of. */
export const lifeOf = (acts: readonly Act[]): { touches: MadeOp[]; deletes: MadeOp[]; isErased: boolean } => {
  let touches: MadeOp[] = []
  let deletes: MadeOp[] = []
  for (const act of acts) {
    const { law, op } = act
    if (law === Law.delete) {
      touches = touches.filter((other) => !replaces(act, other))
      deletes = [...deletes.filter((other) => !saw(op, other)), op]
    } else if (law !== Law.resolve) {
      touches = [...touches.filter((other) => !saw(op, other)), op]
      if (law === Law.insert) deletes = deletes.filter((other) => !saw(op, other))
    }
  }
  return { touches, deletes, isErased: acts.some(({ law }) => law === Law.erase) }
}

/** CELL2, CONF4. By rising stamp; each once, and it is held by the first of the writes that stand for it. */
export const candidatesOf = (acts: readonly Act[], field: string): Candidate[] => {
  let writes: Act[] = []
  for (const act of of(acts, field, Law.set, Law.reopen)) {
    writes = [...writes.filter(({ op }) => !replaces(act, op)), act]
  }
  return writes
    .flatMap(({ op, law, value }): Candidate[] => {
      if (law === Law.set) return [{ op, stamp: op.stamp, author: op.device, value }]
      return (value as readonly [Uint8Array, number, Value][]).map(([author, stamp, candidate]) => {
        return { op, stamp: Math.min(stamp, op.stamp), author: textOfBytes(author), value: candidate }
      })
    })
    .sort((a, b) => a.stamp - b.stamp || (a.author < b.author ? -1 : a.author > b.author ? 1 : 0))
    .filter((one, index, all) => all.findIndex((other) => isSame(one, other)) === index)
}

const isSame = (a: Candidate, b: Candidate): boolean =>
  a.stamp === b.stamp && a.author === b.author && a.value === b.value

const textOfBytes = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url')

/** CELL3. An element is in unless each of its additions was seen by a removal; or the last of what nothing saw decides. */
export const elementsOf = (acts: readonly Act[], field: string, wins: 'add' | 'last-write'): string[] => {
  const writes = of(acts, field, Law.add, Law.remove)
  const elements = [...new Set(writes.map(({ value }) => value as string))]
  return elements.filter((element) => {
    const own = writes.filter(({ value }) => value === element)
    const isSeenBy = (index: number, law?: number): boolean =>
      own.some((later, at) => at > index && (law === undefined || later.law === law) && saw(later.op, own[index].op))
    if (wins === 'add') return own.some(({ law }, index) => law === Law.add && !isSeenBy(index, Law.remove))
    return own.filter((_, index) => !isSeenBy(index)).at(-1)?.law === Law.add
  })
}

/** CELL11. */
export const itemsOf = (acts: readonly Act[], field: string): { id: string; value: Value }[] => {
  const items = new Map<string, { position: string; value: Value; alive: MadeOp[] }>()
  for (const { op, law, value: content } of of(acts, field, Law.item, Law.drop)) {
    const [id, position, value] = law === Law.drop ? [content as string] : (content as [string, string | null, Value?])
    const item = items.get(id) ?? { position: '', value: null, alive: [] }
    items.set(id, item)
    if (law === Law.drop) {
      item.alive = item.alive.filter((other) => !saw(op, other))
      continue
    }
    item.alive.push(op)
    if (typeof position === 'string') item.position = position
    if (value !== undefined) item.value = value
  }
  return [...items]
    .filter(([, { alive }]) => alive.length > 0)
    .sort(([a, { position: left }], [b, { position: right }]) =>
      left === right ? (a < b ? -1 : 1) : left < right ? -1 : 1,
    )
    .map(([id, { value }]) => ({ id, value }))
}

type Json = Record<string, unknown>

const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value)

/** CELL4. undefined where nothing is left. */
export const jsonOf = (acts: readonly Act[], field: string): unknown => {
  let puts: Act[] = []
  for (const put of of(acts, field, Law.put)) {
    const isAbove = ({ path }: Act): boolean => put.path.every((key, depth) => path[depth] === key)
    puts = [...puts.filter((other) => !(isAbove(other) && saw(put.op, other.op))), put]
  }
  let shown: unknown
  for (const { path, value } of puts) shown = placed(shown, path.slice(1), value as readonly unknown[])
  return shown
}

const placed = (within: unknown, [key, ...rest]: readonly string[], put: readonly unknown[]): unknown => {
  if (key === undefined) return put[0]
  const { [key]: before, ...others } = isObject(within) ? within : {}
  const after = placed(before, rest, put)
  return after === undefined ? others : { ...others, [key]: after }
}

export const sumOf = (acts: readonly Act[], field: string): number =>
  of(acts, field, Law.grow).reduce((sum, { value }) => sum + (value as number), 0)
