/**
 * The chain hashes that this replica has verified, by device: what references are filled in from (SPEC OP4) and what the
 * next run of a device must continue.
 */
import type { DeviceId, Dot } from '../clock/dot.ts'
import { chainNext, chainStart, chainTag, tagKey, UNENCRYPTED_EPOCH_KEY } from '../crypto/chain.ts'
import { firstChange, firstHead, opCount, type Run } from '../op/run.ts'

interface DeviceChain {
  readonly key: Uint8Array
  readonly start: Uint8Array
  /** Last seq of each verified run, rising, and the chain hash after it. */
  readonly ends: number[]
  readonly hashes: Uint8Array[]
}

export class ChainIndex {
  readonly #space: string
  readonly #chains = new Map<DeviceId, DeviceChain>()

  constructor(space: string) {
    this.#space = space
  }

  /** Starts the chain of a device. Its certificate, which the chain begins with, must have been checked. */
  begin(device: DeviceId, certificate: Uint8Array): void {
    if (this.#chains.has(device)) return
    this.#chains.set(device, {
      key: tagKey(UNENCRYPTED_EPOCH_KEY, this.#space, device),
      start: chainStart(this.#space, certificate),
      ends: [],
      hashes: [],
    })
  }

  #chain(device: DeviceId): DeviceChain {
    const chain = this.#chains.get(device)
    if (chain === undefined) throw new Error(`no chain of ${device}`)
    return chain
  }

  verifiedSeq(device: DeviceId): number {
    return this.#chains.get(device)?.ends.at(-1) ?? 0
  }

  /** The hash after everything verified. */
  last(device: DeviceId): Uint8Array {
    const chain = this.#chain(device)
    return chain.hashes.at(-1) ?? chain.start
  }

  tag(device: DeviceId, hash: Uint8Array): Uint8Array {
    return chainTag(hash, this.#chain(device).key)
  }

  /** The hash of the run that covers an op; undefined where that is not verified yet. */
  covering(device: DeviceId, seq: number): Uint8Array | undefined {
    const chain = this.#chains.get(device)
    if (chain === undefined) return undefined
    let low = 0
    let high = chain.ends.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (chain.ends[middle] < seq) low = middle + 1
      else high = middle
    }
    return chain.hashes[low]
  }

  /**
   * The hash after ops `[from, to)` of a run, encoded as `bytes`, that come next in their device's chain; undefined while
   * something that they refer to is missing.
   */
  hashAfter(run: Run, bytes: Uint8Array, before: Uint8Array, from = 0, to = opCount(run)): Uint8Array | undefined {
    const references: Uint8Array[] = []
    for (const dot of foreignReferences(run, from, to)) {
      const covering = this.covering(dot.device, dot.seq)
      if (covering === undefined) return undefined
      references.push(covering)
    }
    return chainNext(before, bytes, references)
  }

  extend(device: DeviceId, toSeq: number, hash: Uint8Array): void {
    const chain = this.#chain(device)
    chain.ends.push(toSeq)
    chain.hashes.push(hash)
  }
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
