/**
 * The chain hashes that this replica has verified, by branch: what references are filled in from (SPEC OP4) and what the
 * next run of a branch must continue.
 */
import type { DeviceId, Dot } from '../clock/dot.ts'
import { chainNext, chainTag } from '../crypto/chain.ts'
import type { Keyring } from '../crypto/keyring.ts'
import type { Membership } from '../membership/membership.ts'
import { firstChange, firstHead, opCount, type Run } from '../op/run.ts'

/** What a log asks of the log of members: its length, its newest key epoch, its hashes, and who might do what. */
export type Members = Pick<Membership, 'length' | 'epoch' | 'hashAt' | 'roleAt'>

interface BranchChain {
  readonly device: DeviceId
  /** The hash at `anchor`, and the epoch that its tag there is keyed by. */
  readonly start: Uint8Array
  readonly startEpoch: number
  readonly base: number
  /** Where what is verified here begins: at `base` or, after a base (SPEC CUT), at the end of a run. */
  readonly anchor: number
  /** The runs up to `anchor` that something may still refer to, rising. */
  readonly kept: KeptRun[]
  /** The membership positions of ops up to there that something still names: by seq. */
  readonly below: Map<number, number>
  readonly parent: DeviceId | undefined
  /** Last seq of each verified run, rising; the chain hash after it; the key epoch that it was written in and the greatest membership position that it names. */
  readonly ends: number[]
  readonly hashes: Uint8Array[]
  readonly epochs: number[]
  readonly positions: number[]
}

/**
 * A run below a base that something may still refer to: ops `[fromSeq, toSeq]`, the chain hash after it, the key epoch and the
 * membership position it was written at.
 */
export interface KeptRun {
  readonly fromSeq: number
  readonly toSeq: number
  readonly hash: Uint8Array
  readonly epoch: number
  readonly position: number
}

interface HashedPart {
  readonly from?: number
  readonly to?: number
  readonly meaning?: (name: DeviceId) => DeviceId
  /** The chain hash that covers an op below a base, where it is not kept here. */
  readonly told?: (branch: DeviceId, seq: number) => Uint8Array | undefined
}

/** What a chain begins with is plain in its first header: its tag needs no secret. */
const START_EPOCH = 0

const itself = (name: DeviceId): DeviceId => name

export class ChainIndex {
  readonly #keyring: Keyring
  readonly #members: Members | undefined
  readonly #chains = new Map<DeviceId, BranchChain>()

  /** `members`: undefined in a space that has none. */
  constructor(keyring: Keyring, members?: Members) {
    this.#keyring = keyring
    this.#members = members
  }

  /** Starts the chain of a device. `start`: see `chainStart`; the certificate in it must have been checked. */
  begin(device: DeviceId, start: Uint8Array, branch = device): void {
    if (this.#chains.has(branch)) return
    const at = {
      device,
      start,
      startEpoch: START_EPOCH,
      base: 0,
      anchor: 0,
      kept: [],
      below: new Map(),
      parent: undefined,
    }
    this.#chains.set(branch, { ...at, ends: [], hashes: [], epochs: [], positions: [] })
  }

  /** Starts the chain of a branch after op `base` of its parent, where a run ends. False while that is not verified. */
  beginBranch(branch: DeviceId, parent: DeviceId, base: number): boolean {
    if (this.#chains.has(branch)) return true
    const chain = this.#chains.get(parent)
    const at = chain && endAt(chain, base)
    if (chain === undefined || at === undefined) return false
    const from = { device: chain.device, start: at.hash, startEpoch: at.epoch, base, anchor: base, parent }
    this.#chains.set(branch, { ...from, kept: [], below: new Map(), ends: [], hashes: [], epochs: [], positions: [] })
    return true
  }

  /** The same, of a branch that is begun: it goes on from a base (SPEC CUT), where the last of these runs ends. */
  restoreBelow(branch: DeviceId, kept: readonly KeptRun[], below: Map<number, number>): void {
    const chain = this.#chain(branch)
    const last = kept.at(-1)
    if (last === undefined) return
    const from = { start: last.hash, startEpoch: last.epoch, anchor: last.toSeq, kept: [...kept], below }
    this.#chains.set(branch, { ...chain, ...from })
  }

  /** A run below the base that late ops refer to (SPEC CUT11), where none is kept that covers its end. */
  keep(branch: DeviceId, run: KeptRun): void {
    const chain = this.#chains.get(branch)
    if (chain === undefined || run.toSeq > chain.anchor || run.fromSeq <= chain.base) return
    if (keptAt(chain, run.toSeq) !== undefined) return
    const at = chain.kept.findIndex(({ toSeq }) => toSeq > run.toSeq)
    chain.kept.splice(at < 0 ? chain.kept.length : at, 0, run)
  }

  /** The membership position of an op below the base that late ops name. */
  keepPosition(branch: DeviceId, seq: number, position: number): void {
    const chain = this.#chains.get(branch)
    if (chain !== undefined && !chain.below.has(seq)) chain.below.set(seq, position)
  }

  /** The last seq up to which a branch is verified. */
  verifiedSeq(branch: DeviceId): number {
    const chain = this.#chains.get(branch)
    return chain === undefined ? 0 : (chain.ends.at(-1) ?? chain.anchor)
  }

  /** The verified run of the branch itself that covers an op; undefined where none does, or it is below a base and not kept. */
  runOf(branch: DeviceId, seq: number): KeptRun | undefined {
    const chain = this.#chains.get(branch)
    if (chain === undefined || seq <= chain.base) return undefined
    if (seq <= chain.anchor) return keptAt(chain, seq)
    const at = firstAtLeast(chain.ends, seq)
    if (at === chain.ends.length) return undefined
    const fromSeq = (at === 0 ? chain.anchor : chain.ends[at - 1]) + 1
    return {
      fromSeq,
      toSeq: chain.ends[at],
      hash: chain.hashes[at],
      epoch: chain.epochs[at],
      position: chain.positions[at],
    }
  }

  /** What is verified of a branch, for a local snapshot; undefined where nothing is begun. */
  saved(branch: DeviceId): Pick<BranchChain, 'ends' | 'hashes' | 'epochs' | 'positions'> | undefined {
    return this.#chains.get(branch)
  }

  #chain(branch: DeviceId): BranchChain {
    const chain = this.#chains.get(branch)
    if (chain === undefined) throw new Error(`no chain of ${branch}`)
    return chain
  }

  /** The hash after everything verified. */
  last(branch: DeviceId): Uint8Array {
    const chain = this.#chain(branch)
    return chain.hashes.at(-1) ?? chain.start
  }

  /** The tag after everything verified. */
  lastTag(branch: DeviceId): Uint8Array {
    const chain = this.#chain(branch)
    return this.#tag(chain, this.last(branch), chain.epochs.at(-1) ?? chain.startEpoch)
  }

  /** The tag of a hash, as of a run that was written in `epoch`. Throws KEY_MISSING. */
  tag(branch: DeviceId, hash: Uint8Array, epoch: number): Uint8Array {
    return this.#tag(this.#chain(branch), hash, epoch)
  }

  #tag({ device }: BranchChain, hash: Uint8Array, epoch: number): Uint8Array {
    return chainTag(hash, this.#keyring.tagKey(epoch, device))
  }

  /** The tag after a verified run of the branch itself that ends at `seq`; undefined where none does. */
  tagAt(branch: DeviceId, seq: number): Uint8Array | undefined {
    const chain = this.#chains.get(branch)
    const at = chain && endAt(chain, seq)
    return chain && at && this.#tag(chain, at.hash, at.epoch)
  }

  /** The ends of verified runs of the branch itself in (`above`, `upTo`], rising; at most `count`. */
  ends(branch: DeviceId, above: number, upTo: number, count = Number.POSITIVE_INFINITY): number[] {
    const ends = this.#chains.get(branch)?.ends ?? []
    const from = firstAtLeast(ends, above + 1)
    return ends.slice(from, Math.min(from + count, firstAtLeast(ends, upTo + 1)))
  }

  /** The hash of the run that covers an op of the branch, or of what it goes on from; undefined where that is not verified yet. */
  covering(branch: DeviceId, seq: number): Uint8Array | undefined {
    const chain = this.#holding(branch, seq)
    if (chain !== undefined && seq <= chain.anchor) return keptAt(chain, seq)?.hash
    return chain?.hashes[firstAtLeast(chain.ends, seq)]
  }

  /** The greatest membership position of the verified run that covers an op of the branch; undefined where there is none. */
  positionAt(branch: DeviceId, seq: number): number | undefined {
    const chain = this.#holding(branch, seq)
    if (chain !== undefined && seq <= chain.anchor) return keptAt(chain, seq)?.position ?? chain.below.get(seq)
    return chain?.positions[firstAtLeast(chain.ends, seq)]
  }

  /** The chain in which an op of a branch stands: its own, or one that it goes on from. */
  #holding(branch: DeviceId, seq: number): BranchChain | undefined {
    let chain = this.#chains.get(branch)
    while (chain !== undefined && seq <= chain.base) chain = chain.parent && this.#chains.get(chain.parent)
    return chain
  }

  /**
   * The hash after ops `[from, to)` of a run, encoded as `bytes`, that come next in their branch; undefined while something
   * that they refer to is missing. `meaning`: the branch that a name in the run stands for.
   */
  hashAfter(
    run: Run,
    bytes: Uint8Array,
    before: Uint8Array,
    { from = 0, to = opCount(run), meaning = itself, told }: HashedPart = {},
  ): Uint8Array | undefined {
    const references: Uint8Array[] = []
    for (const position of positionsOf(run, from, to)) {
      if (position > (this.#members?.length ?? 0)) return undefined
      references.push(this.#members!.hashAt(position))
    }
    for (const dot of foreignReferences(run, from, to)) {
      const branch = meaning(dot.device)
      const covering = this.covering(branch, dot.seq) ?? told?.(branch, dot.seq)
      if (covering === undefined) return undefined
      references.push(covering)
    }
    return chainNext(before, bytes, references)
  }

  /** `epoch`: of writing. `position`: the greatest of the run's. */
  extend(branch: DeviceId, toSeq: number, hash: Uint8Array, epoch: number, position: number): void {
    const chain = this.#chain(branch)
    chain.ends.push(toSeq)
    chain.hashes.push(hash)
    chain.epochs.push(epoch)
    chain.positions.push(position)
  }
}

/** The hash at the end of a run of the branch itself, and its epoch. */
const endAt = (chain: BranchChain, seq: number): { readonly hash: Uint8Array; readonly epoch: number } | undefined => {
  if (seq === chain.anchor && seq > chain.base) return { hash: chain.start, epoch: chain.startEpoch }
  const at = firstAtLeast(chain.ends, seq)
  return chain.ends[at] === seq ? { hash: chain.hashes[at], epoch: chain.epochs[at] } : undefined
}

const keptAt = ({ kept }: BranchChain, seq: number): KeptRun | undefined => {
  let low = 0
  let high = kept.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (kept[middle].toSeq < seq) low = middle + 1
    else high = middle
  }
  return low < kept.length && kept[low].fromSeq <= seq ? kept[low] : undefined
}

const firstAtLeast = (ends: readonly number[], seq: number): number => {
  let low = 0
  let high = ends.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (ends[middle] < seq) low = middle + 1
    else high = middle
  }
  return low
}

/** The greatest membership position that a run names; 0 for none. */
export const greatestPosition = (run: Run): number => {
  let greatest = 0
  for (const position of run.membership) greatest = Math.max(greatest, position)
  return greatest
}

/** The membership positions, from 1 on, that ops `[from, to)` of a run name; one that follows itself once. */
export const positionsOf = (run: Run, from = 0, to = opCount(run)): number[] => {
  const positions: number[] = []
  for (let op = from; op < to; op++) {
    const position = run.membership[op]
    if (position !== 0 && position !== positions.at(-1)) positions.push(position)
  }
  return positions
}

/** The ops of other devices that ops `[from, to)` of a run refer to: heads in order, then `over` by change. */
export function* foreignReferences(run: Run, from = 0, to = opCount(run)): Generator<Dot> {
  for (let head = firstHead(run, from); head < firstHead(run, to); head++) {
    const device = run.devices[run.headDevice[head]]
    if (device !== run.device) yield { device, seq: run.headSeq[head] }
  }
  if (run.over.size === 0) return
  for (let change = firstChange(run, from); change < firstChange(run, to); change++) {
    for (const dot of run.over.get(change) ?? []) if (dot.device !== run.device) yield dot
  }
}
