/**
 * What every projected op had seen (SPEC SEEN1): vectors in meaning, kept as persistent radix tries over small device
 * indexes, so that the vectors of successive ops share all but what changed. Look-up, update and the join of two vectors
 * that differ little touch a few nodes, at 10,000 devices too.
 *
 * Invariants:
 * - only ops with heads make a new vector; in between, an op saw what its predecessor saw, and its predecessor;
 * - a device's own entry is not kept: op n of a device saw exactly the ops before it;
 * - nodes are never written to once they are reachable from a vector.
 */
const BITS = 5
const WIDTH = 1 << BITS

type Node = readonly (Node | number)[]
export type { Node as SeenNode }

/** Device index → seq. `height` 0: `root` is a leaf of seqs. Absent entries are 0. */
export interface SeenVector {
  readonly height: number
  readonly root: Node
}

export const nothingSeen: SeenVector = { height: 0, root: [] }

export const seenSeq = (seen: SeenVector, device: number): number => {
  let node = seen.root
  if (seen.height === 0) return device < WIDTH ? ((node[device] as number | undefined) ?? 0) : 0
  if (device >>> (BITS * (seen.height + 1)) !== 0) return 0
  for (let shift = BITS * seen.height; shift > 0; shift -= BITS) {
    const child = node[(device >>> shift) & (WIDTH - 1)] as Node | undefined
    if (child === undefined) return 0
    node = child
  }
  return (node[device & (WIDTH - 1)] as number | undefined) ?? 0
}

// An empty root stays as it is: nothing has one shape only, or joins would not see that one side holds the other.
const raise = (seen: SeenVector, height: number): SeenVector => {
  if (seen.root.length === 0) return { height, root: seen.root }
  let raised = seen
  while (raised.height < height) raised = { height: raised.height + 1, root: [raised.root] }
  return raised
}

/** Copies a node with one entry set; entries before it that are absent become empty ones (no holes). */
const withEntry = (node: Node, index: number, entry: Node | number, isLeaf: boolean): Node => {
  const copy = node.slice()
  while (copy.length < index) copy.push(isLeaf ? 0 : [])
  copy[index] = entry
  return copy
}

const setIn = (node: Node, height: number, device: number, seq: number): Node => {
  const index = (device >>> (BITS * height)) & (WIDTH - 1)
  if (height === 0) return withEntry(node, index, seq, true)
  return withEntry(node, index, setIn((node[index] as Node | undefined) ?? [], height - 1, device, seq), false)
}

/** The vector with `device` at `seq` or above. */
export const withSeen = (seen: SeenVector, device: number, seq: number): SeenVector =>
  seenSeq(seen, device) >= seq ? seen : seenJust(seen, device, seq)

/** The vector with `device` at `seq`, whatever it was. */
export const seenJust = (seen: SeenVector, device: number, seq: number): SeenVector => {
  let height = seen.height
  while (device >>> (BITS * (height + 1)) !== 0) height++
  const raised = raise(seen, height)
  return { height, root: setIn(raised.root, height, device, seq) }
}

// Returns one of its arguments itself wherever that one holds the other: the sharing that keeps joins cheap.
const joinNodes = (a: Node, b: Node, height: number): Node => {
  if (a === b || b.length === 0) return a
  if (a.length === 0) return b
  let aHolds = a.length >= b.length
  let bHolds = b.length >= a.length
  const joined: (Node | number)[] = []
  for (let index = 0; index < a.length || index < b.length; index++) {
    const left = a[index]
    const right = b[index]
    let entry: Node | number
    if (left === undefined) entry = right
    else if (right === undefined) entry = left
    else if (height === 0) entry = (left as number) >= (right as number) ? left : right
    else entry = joinNodes(left as Node, right as Node, height - 1)
    if (left !== undefined && entry !== left) aHolds = false
    if (right !== undefined && entry !== right) bHolds = false
    joined.push(entry)
  }
  return aHolds ? a : bHolds ? b : joined
}

export const joinSeen = (a: SeenVector, b: SeenVector): SeenVector => {
  if (a === b) return a
  const { height } = a
  // The higher one stands left: of equal nodes the left is kept, and those of a raised vector are made for the moment.
  if (height < b.height) return joinSeen(b, a)
  const right = raise(b, height)
  const root = joinNodes(a.root, right.root, height)
  return root === a.root ? a : root === b.root ? b : { height, root }
}

/** The vectors of one device's ops: those of its ops with heads, by rising seq. */
export interface SeenHistory {
  readonly seqs: number[]
  readonly vectors: SeenVector[]
}

export const createSeenHistory = (): SeenHistory => ({ seqs: [], vectors: [] })

/** What op `seq` of the device of this history had seen of other devices. */
export const seenAt = (history: SeenHistory, seq: number): SeenVector => {
  const { seqs, vectors } = history
  let low = 0
  let high = seqs.length
  // Heads mostly name recent ops: look at the end first.
  if (high > 0 && seqs[high - 1] <= seq) return vectors[high - 1]
  while (low < high) {
    const middle = (low + high) >>> 1
    if (seqs[middle] <= seq) low = middle + 1
    else high = middle
  }
  return low === 0 ? nothingSeen : vectors[low - 1]
}
