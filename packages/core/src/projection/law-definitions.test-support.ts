/**
 * What each law means, over a whole history at once: every change is kept with all that its op saw, and the definitions are read
 * off. Quadratic and obvious; shares nothing with the cells.
 */
import type { Dot } from '../clock/dot.ts'
import { Law } from '../op/law.ts'
import type { Value } from '../op/value.ts'
import type { NaiveChange, NaiveOp } from './law-histories.test-support.ts'

/** A change with its place: the op, and where in the op it stands. */
interface Placed extends NaiveChange {
  readonly op: NaiveOp
  readonly at: number
}

const same = (a: Dot, b: Dot): boolean => a.device === b.device && a.seq === b.seq
export const nameOf = ({ op }: { readonly op: NaiveOp }): string => `${op.dot.device}/${op.dot.seq}`
const text = (value: unknown): string => JSON.stringify(value) ?? 'undefined'

/** Whether the author of `a` knew `b`. */
const saw = (a: Placed, b: Placed): boolean =>
  a.op === b.op ? a.at > b.at : (a.op.seen.get(b.op.dot.device) ?? 0) >= b.op.dot.seq

const inOrder = (a: Placed, b: Placed): number =>
  a.op.stamp - b.op.stamp ||
  (a.op.dot.device < b.op.dot.device ? -1 : a.op.dot.device > b.op.dot.device ? 1 : a.op.dot.seq - b.op.dot.seq) ||
  a.at - b.at

/** A change takes the place of another: where it names some, of these; of what it wrote itself in any case. */
const replaces = (a: Placed, b: Placed): boolean =>
  a !== b && saw(a, b) && (a.over === undefined || a.op === b.op || a.over.some((dot) => same(dot, b.op.dot)))

const survivors = (changes: readonly Placed[]): Placed[] =>
  changes.filter((one) => !changes.some((other) => replaces(other, one))).sort(inOrder)

const names = (changes: readonly Placed[]): string[] => [
  ...new Set(changes.toSorted(inOrder).map((change) => nameOf(change))),
]

/** CELL5, of rows and of items of lists. */
const lifeOf = (
  changes: readonly Placed[],
  isRemoval: (change: Placed) => boolean,
  isInsert: (change: Placed) => boolean,
) => {
  const touches = changes.filter((one) => !isRemoval(one))
  const removals = changes.filter(isRemoval)
  const standing = removals.filter(
    (one) => !changes.some((other) => saw(other, one) && (isInsert(other) || isRemoval(other))),
  )
  return {
    touches: touches.filter(
      (one) => !touches.some((other) => saw(other, one)) && !removals.some((removal) => replaces(removal, one)),
    ),
    deletes: standing,
  }
}

const treeOf = (puts: readonly Placed[]): Value | undefined => {
  const isAtOrAbove = (a: Placed, b: Placed): boolean => a.shape.path.every((key, index) => b.shape.path[index] === key)
  const left = puts
    .filter((one) => !puts.some((other) => other !== one && saw(other, one) && isAtOrAbove(other, one)))
    .sort((a, b) => (a.op === b.op ? a.shape.path.length - b.shape.path.length || inOrder(a, b) : inOrder(a, b)))
  let root: unknown
  for (const { shape, value } of left) {
    const [written] = value as readonly Value[]
    const place = (current: unknown, keys: readonly string[]): unknown => {
      if (keys.length === 0) return written
      const isObject = typeof current === 'object' && current !== null && !Array.isArray(current)
      const map = { ...(isObject ? (current as Record<string, unknown>) : {}) }
      const below = place(map[keys[0]], keys.slice(1))
      if (below === undefined) delete map[keys[0]]
      else map[keys[0]] = below
      return map
    }
    root = place(root, shape.path.slice(1))
  }
  return root as Value | undefined
}

const settledOf = (own: readonly Placed[], writes: readonly Placed[]) => {
  /** What a write says that it settles: the change before it in its op that concerns the same field, where that says so. */
  const said = new Map<Placed, Placed>()
  const byOp = Map.groupBy(own, ({ op }) => op)
  for (const changes of byOp.values()) {
    let announced: Placed | undefined
    for (const change of changes) {
      if (change.shape.law === Law.resolve && change.shape.path[0] !== '' && (change.over?.length ?? 0) > 0)
        announced = change
      if (!writes.includes(change) || announced === undefined) continue
      said.set(change, announced)
      announced = undefined
    }
  }
  const isNamed = (by: Placed, one: Placed): boolean =>
    said.get(by)?.over?.some((dot) => same(dot, one.op.dot)) === true
  // A value is kept unless somebody put something in its place without saying so, while it stood there for him.
  const isKept = (one: Placed): boolean =>
    !writes.some(
      (by) => replaces(by, one) && !isNamed(by, one) && !writes.some((other) => saw(by, other) && replaces(other, one)),
    )
  const fields = [...said].flatMap(([by, { over = [], value: reason }]) => {
    const named = [...new Map(over.map((dot) => [text(dot), dot])).values()].filter(
      (dot) => by.over === undefined || by.over.some((other) => same(other, dot)),
    )
    const candidates = named.map((dot) => {
      // Of several writes of one op the last is what it left.
      const write = writes.findLast((one) => same(one.op.dot, dot))
      return `${dot.device}/${dot.seq}=${write !== undefined && isKept(write) ? text(write.value) : '?'}`
    })
    return candidates.length === 0 ? [] : [{ by: nameOf(by), reason, candidates: candidates.sort(), outcome: by.value }]
  })
  const lives = own
    .filter(({ shape, over }) => shape.law === Law.resolve && shape.path[0] === '' && (over?.length ?? 0) > 0)
    .map((change) => {
      const [reason, deletes, isDeleted] = change.value as readonly [string, number, boolean]
      const sides = change.over!.map((dot, index) => `${dot.device}/${dot.seq}:${index < deletes}`).sort()
      return { by: nameOf(change), reason, sides, isDeleted }
    })
  return { fields, lives }
}

/** What is to be of one row when everything has come. */
export const definitions = (ops: readonly NaiveOp[], row: string) => {
  const own: Placed[] = ops.flatMap((op) =>
    op.changes.flatMap((change, at) => (change.row === row ? [{ ...change, op, at }] : [])),
  )
  const of = (...laws: number[]): Placed[] => own.filter(({ shape }) => laws.includes(shape.law))
  // Where an erasure is among what comes, everything else is as if it had not been (CELL6).
  const erasures = of(Law.erase).sort(inOrder)
  if (erasures.length > 0) return { erased: nameOf(erasures[0]) }
  const changes = own.filter(({ shape }) => shape.law !== Law.resolve)
  const { touches, deletes } = lifeOf(
    changes,
    ({ shape }) => shape.law === Law.delete,
    ({ shape }) => shape.law === Law.insert,
  )
  const alive = changes.filter(({ shape }) => shape.law !== Law.delete).sort(inOrder)
  const writes = of(Law.set, Law.reopen)
  const sum = (law: number): number => of(law).reduce((total, { value }) => total + (value as number), 0)
  const tags = [...Map.groupBy(of(Law.add, Law.remove), ({ value }) => text(value))].map(([tag, all]) => {
    const standing = all.filter((one) => !all.some((other) => saw(other, one)))
    // Who saw a removal added: a later one took its place; whom nobody saw stand side by side.
    const adds = all.filter((one) => one.shape.law === Law.add && !all.some((other) => saw(other, one)))
    return { tag, hasAdd: adds.length > 0, isLastAdd: standing.toSorted(inOrder).at(-1)?.shape.law === Law.add }
  })
  const items = [
    ...Map.groupBy(of(Law.item, Law.drop), ({ value, shape }) =>
      shape.law === Law.drop ? (value as string) : (value as readonly string[])[0],
    ),
  ].flatMap(([id, all]) => {
    const life = lifeOf(
      all,
      ({ shape }) => shape.law === Law.drop,
      ({ shape }) => shape.law === Law.item,
    )
    if (life.touches.length === 0) return []
    const last = (index: number, isWritten: (part: Value | undefined) => boolean): Value | undefined => {
      const parts = all.filter(
        ({ shape, value }) => shape.law === Law.item && isWritten((value as readonly Value[])[index]),
      )
      return (survivors(parts).at(-1)?.value as readonly Value[] | undefined)?.[index]
    }
    const position = last(1, (part) => part !== null)
    const value = last(2, (part) => part !== undefined)
    return position === undefined || value === undefined ? [] : [{ id, position: position as string, value }]
  })
  return {
    erased: undefined,
    touches: names(touches),
    deletes: names(deletes),
    created: alive.length === 0 ? undefined : nameOf(alive[0]),
    updated: alive.length === 0 ? undefined : nameOf(alive[alive.length - 1]),
    live: {
      'update-wins': touches.length > 0,
      manual: touches.length > 0,
      'delete-wins': touches.length > 0 && deletes.length === 0,
    },
    title: survivors(writes).map((write) => `${nameOf(write)}=${text(write.value)}`),
    votes: sum(Law.increment),
    seen: sum(Law.grow),
    tags: tags.filter(({ hasAdd }) => hasAdd).map(({ tag }) => tag),
    lastTags: tags.filter(({ isLastAdd }) => isLastAdd).map(({ tag }) => tag),
    settings: treeOf(of(Law.put)),
    steps: items
      .sort((a, b) => (a.position < b.position ? -1 : a.position > b.position ? 1 : a.id < b.id ? -1 : 1))
      .map(({ id, value }) => ({ id, value })),
    settled: settledOf(own, writes),
  }
}
