/**
 * JSON as one value. In SQL: canonical text, keys rising by UTF-16 code units, so that equal values are equal texts.
 */
import { Law } from '../../op/law.ts'
import { MAX_OP_BYTES } from '../../op/run-codec.ts'
import { MAX_DEPTH, type Value } from '../../op/value.ts'
import { describe, type Kind, Refusal, type Shown, wellFormed } from './kind.ts'
import { number } from './number.ts'

interface Walk {
  /** The containers that we are inside of. */
  readonly ancestors: Set<unknown>
  /** Each item takes a byte of the op at least. The bound also ends the walk of a small graph that unfolds to a huge tree. */
  itemsLeft: number
}

const define = (map: Record<string, Value>, key: string, value: Value): void => {
  // defineProperty: a key such as __proto__ must become an ordinary property.
  if (key === '__proto__')
    Object.defineProperty(map, key, { value, enumerable: true, writable: true, configurable: true })
  else map[key] = value
}

// A plain object of any realm: its prototype is null, or has none itself.
const isPlain = (value: object): boolean => {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

const copyArray = (array: readonly unknown[], walk: Walk): Value => {
  const items: Value[] = []
  for (let index = 0; index < array.length; index++) {
    if (!(index in array)) throw new Refusal(`a sparse array (nothing at ${index})`)
    items.push(copy(array[index], walk))
  }
  return items
}

const copyObject = (object: object, walk: Walk): Value => {
  if (!isPlain(object)) throw new Refusal(`${describe(object)} inside JSON`)
  if (Object.getOwnPropertySymbols(object).length > 0) throw new Refusal('a symbol key inside JSON')
  const map: Record<string, Value> = {}
  for (const [key, item] of Object.entries(object)) define(map, wellFormed(key, 'a key'), copy(item, walk))
  return map
}

const copy = (value: unknown, walk: Walk): Value => {
  if (--walk.itemsLeft < 0) throw new Refusal(`JSON with more than ${MAX_OP_BYTES} items`, 'TOO_LARGE')
  if (value === null || typeof value === 'boolean') return value
  if (typeof value === 'string') return wellFormed(value, 'text inside JSON')
  if (typeof value === 'number') return number.encode(value, NO_DEFINITION)
  if (typeof value !== 'object') throw new Refusal(`${describe(value)} inside JSON`)
  if (walk.ancestors.has(value)) throw new Refusal('a cycle inside JSON')
  if (walk.ancestors.size >= MAX_DEPTH) throw new Refusal(`JSON nested deeper than ${MAX_DEPTH}`)
  walk.ancestors.add(value)
  const copied = Array.isArray(value) ? copyArray(value, walk) : copyObject(value, walk)
  walk.ancestors.delete(value)
  return copied
}

const NO_DEFINITION = {
  kind: 'number',
  isOptional: false,
  isSearchable: false,
  isUnique: false,
  default: undefined,
  strategy: undefined,
} as const

// Bytes have no JSON. The log bounds the depth.
const isJson = (value: Shown): boolean => {
  if (typeof value === 'bigint' || value instanceof Uint8Array) return false
  if (typeof value !== 'object' || value === null) return true
  return (Array.isArray(value) ? (value as readonly Value[]) : Object.values(value)).every(isJson)
}

/** The one text of a JSON value. */
export const canonicalJson = (value: Value): string => {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  if (Array.isArray(value)) return `[${(value as readonly Value[]).map(canonicalJson).join(',')}]`
  const map = value as { readonly [key: string]: Value }
  const entries = Object.keys(map)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonicalJson(map[key])}`)
  return `{${entries.join(',')}}`
}

/** Throws `Refusal` for what is not JSON. */
export const encodeJson = (value: unknown): Value => copy(value, { ancestors: new Set(), itemsLeft: MAX_OP_BYTES })

export const json: Kind = {
  law: (definition) => (definition.kind === 'json' && definition.isDeep ? Law.put : Law.set),
  sqlType: 'TEXT',
  encode: encodeJson,
  fits: isJson,
  decode: (value) => JSON.parse(canonicalJson(value as Value)) as unknown,
  toSql: (value) => canonicalJson(value as Value),
  fromSql: (value) => {
    if (typeof value !== 'string') return value
    try {
      return JSON.parse(value) as unknown
    } catch {
      return value
    }
  },
}
