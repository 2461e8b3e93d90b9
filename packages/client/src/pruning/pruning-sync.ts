/**
 * Takes part in the pruning of a space with members (SPEC PRUNE), beside the session:
 *
 *     welcome ─▶ what counts now? ─▶ is a base here, or all that it stands for? ─▶ the session goes on
 *     news, quiet ─▶ PruningWork: what is to be stated next ─▶ the server
 *
 * Invariants:
 * - PRUNE6 before the session hears of a welcome it is known what counts about pruning: whoever lacks what was pruned, and has nothing
 *   that the server lacks, goes on from the base; who has such work keeps everything as it is;
 * - PRUNE5 a statement is numbered durably before it is sent; who meets one of its own that it did not make is a copy, and
 *   sends nothing that the server lacks;
 * - whatever fails here changes nothing, and is tried again with the next news or connection.
 */
import {
  type BaseOutline,
  type BatchStore,
  ByteReader,
  ByteWriter,
  concatBytes,
  decodeBase,
  decodeStanding,
  decodeTips,
  dominates,
  DriftlogError,
  encodeStatement,
  equalBytes,
  hash,
  type Membership,
  placeTips,
  Pruning,
  type QuarantiningStore,
  type Randomness,
  type RecordChange,
  type ServerMessage,
  standingDigest,
  type Stated,
  type Timers,
  unsealBase,
  type VersionVector,
  type WallClock,
} from '@driftlog/core'
import { Subject } from 'rxjs'
import type { LocalMembers } from '../members/local-members.ts'
import type { MembersLine } from '../members/members-sync.ts'
import type { ReplicaState } from '../state/replica-state.ts'
import type { Keeper } from '../storage/keeper.ts'
import { noSnapshot } from '../storage/snapshots.ts'
import { baseRecords } from '../storage/stored-base.ts'
import { floorsOfBase } from './base-work.ts'
import { comeBack } from './come-back.ts'
import { PruningLine } from './pruning-line.ts'

const NUMBER = 'pruning/number'
const NEWS_AGAIN_MS = 1_000
const STANDING = 'pruning/standing'

/** What counted when the server was last asked. */
export const loadPruning = async (store: BatchStore, membership: Membership): Promise<Pruning | undefined> => {
  const records = await store.records(membership.space, STANDING)
  const record = records.find(({ key }) => key === STANDING)
  return record && Pruning.of(membership, decodeStanding(record.value))
}

export interface PruningSyncOptions {
  readonly local: LocalMembers
  readonly keeper: Keeper
  readonly state: ReplicaState
  readonly store: QuarantiningStore
  readonly space: string
  readonly timers: Timers
  readonly clock: WallClock
  readonly random: Randomness
  /** That the local store goes on from. */
  readonly base: BaseOutline | undefined
  /** What counted when the server was last asked. */
  readonly pruning: Pruning | undefined
}

type Welcome = ServerMessage & { type: 'welcome' }

export class PruningSync {
  readonly options: PruningSyncOptions
  #line: PruningLine | undefined
  /** Of what the server was last heard to have. */
  #digest: Uint8Array | undefined
  #pruning: Pruning | undefined
  #base: BaseOutline | undefined
  /** Somebody else states things as this installation, and the server lacks what is here. */
  #isCopy = false
  #fetched: { readonly digest: Uint8Array; readonly chunks: Uint8Array[] } | undefined
  /** What stands in the way, for the status. */
  error: DriftlogError | undefined
  /** What counts has changed, or whether something stands in the way. */
  readonly changes = new Subject<void>()

  constructor(options: PruningSyncOptions) {
    this.options = options
    this.#base = options.base
    this.#pruning = options.pruning
  }

  /** What counts, while there is a connection. */
  get pruning(): Pruning | undefined {
    return this.#line === undefined ? undefined : this.#pruning
  }

  /** That the local store goes on from. */
  get base(): BaseOutline | undefined {
    return this.#base
  }

  /**
   * PRUNE2: whether what an installation wrote may still come by a courier. What the server would not take must not be built upon:
   * that would keep out what is built on it, too.
   */
  mayCome(installation: Uint8Array): boolean {
    return this.#pruning?.admits(installation) !== 'below'
  }

  /** PRUNE5: nothing is pushed. */
  get isHeldBack(): boolean {
    return this.#isCopy
  }

  connected(line: MembersLine): void {
    this.disconnected()
    this.#line = new PruningLine(line, this.options.timers)
  }

  disconnected(): void {
    this.#line?.close()
    this.#line = undefined
  }

  stop(): void {
    this.disconnected()
    this.changes.complete()
  }

  /** Whether the message was for this; a welcome is handed on later. */
  hear(message: ServerMessage): boolean {
    const line = this.#line
    if (line === undefined) return false
    if (message.type === 'welcome') {
      if (message.pruning === undefined) return false
      void this.#guarded(line, () => this.#greeted(line, message))
      return true
    }
    if (message.type === 'reply' && message.id === undefined) {
      void this.#guarded(line, () => this.#hearNews(line))
      return true
    }
    return line.hear(message)
  }

  async #guarded(line: PruningLine, work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      if (this.#line !== line) return
      const { code, message } =
        error instanceof DriftlogError ? error : { code: 'UNAVAILABLE' as const, message: String(error) }
      line.line.lost({ code, message })
    }
  }

  async #hearNews(line: PruningLine): Promise<void> {
    try {
      await this.#look(line)
      this.changes.next()
    } catch (error) {
      if (!(error instanceof DriftlogError) || error.code !== 'PRUNING_REFUSED') throw error
      // It may name entries of the log of members that are on their way.
      this.options.timers.schedule(NEWS_AGAIN_MS, () => {
        if (this.#line === line) void this.#guarded(line, () => this.#hearNews(line))
      })
    }
  }

  async #greeted(line: PruningLine, welcome: Welcome): Promise<void> {
    if (this.#digest === undefined || !equalBytes(this.#digest, welcome.pruning!)) await this.#look(line)
    if (this.#line !== line) return
    const placed = this.#placed(welcome)
    const isAllThere = dominates(placed, this.options.keeper.stored())
    await this.#judgeCopies(isAllThere)
    if (isAllThere && this.#lacksBase && (await this.#plant(line, placed))) {
      if (this.#line === line) line.line.greetAnew()
      return
    }
    if (!isAllThere && this.#lacksBase && !this.#isCopy && (await this.#comeBack(line, placed))) {
      if (this.#line === line) line.line.greetAnew()
      return
    }
    if (this.#line !== line) return
    this.#tellBelow(!isAllThere)
    line.line.release(welcome)
    this.changes.next()
  }

  /** What the server holds of what is held here. */
  #placed({ inSync, tips }: Welcome): VersionVector {
    const { keeper } = this.options
    if (inSync || tips === undefined) return keeper.stored()
    return placeTips(decodeTips(tips), keeper.tree(), keeper.ownDevices).vector
  }

  /** Asks what counts, all of it: it is small, and is judged together. */
  async #look(line: PruningLine): Promise<void> {
    for (let parts: Uint8Array[] = [], digest: Uint8Array | undefined; ; ) {
      const from = parts.reduce((sum, { length }) => sum + length, 0)
      const page = await line.ask({ kind: 'standing', from })
      if (page.kind !== 'standing') throw new DriftlogError('PROTOCOL_VIOLATION')
      if (digest !== undefined && !equalBytes(digest, page.digest)) {
        // It changed meanwhile.
        parts = []
        digest = undefined
        continue
      }
      if (page.from !== from || (page.part.length === 0 && from < page.bytes))
        throw new DriftlogError('PROTOCOL_VIOLATION')
      digest = page.digest
      parts.push(page.part)
      if (from + page.part.length < page.bytes) continue
      const encoded = concatBytes(...parts)
      if (!equalBytes(standingDigest(encoded), digest))
        throw new DriftlogError('MALFORMED', 'what counts about pruning')
      this.#pruning = Pruning.of(this.options.local.membership, decodeStanding(encoded))
      this.#digest = digest
      this.options.keeper.keep({ key: STANDING, value: encoded })
      return
    }
  }

  /** PRUNE5. */
  async #judgeCopies(isAllThere: boolean): Promise<void> {
    const key = this.options.local.secrets?.signing.publicKey
    if (key === undefined || this.#pruning === undefined) return
    const theirs = this.#pruning.lastNumber(key)
    const isOther = theirs > (await this.#number())
    if (isOther && isAllThere) await this.options.keeper.save([numberRecord(theirs)])
    this.#isCopy = isOther && !isAllThere
  }

  /** Work that the server lacks, and that may not have seen what was pruned: it stays here. */
  #tellBelow(isWork: boolean): void {
    const isBelow = isWork && (this.#isCopy || this.#lacksBase)
    if (isBelow && this.error?.code !== 'BELOW_BASE') this.tell(new DriftlogError('BELOW_BASE'))
    else if (!isBelow && this.error?.code === 'BELOW_BASE') this.tell(undefined)
  }

  tell(error: DriftlogError | undefined): void {
    if (this.error === error) return
    this.error = error
    this.changes.next()
  }

  /** Whether something was pruned at the server that is not here. */
  get #lacksBase(): boolean {
    const established = this.#pruning?.established?.base.stated
    if (established === undefined || this.#isBase(established)) return false
    const { log, projector } = this.options.state
    return established.points.some(({ branch, seq, tag }) => {
      const known = log.tagAt(branch, seq)
      const isOther = known !== undefined && !equalBytes(known, tag)
      return isOther || (projector.projected.get(branch) ?? 0) < seq
    })
  }

  #isBase({ digest }: BaseOutline): boolean {
    return this.#base !== undefined && equalBytes(this.#base.digest, digest)
  }

  /** STORE10. Answers whether the log goes on from the base now. */
  async #plant(line: PruningLine, placed: VersionVector): Promise<boolean> {
    const { keeper, state } = this.options
    const { base } = this.#pruning!.established!
    const { keyring, members } = state.log
    if (keyring.isLocked) return false
    const chunks = await this.fetchChunks(base.stated, line)
    const bytes = unsealBase(base.stated, chunks, keyring)
    const floors = floorsOfBase(bytes, base.stated, keyring, members)
    const records = [...baseRecords(base.bytes, chunks, this.#base), ...noSnapshot]
    if (!(await keeper.plant(floors, records, placed))) return false
    this.#base = base.stated
    return true
  }

  /** CUT11. Answers whether the log goes on from the base now, with the work that the server lacks. */
  async #comeBack(line: PruningLine, placed: VersionVector): Promise<boolean> {
    const { keyring } = this.options.state.log
    if (keyring.isLocked) return false
    const { base } = this.#pruning!.established!
    const chunks = await this.fetchChunks(base.stated, line)
    const bytes = unsealBase(base.stated, chunks, keyring)
    const rest = await line.pull(new Map(base.stated.points.map(({ branch, seq }) => [branch, seq])))
    const given = { before: this.#base, statement: base.bytes, outline: base.stated, chunks, bytes, rest, placed }
    if (!(await comeBack({ ...this.options, ...given }))) return false
    this.#base = base.stated
    return true
  }

  /** All chunks of a base from the server; those that came are not asked for twice. */
  async fetchChunks({ digest, chunks }: BaseOutline, line = this.#line): Promise<readonly Uint8Array[]> {
    if (this.#fetched === undefined || !equalBytes(this.#fetched.digest, digest)) this.#fetched = { digest, chunks: [] }
    const fetched = this.#fetched
    while (fetched.chunks.length < chunks) {
      const answer = await line?.ask({ kind: 'fetch', digest, index: fetched.chunks.length })
      if (answer?.kind !== 'chunk' || answer.chunk === undefined) throw new DriftlogError('UNAVAILABLE', 'a base')
      fetched.chunks.push(answer.chunk)
    }
    this.#fetched = undefined
    return fetched.chunks
  }

  async storeChunks(digest: Uint8Array, chunks: readonly Uint8Array[]): Promise<void> {
    for (const [index, chunk] of chunks.entries()) await this.#ask({ kind: 'store', digest, index, chunk })
  }

  /** States something, and looks at what counts then. Rejects with PRUNING_REFUSED where somebody else was first, or it does not hold. */
  async state(stated: Stated): Promise<void> {
    const { local, keeper, space } = this.options
    const { secrets } = local
    if (secrets === undefined) throw new DriftlogError('KEY_MISSING')
    const number = (await this.#number()) + 1
    await keeper.save([numberRecord(number)])
    await this.#ask({ kind: 'state', statement: encodeStatement(space, number, stated, secrets.signing) })
    await this.look()
  }

  async look(): Promise<void> {
    const line = this.#line
    if (line !== undefined) await this.#look(line)
  }

  #ask(request: Parameters<PruningLine['ask']>[0]): ReturnType<PruningLine['ask']> {
    if (this.#line === undefined) throw new DriftlogError('UNAVAILABLE')
    return this.#line.ask(request)
  }

  async #number(): Promise<number> {
    const { store, space } = this.options
    const record = (await store.records(space, NUMBER)).find(({ key }) => key === NUMBER)
    return record === undefined ? 0 : new ByteReader(record.value).varint()
  }

  /** The local store goes on from a base now, while the log in memory goes on as it is. Throws MALFORMED where it is not that base. */
  async keepBase(statement: Uint8Array, outline: BaseOutline, chunks: readonly Uint8Array[]): Promise<void> {
    const { keyring, saved } = this.options.state.log
    const bytes = unsealBase(outline, chunks, keyring)
    if (!equalBytes(hash(bytes), outline.digest)) throw new DriftlogError('MALFORMED', 'not the base that was stated')
    const records = [...baseRecords(statement, chunks, this.#base), ...noSnapshot]
    // CUT8: what was stated since does not reach back.
    const isStale = decodeBase(bytes).shifts.length !== saved.shifts.length
    await this.options.keeper.prune(outline.points, records, isStale)
    this.#base = outline
  }
}

const numberRecord = (number: number): RecordChange => ({
  key: NUMBER,
  value: new ByteWriter(8).varint(number).finish(),
})
