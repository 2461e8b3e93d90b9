/**
 * What a server's tips mean in local names (SYNC7). Names follow from what is held (STORE2), so where the two hold
 * different things, one stretch of history may have different names here and there:
 *
 *     server   D ──────────────────▶ 9          here   D ──▶ 5 ─┬─▶ A 9
 *                                                               └─▶ B 7      "D up to 9" is D in full and A up to 9
 *
 * The server's stretch begins where its name says. That place is looked up here, and from there the end, by seq and tag,
 * in every direction that the history takes here. Where an end is found inside a branch, the server has a fork there:
 * what we hold next is the beginning of a branch that has its own name at the server, which follows from what it is.
 */
import type { DeviceId } from '../clock/dot.ts'
import { equalBytes } from '../codec/bytes.ts'
import { branchId } from '../log/branch.ts'
import type { Placement } from './client-types.ts'
import type { LocalBranch, LocalTree } from './local-tree.ts'
import { TIP_MARK_BYTES, type TipMark } from './tip-codec.ts'

/** `own`: the devices that this replica writes as or wrote as. Of them only what was found counts as held by the server (SYNC21). */
export const placeTips = (
  tips: ReadonlyMap<DeviceId, TipMark>,
  tree: LocalTree,
  own: ReadonlySet<DeviceId>,
): Placement => {
  const walk = new Walk(tips, tree, own)
  for (const device of tree.devices()) walk.begin(device)
  return walk.result()
}

/** A stretch of the server's, and the branches here of which one may begin with it. */
interface Stretch {
  readonly name: DeviceId
  readonly starts: readonly DeviceId[]
}

interface Place {
  readonly branch: DeviceId
  readonly isFound: boolean
}

class Walk {
  readonly #tips: ReadonlyMap<DeviceId, TipMark>
  readonly #tree: LocalTree
  readonly #own: ReadonlySet<DeviceId>
  readonly #vector = new Map<DeviceId, number>()
  readonly #found = new Set<DeviceId>()
  readonly #forked = new Set<DeviceId>()
  /** Branch → those that go on from it. */
  readonly #children = new Map<DeviceId, DeviceId[]>()
  /** Names of the server whose seq says nothing about what is held here. */
  readonly #doubted = new Set<DeviceId>()

  constructor(tips: ReadonlyMap<DeviceId, TipMark>, tree: LocalTree, own: ReadonlySet<DeviceId>) {
    this.#tips = tips
    this.#tree = tree
    this.#own = own
  }

  begin(device: DeviceId): void {
    const branches = this.#tree.branchesOf(device)
    for (const name of branches) {
      const { parent } = this.#tree.branch(name)!
      if (parent === undefined) continue
      const siblings = this.#children.get(parent)
      if (siblings === undefined) this.#children.set(parent, [name])
      else siblings.push(name)
    }
    const first = branches.filter((name) => this.#tree.branch(name)!.base === 0)
    if (this.#tips.has(device)) this.#follow(device, { name: device, starts: first })
    else for (const name of first) this.#follow(device, this.#after(device, name, 0))
    for (const name of branches) {
      // The beginning of a derived name is that very run, so all before it is held at the server too.
      if (name === device || !this.#tips.has(name)) continue
      this.#raisePath(this.#tree.branch(name)!.parent)
      this.#follow(device, { name, starts: [name] })
    }
  }

  result(): Placement {
    const unverified: DeviceId[] = []
    for (const [name, { seq }] of this.#tips) {
      if (this.#found.has(name)) continue
      unverified.push(name)
      if (this.#doubted.has(name)) continue
      this.#vector.set(name, Math.max(seq, this.#vector.get(name) ?? 0))
    }
    return { vector: this.#vector, unverified, forked: [...this.#forked] }
  }

  /** Looks for the end of a stretch that begins with one of `starts`, and goes on from there. */
  #follow(device: DeviceId, stretch: Stretch | undefined): void {
    let next = stretch
    // Members choose how many stretches follow each other: no recursion.
    while (next !== undefined) next = this.#place(device, next)
  }

  /** Returns the stretch that may follow. */
  #place(device: DeviceId, { name, starts }: Stretch): Stretch | undefined {
    const tip = this.#tips.get(name)
    if (tip === undefined || this.#found.has(name)) return undefined
    const ends = this.#search(starts, tip)
    const end = ends.find(({ isFound }) => isFound)
    if (end !== undefined) {
      this.#found.add(name)
      this.#raisePath(end.branch, tip.seq)
      return this.#after(device, end.branch, tip.seq)
    }
    // SYNC21: whether the server holds the own ops is never guessed.
    if (this.#own.has(device)) {
      this.#doubted.add(name)
      for (const { branch } of ends) this.#forked.add(branch)
    }
    const branch = this.#tree.branch(name)
    if (branch === undefined || branch.seq < tip.seq) return undefined
    // Asked for what is above `name` here, the server would leave out what it has there instead.
    this.#doubted.add(name)
    this.#forked.add(name)
    return undefined
  }

  /** Where `tip` may stand on the ways on from `starts`: the place itself, or the branches at whose end it is not yet or no more. */
  #search(starts: readonly DeviceId[], tip: TipMark): Place[] {
    const places: Place[] = []
    const next = starts.toReversed()
    for (let branch = next.pop(); branch !== undefined; branch = next.pop()) {
      const { base, seq } = this.#tree.branch(branch)!
      if (tip.seq <= base) continue
      const children = tip.seq <= seq ? undefined : this.#children.get(branch)
      if (children !== undefined) {
        for (let index = children.length - 1; index >= 0; index--) next.push(children[index])
        continue
      }
      const tag = tip.seq <= seq ? this.#tree.tagAt(branch, tip.seq) : undefined
      places.push({ branch, isFound: tag !== undefined && equalBytes(tag.subarray(0, TIP_MARK_BYTES), tip.mark) })
    }
    return places
  }

  /** The server has a fork at `seq`, inside of `branch` or at its end: what is here after it may be known there too. */
  #after(device: DeviceId, branch: DeviceId, seq: number): Stretch | undefined {
    const run = this.#tree.runAfter(branch, seq)
    return run && { name: branchId(device, seq, run.tagBefore, run.firstTag), starts: [branch] }
  }

  /** The server holds `last` up to `seq` (in full where left out), and so all that it goes on from. */
  #raisePath(last: DeviceId | undefined, seq = Number.MAX_SAFE_INTEGER): void {
    for (let name = last; name !== undefined; ) {
      const branch: LocalBranch | undefined = this.#tree.branch(name)
      if (branch === undefined) return
      const known = this.#vector.get(name)
      const upTo = name === last ? Math.min(seq, branch.seq) : branch.seq
      if (upTo > (known ?? 0)) this.#vector.set(name, upTo)
      // What it goes on from was raised in full with it: to walk up again for each branch would be quadratic.
      if (known !== undefined) return
      name = branch.parent
    }
  }
}
