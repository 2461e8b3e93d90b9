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
import { type LocalTree, pathTo } from './local-tree.ts'
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
  /** Names of the server whose seq says nothing about what is held here. */
  readonly #doubted = new Set<DeviceId>()

  constructor(tips: ReadonlyMap<DeviceId, TipMark>, tree: LocalTree, own: ReadonlySet<DeviceId>) {
    this.#tips = tips
    this.#tree = tree
    this.#own = own
  }

  begin(device: DeviceId): void {
    const branches = this.#tree.branchesOf(device)
    const first = branches.filter((name) => this.#tree.branch(name)!.base === 0)
    if (this.#tips.has(device)) this.#follow(device, device, first)
    else for (const name of first) this.#goOn(device, name, 0)
    for (const name of branches) {
      // The beginning of a derived name is that very run, so all before it is held at the server too.
      if (name === device || !this.#tips.has(name)) continue
      this.#raisePath(this.#tree.branch(name)!.parent)
      this.#follow(device, name, [name])
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

  /** Looks for the end of a stretch that begins with one of `starts`. */
  #follow(device: DeviceId, name: DeviceId, starts: readonly DeviceId[]): void {
    const tip = this.#tips.get(name)
    if (tip === undefined || this.#found.has(name)) return
    const ends = starts.flatMap((start) => this.#search(device, start, tip))
    const end = ends.find(({ isFound }) => isFound)
    if (end !== undefined) {
      this.#found.add(name)
      this.#raisePath(end.branch, tip.seq)
      this.#goOn(device, end.branch, tip.seq)
      return
    }
    // SYNC21: whether the server holds the own ops is never guessed.
    if (this.#own.has(device)) {
      this.#doubted.add(name)
      for (const { branch } of ends) this.#forked.add(branch)
    }
    const branch = this.#tree.branch(name)
    if (branch === undefined || branch.seq < tip.seq) return
    // Asked for what is above `name` here, the server would leave out what it has there instead.
    this.#doubted.add(name)
    this.#forked.add(name)
  }

  /** Where `tip` may stand on the ways on from `branch`: the place itself, or the branches at whose end it is not yet or no more. */
  #search(device: DeviceId, branch: DeviceId, tip: TipMark): Place[] {
    const { base, seq } = this.#tree.branch(branch)!
    if (tip.seq <= base) return []
    if (tip.seq <= seq) {
      const tag = this.#tree.tagAt(branch, tip.seq)
      return [{ branch, isFound: tag !== undefined && equalBytes(tag.subarray(0, TIP_MARK_BYTES), tip.mark) }]
    }
    const further = this.#childrenOf(device, branch).flatMap((child) => this.#search(device, child, tip))
    return further.length > 0 ? further : [{ branch, isFound: false }]
  }

  /** The server has a fork at `seq`, inside of `branch` or at its end: what is here after it may be known there too. */
  #goOn(device: DeviceId, branch: DeviceId, seq: number): void {
    const run = this.#tree.runAfter(branch, seq)
    if (run !== undefined) this.#follow(device, branchId(device, seq, run.tagBefore, run.firstTag), [branch])
  }

  #childrenOf(device: DeviceId, branch: DeviceId): readonly DeviceId[] {
    return this.#tree.branchesOf(device).filter((name) => this.#tree.branch(name)!.parent === branch)
  }

  /** The server holds `last` up to `seq` (in full where left out), and so all that it goes on from. */
  #raisePath(last: DeviceId | undefined, seq = Number.MAX_SAFE_INTEGER): void {
    if (last === undefined) return
    for (const { name, seq: end } of pathTo(this.#tree, last)) {
      const upTo = name === last ? Math.min(seq, end) : end
      if (upTo > (this.#vector.get(name) ?? 0)) this.#vector.set(name, upTo)
    }
  }
}
