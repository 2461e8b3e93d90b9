/**
 * The author's side of the log: stamps mutations, projects them at once, and seals what is not sealed yet.
 *
 *     seq:   1 …… sealed …… | sealed + 1 …… open run …… | nextSeq
 *            batches, chain    in memory
 *
 * Invariants:
 * - WR1 an op's stamp is above its predecessor's and above all that is projected here, so above all it saw (OP5);
 * - WR2 what is sealed is never sealed again: run boundaries are fixed before anything of a run leaves (OP3);
 * - WR3 the open run is all that a crash can lose: who writes seals and stores it as soon as the store is free.
 */
import type { DeviceId, Dot } from '../clock/dot.ts'
import { type Hlc, receive, tick } from '../clock/hlc.ts'
import { createScratch } from '../codec/bytes.ts'
import { chainNext, chainStart, chainTag } from '../crypto/chain.ts'
import { certifiedInstallation } from '../crypto/identity.ts'
import type { Keyring } from '../crypto/keyring.ts'
import type { SigningKeys } from '../crypto/sodium.ts'
import { DriftlogError } from '../errors.ts'
import type { Role } from '../membership/entry.ts'
import { Author, type OpContext, type RowChanges } from '../op/author.ts'
import { firstHead, opCount, type Run } from '../op/run.ts'
import { encodeRun } from '../op/run-codec.ts'
import type { Randomness } from '../ports/ports.ts'
import { type Batch, encodeShifts, MAX_BATCH_OPS, type Shift } from './batch.ts'
import type { Members } from './chain-index.ts'
import { lateEvent, type LateRecord } from './late-record.ts'
import type { OpLog } from './op-log.ts'
import { sealBatch } from './seal.ts'

/** Sealing starts a new batch above this many bytes of ops (as OP7 counts them, before compression). */
const SEAL_BYTES = 512 * 1024

/** An op names at most so many heads, so that it fits a batch however many devices there are. */
export const MAX_HEADS = 4096
/** What a head takes in the bytes of a run, at most: its name, the index of that, its seq. */
const HEAD_BYTES = 28

export interface WriterIdentity {
  readonly space: string
  readonly device: DeviceId
  readonly keys: SigningKeys
  readonly certificate: Uint8Array
}

/** The keys of the space, and what nonces are hedged with. */
export interface WriterKeys {
  readonly keyring: Keyring
  readonly random: Randomness
  /** undefined in a space without members. */
  readonly members?: Members
}

/**
 * The first batch of a device that brings shifts (BR2), and what is told of late ops (CUT11): an op, or one a record, that changes
 * nothing and saw nothing, so that no shifted op has to be projected before it.
 */
export const sealShifts = (
  { keyring, random, members }: WriterKeys,
  identity: WriterIdentity,
  hlc: Hlc,
  shifts: readonly Shift[],
  late: readonly LateRecord[] = [],
): Batch => {
  const { device, space, certificate, keys } = identity
  const author = new Author(device, 1, () => keyring.epoch)
  const membership = members?.length ?? 0
  for (let op = 0; op < Math.max(1, late.length); op++) {
    author.append([], { hlc: hlc + op, heads: [], schemaVersion: 1, membership })
    if (op < late.length) author.run.events.set(op, lateEvent(late[op]))
  }
  const toSeq = opCount(author.run)
  const bytes = encodeRun(author.run)
  const before = chainStart(space, certificate, encodeShifts(shifts))
  const tags = {
    tagBefore: chainTag(before, keyring.tagKey(0, device)),
    tagAfter: chainTag(
      chainNext(before, bytes, membership === 0 ? [] : [members!.hashAt(membership)]),
      keyring.tagKey(keyring.epoch, device),
    ),
  }
  const part = { ...tags, space, device, fromSeq: 1, toSeq, maxHlc: hlc + toSeq - 1, shifts, certificate }
  return sealBatch(part, [bytes], { keys, keyring, random })
}

/** Seqs of one mutation: `[fromSeq, toSeq]`. */
export interface Written {
  readonly fromSeq: number
  readonly toSeq: number
  readonly hlc: Hlc
}

const runScratch = createScratch()

/** What own ops are handed to: the projector. */
export interface OwnProjection {
  /** The highest effective stamp projected. */
  readonly highest: Hlc
  /** The causal heads of what is projected, beyond the device's own previous op. */
  headsFor(device: DeviceId): readonly Dot[]
  /** Throws VALUE_INVALID for a change that would make its op void. */
  expectFit(changes: readonly RowChanges[]): void
  projectOwn(run: Run, op: number): void
  /** Ops `[from, to)` of a run. */
  projectOwnGroup(run: Run, from: number, to: number): void
}

export class Writer {
  readonly identity: WriterIdentity
  readonly #log: OpLog
  readonly #random: Randomness
  readonly #projector: OwnProjection
  readonly #author: Author
  /** Sealed because a run ended between two mutations. */
  #sealed: Batch[] = []
  /** The highest stamp that this device made or met, and persists. */
  #highest: Hlc

  /** The log must hold the device's sealed batches already. `highWater`: the persisted high-water mark, 0 for none. */
  constructor(identity: WriterIdentity, log: OpLog, projector: OwnProjection, highWater: Hlc, random: Randomness) {
    this.identity = identity
    this.#log = log
    this.#projector = projector
    this.#highest = highWater
    log.beginOwn(identity.device, identity.certificate)
    this.#random = random
    this.#author = new Author(identity.device, log.heldSeq(identity.device) + 1, () => log.keyring.epoch)
  }

  /** The highest stamp that this device made, or was told to be above. */
  get ownHighest(): Hlc {
    return this.#highest
  }

  get highest(): Hlc {
    return receive(this.#highest, this.#projector.highest)
  }

  /** Ops that `seal` has not given out yet. */
  get openCount(): number {
    const sealed = this.#sealed.reduce((ops, { header }) => ops + header.toSeq - header.fromSeq + 1, 0)
    return sealed + opCount(this.#author.run)
  }

  /** The stamp that a mutation made now would get. */
  nextStamp(nowMs: number): Hlc {
    return tick(this.highest, nowMs)
  }

  /** What this installation may do now; undefined in a space without members, and where it is none of a member's. */
  get role(): Role | undefined {
    const { members } = this.#log
    return members?.roleAt(certifiedInstallation(this.identity.certificate), members.length)
  }

  /**
   * MEM6: throws FORBIDDEN where this installation only reads, NOT_A_MEMBER where it is none of a member's. MEM10: throws KEY_MISSING
   * where the newest key was not sealed to it, since who was removed reads what is written with the one before.
   */
  expectRights(): void {
    const { members, keyring } = this.#log
    if (members === undefined) return
    const { role } = this
    if (role === undefined) throw new DriftlogError('NOT_A_MEMBER')
    if (role === 'reader') throw new DriftlogError('FORBIDDEN', 'this member only reads')
    if (keyring.isEncrypted && keyring.epoch < members.epoch)
      throw new DriftlogError('KEY_MISSING', 'an admin has to rotate', { space: keyring.space, epoch: members.epoch })
  }

  /**
   * Writes and projects one mutation. Throws VALUE_INVALID, TOO_LARGE, FORBIDDEN, NOT_A_MEMBER or KEY_MISSING before anything of it
   * happened. `hlc`: as of `nextStamp`; where ops that only take in heads have to go before, it gets a stamp as much higher.
   */
  write(changes: readonly RowChanges[], hlc: Hlc, schemaVersion: number): Written {
    this.expectRights()
    this.#projector.expectFit(changes)
    const heads = this.#projector.headsFor(this.identity.device)
    let stamp = hlc
    let taken = 0
    for (; heads.length - taken > MAX_HEADS; taken += MAX_HEADS) {
      this.#writeOne([], { hlc: stamp++, heads: heads.slice(taken, taken + MAX_HEADS), schemaVersion })
    }
    return this.#writeOne(changes, { hlc: stamp, heads: heads.slice(taken), schemaVersion })
  }

  #writeOne(changes: readonly RowChanges[], context: Omit<OpContext, 'membership'>): Written {
    const { device } = this.identity
    const { hlc } = context
    const membership = this.#log.members?.length ?? 0
    if (this.#author.needsNewRun(membership)) this.#sealed.push(...this.#sealRun())
    const { run } = this.#author
    const from = opCount(run)
    const fromSeq = this.#author.nextSeq
    const count = this.#author.append(changes, { ...context, membership })
    this.#log.writesAt(membership)
    this.#highest = hlc
    if (count === 1) this.#projector.projectOwn(run, from)
    else this.#projector.projectOwnGroup(run, from, from + count)
    this.#log.holdOwn(device, fromSeq + count - 1)
    return { fromSeq, toSeq: fromSeq + count - 1, hlc }
  }

  /** Seals everything open into batches and starts a new run. Store them before anything of them leaves (SYNC1). */
  seal(): Batch[] {
    const batches = [...this.#sealed, ...this.#sealRun()]
    this.#sealed = []
    return batches
  }

  #sealRun(): Batch[] {
    const { run } = this.#author
    const batches: Batch[] = []
    for (let from = 0; from < opCount(run); ) {
      const to = this.#cut(run, from)
      batches.push(this.#sealPart(run, from, to))
      from = to
    }
    this.#author.restart()
    return batches
  }

  #cut(run: Run, from: number): number {
    const bytesOf = (op: number): number => run.opBytes[op] + (run.headEnd[op] - firstHead(run, op)) * HEAD_BYTES
    let bytes = 0
    let to = from
    do {
      bytes += bytesOf(to++)
    } while (to < opCount(run) && to - from < MAX_BATCH_OPS && bytes + bytesOf(to) <= SEAL_BYTES)
    return to
  }

  #sealPart(run: Run, from: number, to: number): Batch {
    const { device, space, keys, certificate } = this.identity
    const bytes = encodeRun(run, from, to, runScratch)
    const { chain, keyring } = this.#log
    const before = chain.last(device)
    const after = chain.hashAfter(run, bytes, before, { from, to })
    if (after === undefined) throw new Error('an op refers to what is not verified here')
    const toSeq = run.fromSeq + to - 1
    const part = {
      space,
      device,
      fromSeq: run.fromSeq + from,
      toSeq,
      maxHlc: run.hlc[to - 1],
      tagBefore: chain.lastTag(device),
      tagAfter: chain.tag(device, after, run.keyEpoch),
      certificate,
    }
    const batch = sealBatch(part, [bytes], { keys, keyring, random: this.#random })
    chain.extend(device, toSeq, after, run.keyEpoch, run.membership[to - 1])
    return batch
  }
}
