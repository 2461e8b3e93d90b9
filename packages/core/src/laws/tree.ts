/**
 * JSON under deep merge (SPEC CELL4): one cell of writes at paths. A write replaces what its op saw at or below its path,
 * itself what the same op wrote there before.
 *
 * Shown are the writes that nothing replaced, in total order, starting from nothing:
 * - each write makes objects of what is in its way (nothing, a scalar, an array), then sets what is at its path;
 * - `[]` takes away what is at its path. It makes objects of what is above as well: "a has no b" says that a is an object, so
 *   that an object that loses its last key stays, as {}.
 *
 * The cell is a tree of the paths that were written. Invariants:
 * - a node other than the root has a write, or one below it;
 * - the writes of one node have not seen each other; a write below another has seen it, or they have not seen each other.
 *
 *     put [] {}, then put [a, b] 1, then two at once: put [a, b] 2 and put [a] 'x'
 *
 *     root {} ── a 'x' ── b 2        'x' later: { a: 'x' }    2 later: { a: { b: 2 } }
 */
import type { DotRef } from '../op/dot-ref.ts'
import { Law } from '../op/law.ts'
import { equalValues, MAX_DEPTH, type Value, writeValue } from '../op/value.ts'
import type { Compare, ComposedLaw } from './composed.ts'

/** What is written at a path: a value, or that nothing is there. */
export type Put = readonly [Value] | readonly []

interface Write {
  readonly ref: DotRef
  readonly put: Put
  /** The ops that this one had seen, of those with writes above this one then. */
  readonly sawAbove: readonly DotRef[]
}

interface Node {
  writes: Write[]
  children: Map<string, Node> | undefined
}

export interface Tree {
  readonly root: Node
  /** False: no writes collide. True: they may; nobody looked since two came that had not seen each other. */
  mayCollide: boolean
}

/** A write that is not replaced. */
export interface TreeWrite {
  readonly keys: readonly string[]
  readonly ref: DotRef
  readonly put: Put
}

/** Writes of which some have not seen each other and do not say the same. */
export interface Collision {
  /** The path that all of the writes are at or below; one of them at least is at it. */
  readonly keys: readonly string[]
  /** By rising total order: what is shown where they differ is the last one's. */
  readonly writes: readonly TreeWrite[]
}

type Sees = (ref: DotRef) => boolean

export interface JsonObject {
  readonly [key: string]: Value
}

/** Arrays and bytes are leaves. */
export const isObject = (value: Value | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)

const nestsWithin = (value: Value, levels: number): boolean => {
  if (typeof value !== 'object' || value === null) return true
  // JSON has no bytes; a field that cannot show one path could not show the others.
  if (value instanceof Uint8Array || levels === 0) return false
  const items: readonly Value[] = Array.isArray(value) ? (value as readonly Value[]) : Object.values(value)
  return items.every((item) => nestsWithin(item, levels - 1))
}

const NONE: readonly DotRef[] = []

const childOf = (node: Node, key: string): Node => {
  node.children ??= new Map()
  let child = node.children.get(key)
  if (child === undefined) {
    child = { writes: [], children: undefined }
    node.children.set(key, child)
  }
  return child
}

/** Takes away what an op saw at and below a node. Returns whether anything stays. */
const replaceSeen = (node: Node, sees: Sees): boolean => {
  if (node.writes.length > 0) node.writes = node.writes.filter(({ ref }) => !sees(ref))
  if (node.children !== undefined) {
    for (const [key, child] of node.children) if (!replaceSeen(child, sees)) node.children.delete(key)
    if (node.children.size === 0) node.children = undefined
  }
  return node.writes.length > 0 || node.children !== undefined
}

const childrenOf = ({ children }: Node): [string, Node][] =>
  children === undefined ? [] : [...children].sort(([a], [b]) => (a < b ? -1 : 1))

const collect = (node: Node, keys: readonly string[], writes: TreeWrite[]): void => {
  for (const { ref, put } of node.writes) writes.push({ keys, ref, put })
  for (const [key, child] of childrenOf(node)) collect(child, [...keys, key], writes)
}

// Writes of one op stay as collected, the upper ones first. That is an order in which the op made them: an upper one that came
// later would have replaced the lower; and where neither path is above the other, the order makes no difference.
const survivors = ({ root }: Tree, compare: Compare): TreeWrite[] => {
  const writes: TreeWrite[] = []
  collect(root, [], writes)
  return writes.length < 2 ? writes : writes.sort((a, b) => compare(a.ref, b.ref))
}

export const tree: ComposedLaw<Tree> = {
  // OP7 bounds what is shown, too. A value at the root is bounded by what carries it in its op: `[v]` is a level of its own.
  fits: ({ law, keys, value }) =>
    law === Law.put &&
    keys.length <= MAX_DEPTH &&
    Array.isArray(value) &&
    value.length <= 1 &&
    value.every((written: Value) => nestsWithin(written, MAX_DEPTH - Math.max(1, keys.length))),

  create: () => ({ root: { writes: [], children: undefined }, mayCollide: false }),

  enter: (state, { keys, value }, { ref, sees }) => {
    const sawAbove: DotRef[] = []
    let node = state.root
    for (const key of keys) {
      for (const above of node.writes) {
        if (sees(above.ref)) sawAbove.push(above.ref)
        else state.mayCollide = true
      }
      node = childOf(node, key)
    }
    if (replaceSeen(node, sees)) state.mayCollide = true
    node.writes.push({ ref, put: value as Put, sawAbove: sawAbove.length === 0 ? NONE : sawAbove })
  },

  write: (state, writer, writeRef, compare) => {
    const writes = survivors(state, compare)
    writer.varint(writes.length)
    for (const { keys, ref, put } of writes) {
      writeRef(ref)
      writer.varint(keys.length)
      for (const key of keys) writer.string(key)
      writeValue(writer, put)
    }
  },
}

/** What is shown, while it is made: objects that were descended into are maps; the values of writes are not touched. */
type Draft = Value | Map<string, Draft>

const mapOf = (draft: Draft | undefined): Map<string, Draft> => {
  if (draft instanceof Map) return draft
  return new Map(isObject(draft) ? Object.entries(draft) : [])
}

const placed = (draft: Draft | undefined, write: TreeWrite, depth: number): Draft | undefined => {
  const { keys, put } = write
  if (depth === keys.length) return put[0]
  const map = mapOf(draft)
  const below = placed(map.get(keys[depth]), write, depth + 1)
  if (below === undefined) map.delete(keys[depth])
  else map.set(keys[depth], below)
  return map
}

// fromEntries defines its properties: a key such as __proto__ becomes an ordinary one.
const finished = (draft: Draft): Value =>
  draft instanceof Map ? Object.fromEntries([...draft].map(([key, item]) => [key, finished(item)])) : draft

/** The value; undefined where nothing is left. It shares what it can with the writes: not to be changed. */
export const shown = (state: Tree, compare: Compare): Value | undefined => {
  let draft: Draft | undefined
  for (const write of survivors(state, compare)) draft = placed(draft, write, 0)
  return draft === undefined ? undefined : finished(draft)
}

/** Whether it makes no difference which of two writes comes first. `lower`: at a path below the other's. */
const agree = (upper: TreeWrite, lower: TreeWrite): boolean => {
  let within = upper.put[0]
  for (let depth = upper.keys.length; depth < lower.keys.length; depth++) {
    if (!isObject(within)) return false
    const key = lower.keys[depth]
    within = Object.hasOwn(within, key) ? within[key] : undefined
  }
  return equalValues(within === undefined ? [] : [within], lower.put)
}

/** Sets that are being joined. */
class Groups {
  readonly #groups = new Map<TreeWrite, TreeWrite[]>()

  join(a: TreeWrite, b: TreeWrite): void {
    const left = this.#groups.get(a) ?? [a]
    const right = this.#groups.get(b) ?? [b]
    if (left === right) return
    const [into, from] = left.length < right.length ? [right, left] : [left, right]
    into.push(...from)
    for (const write of left === into ? [a, ...from] : [b, ...from]) this.#groups.set(write, into)
  }

  all(): TreeWrite[][] {
    return [...new Set(this.#groups.values())]
  }
}

const groupsOf = (state: Tree): TreeWrite[][] => {
  if (!state.mayCollide) return []
  const groups = new Groups()
  const walk = (node: Node, keys: readonly string[], above: readonly TreeWrite[]): void => {
    const here = node.writes.map(({ ref, put }) => ({ keys, ref, put }))
    // None of one node has seen another. All that say one thing differ from each that says another: they are one group.
    if (here.some(({ put }) => !equalValues(put, here[0].put))) {
      for (const write of here.slice(1)) groups.join(here[0], write)
    }
    node.writes.forEach(({ sawAbove }, index) => {
      for (const upper of above) {
        if (!sawAbove.includes(upper.ref) && !agree(upper, here[index])) groups.join(upper, here[index])
      }
    })
    const aboveChildren = here.length === 0 ? above : [...above, ...here]
    for (const [key, child] of childrenOf(node)) walk(child, [...keys, key], aboveChildren)
  }
  walk(state.root, [], [])
  const all = groups.all()
  // What collides is settled between two writes once for all: only one that comes can bring more.
  if (all.length === 0) state.mayCollide = false
  return all
}

export const isContested = (state: Tree): boolean => groupsOf(state).length > 0

const byKeys = (a: readonly string[], b: readonly string[]): number => {
  for (let depth = 0; depth < a.length && depth < b.length; depth++) {
    if (a[depth] !== b[depth]) return a[depth] < b[depth] ? -1 : 1
  }
  return a.length - b.length
}

/**
 * The writes, at one path or one above the other, that have not seen each other and of which the order decides what is
 * shown. Those that collide with a common one are in one set. Sorted by path.
 */
export const collisions = (state: Tree, compare: Compare): Collision[] =>
  groupsOf(state)
    .map((group) => {
      // By path first: writes of one op come as in `survivors`.
      const writes = group.sort((a, b) => byKeys(a.keys, b.keys))
      return { keys: writes[0].keys, writes: writes.toSorted((a, b) => compare(a.ref, b.ref)) }
    })
    .sort((a, b) => byKeys(a.keys, b.keys))

/** What is at a path of JSON; undefined for nothing. */
export const valueAt = (value: Value | undefined, keys: readonly string[]): Value | undefined => {
  let at = value
  for (const key of keys) at = isObject(at) && Object.hasOwn(at, key) ? at[key] : undefined
  return at
}
