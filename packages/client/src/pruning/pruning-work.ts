/**
 * What this installation does about pruning, one thing at a time, whenever something has changed:
 *
 *     a base is established ─▶ keep it, prune here     one is to be confirmed ─▶ fold, confirm or dispute
 *     all are done ─▶ fold, upload, state the base     a round is under way ─▶ complete it
 *     all have promised ─▶ a round                     much was written, or others have promised ─▶ promise
 *
 * PRUNE1, PRUNE3: nothing is stated while anything that is here is not at the server, or the other way round, waits, is locked or damaged.
 */
import {
  dominates,
  DriftlogError,
  equalBytes,
  type FoldedBase,
  hasSeenPrefix,
  type Hlc,
  hlcFromMs,
  type Pruning,
  sealBase,
  unsealBase,
  type VersionVector,
} from '@driftlog/core'
import type { Subscription } from 'rxjs'
import { merge } from 'rxjs'
import type { Keeper } from '../storage/keeper.ts'
import { opsIn } from '../storage/snapshots.ts'
import { loadBase } from '../storage/stored-base.ts'
import type { SyncEngine } from '../sync/engine.ts'
import { arePointsRight, difference, foldHeld, pointsOfBase } from './base-work.ts'
import type { PruningSync } from './pruning-sync.ts'

export interface PruningOptions {
  /** So many ops since the last base are worth another one. 10,000 by default. */
  readonly afterOps?: number
  /**
   * What is younger than this is not pruned: other tabs that share the store may still be writing it. In ms, a minute by default.
   */
  readonly lagMs?: number
}

const AFTER_OPS = 10_000
const LAG_MS = 60_000
/** So long after something happened it is looked what is to be done. */
const SETTLE_MS = 200
/** How often it is looked whether what is waited for has come, while it is. */
const AGAIN_MS = 2_000

export class PruningWork {
  readonly #sync: PruningSync
  readonly #engine: SyncEngine
  readonly #limits: Required<PruningOptions>
  readonly #listening: Subscription
  #stopWaiting: (() => void) | undefined
  #isWorking = false
  #isStopped = false
  /** The base that was folded last, so that what is stated is what is kept. */
  #folded: { readonly round: Uint8Array; readonly base: FoldedBase; readonly chunks: readonly Uint8Array[] } | undefined

  constructor(sync: PruningSync, engine: SyncEngine, { afterOps = AFTER_OPS, lagMs = LAG_MS }: PruningOptions = {}) {
    this.#sync = sync
    this.#engine = engine
    this.#limits = { afterOps, lagMs }
    const { keeper } = sync.options
    this.#listening = merge(sync.changes, keeper.changes, keeper.arrivals, engine.arrivals, engine.status$).subscribe(
      () => this.#soon(SETTLE_MS),
    )
  }

  stop(): void {
    this.#isStopped = true
    this.#listening.unsubscribe()
    this.#stopWaiting?.()
  }

  #soon(delayMs: number): void {
    if (this.#isStopped || this.#stopWaiting !== undefined || !this.#isWanted) return
    this.#stopWaiting = this.#sync.options.timers.schedule(delayMs, () => {
      this.#stopWaiting = undefined
      void this.#work()
    })
  }

  get #isWanted(): boolean {
    const { pruning, options } = this.#sync
    return pruning !== undefined && options.local.role !== undefined && options.local.membership.history === 'prune'
  }

  async #work(): Promise<void> {
    if (this.#isWorking) return
    this.#isWorking = true
    let isWaiting = false
    try {
      for (let more = true; more && !this.#isStopped && this.#isWanted; ) {
        const done = await this.#next(this.#sync.pruning!)
        more = done === 'done'
        isWaiting = done === 'waiting'
      }
    } catch (error) {
      isWaiting = true
      const code = error instanceof DriftlogError ? error.code : undefined
      // Somebody else was first: what counts now the server's news say, or the next connection.
      if (code !== 'PRUNING_REFUSED' && code !== 'UNAVAILABLE' && code !== 'CLOSED') {
        this.#sync.options.keeper.failed(error)
      }
    } finally {
      this.#isWorking = false
      if (isWaiting) this.#soon(AGAIN_MS)
    }
  }

  /** `done`: there may be more. `waiting`: for something that nobody tells. */
  async #next(pruning: Pruning): Promise<'done' | 'waiting' | 'nothing'> {
    const { publicKey: key } = this.#sync.options.local.secrets!.signing
    const { established, candidate, round, dispute } = pruning
    this.#tellDispute(pruning)
    if (established !== undefined && !this.#has(established.base.stated.digest)) {
      return (await this.#keep(pruning)) ? 'done' : 'waiting'
    }
    if (round !== undefined && !pruning.hasCompleted(key)) {
      if (!this.#isHere || round.position === 0) return 'waiting'
      if (this.#engine.position < round.position) {
        this.#engine.input({ kind: 'refresh' })
        return 'waiting'
      }
      if (!this.#hasSeenAll(round.stated.cut)) return 'waiting'
      await this.#sync.state({ kind: 'completion', round: round.hash })
      // What was written just before was refused.
      this.#engine.input({ kind: 'retryRefused' })
      return 'done'
    }
    if (round !== undefined && !pruning.isDone) {
      // A server may say that everybody is done where it is not so.
      const isReady = round.ready !== undefined && pruning.awaited().length === 0
      if (dispute !== undefined || !isReady || !this.#isWriter) return 'nothing'
      if (candidate === undefined) return this.#make(pruning, round.ready!)
      return equalBytes(candidate.author, key) ? 'nothing' : this.#check(pruning)
    }
    const cut = pruning.promisedByAll()
    if (cut > pruning.cut) {
      const { membership } = this.#sync.options.local
      const counted = membership.counted().map((installation) => installation.key)
      await this.#sync.state({ kind: 'round', cut, members: membership.length, counted })
      return 'done'
    }
    return this.#promise(pruning, key)
  }

  async #promise(pruning: Pruning, key: Uint8Array): Promise<'done' | 'waiting' | 'nothing'> {
    const { local, state, clock } = this.#sync.options
    if (pruning.promisedBy(key) > pruning.cut) return 'nothing'
    const counted = local.membership.counted()
    if (!counted.some((one) => equalBytes(one.key, key))) return 'nothing'
    const isAskedFor = counted.some((one) => pruning.promisedBy(one.key) > pruning.cut)
    if (!isAskedFor && this.#newOps < this.#limits.afterOps) return 'nothing'
    // What is projected is stored, so whichever tab writes next stamps above it.
    const stamp = Math.min(state.projector.highest, hlcFromMs(clock.now() - this.#limits.lagMs))
    if (!this.#isAllThere || stamp <= pruning.cut) return 'waiting'
    await this.#sync.state({ kind: 'promise', stamp })
    return 'done'
  }

  /** Ops that are held beyond the base. */
  get #newOps(): number {
    const { state } = this.#sync.options
    let ops = opsIn(state)
    for (const [branch, seq] of this.#sync.base?.vector ?? []) ops -= seq - (state.log.branch(branch)?.base ?? 0)
    return ops
  }

  /** What is here is at the server, and the other way round, as far as is known; and all of it is shown. */
  get #isAllThere(): boolean {
    const { keeper } = this.#sync.options
    return (
      this.#isHere &&
      this.#engine.status$.value.refused.length === 0 &&
      keeper.unsavedCount === 0 &&
      dominates(this.#engine.acknowledged$.value, keeper.stored())
    )
  }

  /** CUT1: whatever is here and not at the server was written here, and had seen everything up to a cut. */
  #hasSeenAll(cut: Hlc): boolean {
    const { log, projector, writer } = this.#sync.options.state
    const known = this.#engine.acknowledged$.value
    return [...log.held()].every(([branch, seq]) => {
      const sent = Math.max(known.get(branch) ?? 0, log.branch(branch)?.base ?? 0)
      if (seq <= sent) return true
      // What is late was stated to be so, and with it what it had seen (CUT11); the statement says nothing itself.
      if (projector.ops.isLate(branch, sent + 1) || (log.statingShifts.has(branch) && seq === 1)) return true
      return branch === writer.identity.device && hasSeenPrefix(projector, branch, sent + 1, cut)
    })
  }

  /** What the server has is here, and all that is here is shown. */
  get #isHere(): boolean {
    const { keeper, state, store, space } = this.#sync.options
    const { caughtUp, syncing, refused } = this.#engine.status$.value
    const { waiting, parked, locked, unopenable } = state.log.backlog()
    return (
      caughtUp &&
      !syncing &&
      // Whether what is refused had seen everything, or is late, is asked where something is stated.
      refused.every(({ code }) => code === 'BELOW_BASE') &&
      !this.#sync.isHeldBack &&
      keeper.error === undefined &&
      waiting + parked + locked + unopenable === 0 &&
      state.log.damage === undefined &&
      store.damaged(space).length === 0
    )
  }

  get #isWriter(): boolean {
    const { role } = this.#sync.options.local
    return role === 'writer' || role === 'admin'
  }

  #has(digest: Uint8Array): boolean {
    return this.#sync.base !== undefined && equalBytes(this.#sync.base.digest, digest)
  }

  async #bytesBefore(): Promise<Uint8Array | undefined> {
    const { store, state } = this.#sync.options
    return (await loadBase(store, state.log.keyring))?.bytes
  }

  async #fold(
    pruning: Pruning,
    vector: VersionVector,
    held: Awaited<ReturnType<Keeper['batches']>>,
  ): Promise<FoldedBase> {
    const { log } = this.#sync.options.state
    const { cut } = pruning.round!.stated
    return foldHeld(log, held, { cut, vector, base: await this.#bytesBefore() })
  }

  /** PRUNE4: the first that sees everybody done makes the base. */
  async #make(pruning: Pruning, ready: number): Promise<'done' | 'waiting'> {
    const { keeper, state, random } = this.#sync.options
    if (!this.#isAllThere) return 'waiting'
    if (this.#engine.position < ready) {
      this.#engine.input({ kind: 'refresh' })
      return 'waiting'
    }
    const { position } = this.#engine
    const vector = keeper.stored()
    const held = await keeper.batches()
    const base = await this.#fold(pruning, vector, held)
    const points = pointsOfBase(base.bytes, held)
    const { epoch, chunks } = sealBase(base.bytes, base.digest, state.log.keyring, random)
    const { hash: round } = pruning.round!
    this.#folded = { round, base, chunks }
    await this.#sync.storeChunks(base.digest, chunks)
    const { cut, digest, bytes } = base
    await this.#sync.state({
      kind: 'base',
      round,
      cut,
      vector: base.vector,
      digest,
      bytes: bytes.length,
      epoch,
      chunks: chunks.length,
      position,
      points,
    })
    return 'done'
  }

  /** PRUNE4: another one folds the same, or nothing is pruned. */
  async #check(pruning: Pruning): Promise<'done' | 'waiting' | 'nothing'> {
    const { log } = this.#sync.options.state
    const { stated, hash } = pruning.candidate!
    let own: FoldedBase
    try {
      own = await this.#fold(pruning, stated.vector, await this.#sync.options.keeper.batches())
    } catch (error) {
      // Not all of it is here yet, or under other names.
      if (error instanceof DriftlogError && error.code === 'OPTION_INVALID') return 'waiting'
      throw error
    }
    const isSame = equalBytes(own.digest, stated.digest) && arePointsRight(own.bytes, stated.points, log)
    await this.#sync.state(
      isSame ? { kind: 'confirmation', base: hash } : { kind: 'dispute', base: hash, digest: own.digest },
    )
    if (isSame) return 'done'
    this.#sync.tell(new DriftlogError('BASE_DISPUTED', await this.#differing(pruning, own)))
    return 'nothing'
  }

  async #differing(pruning: Pruning, own: FoldedBase): Promise<string> {
    const { stated } = pruning.candidate!
    try {
      const chunks = await this.#sync.fetchChunks(stated)
      return difference(own.bytes, unsealBase(stated, chunks, this.#sync.options.state.log.keyring))
    } catch (error) {
      if (error instanceof DriftlogError) return `the other one cannot be read: ${error.code}`
      throw error
    }
  }

  #tellDispute({ dispute }: Pruning): void {
    const { error } = this.#sync
    if (dispute === undefined && error?.code === 'BASE_DISPUTED') this.#sync.tell(undefined)
    if (dispute !== undefined && error === undefined) this.#sync.tell(new DriftlogError('BASE_DISPUTED'))
  }

  /** A base is established of which all is here: it takes the place of what is below it in the store. */
  async #keep(pruning: Pruning): Promise<boolean> {
    const { base, round } = pruning.established!
    if (!this.#isAllThere || !dominates(this.#sync.options.state.projector.projected, base.stated.vector)) return false
    const folded = this.#folded
    const isOwn =
      folded !== undefined && equalBytes(folded.round, round.hash) && equalBytes(folded.base.digest, base.stated.digest)
    const chunks = isOwn ? folded.chunks : await this.#sync.fetchChunks(base.stated)
    await this.#sync.keepBase(base.bytes, base.stated, chunks)
    this.#folded = undefined
    return true
  }
}
