/**
 * What counts about pruning in the spaces of a server (SPEC PRUNE): it takes in statements, says in which order, and prunes blind.
 *
 *     "pruning/standing"            = version, doors, what counts (`encodeStanding`)
 *     "pruning/version/<n>"         = there once version n is: of several servers that share a store one makes it
 *     "pruning/closed/<n>"          = there once door n is closed: an append that went through it is not stored any more (STORE9)
 *     "pruning/chunk/<digest>/<n>"  = of a base
 *     "pruning/pruned"              = the digest of the base that was pruned by
 *
 * Invariant: a door is closed, durably, before it is looked how far the order of arrival goes: what got in through it is at most there.
 */
import {
  type Admission,
  ByteReader,
  ByteWriter,
  decodePruningRequest,
  decodeStanding,
  DriftlogError,
  encodePruningAnswer,
  encodeStanding,
  Pruning,
  type PruningAnswer,
  type PruningRequest,
  type QuarantiningStore,
  type RecordChange,
  standingDigest,
  standingPage,
  toBase64Url,
  type WallClock,
} from '@driftlog/core'
import type { MemberLogs } from '../members/member-logs.ts'

const STANDING = 'pruning/standing'
const PRUNED = 'pruning/pruned'
const CHUNKS = 'pruning/chunk/'
const versionKey = (version: number): string => `pruning/version/${version}`
const doorKey = (door: number): string => `pruning/closed/${door}`
const chunkKey = (digest: Uint8Array, index: number): string =>
  `${CHUNKS}${toBase64Url(digest)}/${String(index).padStart(5, '0')}`

/** What another server put into a shared store is known here after so long. */
const REFRESH_MS = 1_000
/** Versions that are remembered: a server that is as far behind has looked again before it writes. */
const KEPT_VERSIONS = 100
const MAX_CHUNKS = 4_096
const REMEMBERED = 1_000

interface State {
  readonly pruning: Pruning
  readonly version: number
  readonly doors: number
  readonly encoded: Uint8Array
  readonly digest: Uint8Array
}

interface Known {
  state: State | undefined
  checkedMs: number
  tail: Promise<unknown>
  readonly listeners: Set<() => void>
}

/** What a session asks for. */
export interface KnownPruning {
  admits(installation: Uint8Array): Admission
  readonly door: string
  readonly digest: Uint8Array
}

export class Prunings {
  readonly #store: QuarantiningStore
  readonly #members: MemberLogs
  readonly #clock: WallClock
  readonly #spaces = new Map<string, Known>()

  constructor(store: QuarantiningStore, members: MemberLogs, clock: WallClock) {
    this.#store = store
    this.#members = members
    this.#clock = clock
  }

  /** Rejects as the store does. */
  async of(space: string): Promise<KnownPruning> {
    const known = this.#known(space)
    const isFresh = Math.abs(this.#clock.now() - known.checkedMs) < REFRESH_MS
    const { pruning, doors, digest } =
      isFresh && known.state !== undefined ? known.state : await this.#inTurn(known, () => this.#refresh(space, known))
    return { admits: (installation) => pruning.admits(installation), door: doorKey(doors + 1), digest }
  }

  /** The log of members grew: who was waited for may have left. */
  async membersGrew(space: string): Promise<void> {
    const known = this.#known(space)
    await this.#inTurn(known, () => this.#refresh(space, known))
  }

  /** `installation`: who asks. Rejects with MALFORMED, PRUNING_REFUSED and the like, and as the store does. */
  async call(space: string, installation: Uint8Array, body: Uint8Array): Promise<Uint8Array> {
    const request = decodePruningRequest(body)
    const known = this.#known(space)
    return encodePruningAnswer(await this.#inTurn(known, async () => this.#answer(space, known, installation, request)))
  }

  /** Calls `listener` after every change that this server makes or gets to know of. */
  watch(space: string, listener: () => void): () => void {
    const { listeners } = this.#known(space)
    listeners.add(listener)
    return () => listeners.delete(listener)
  }

  async #answer(
    space: string,
    known: Known,
    installation: Uint8Array,
    request: PruningRequest,
  ): Promise<PruningAnswer> {
    const state = await this.#refresh(space, known)
    switch (request.kind) {
      case 'standing':
        return standingPage(state.encoded, request.from)
      case 'state':
        await this.#state(space, known, state, request.statement)
        return { kind: 'done' }
      case 'store': {
        const { pruning } = state
        const isWanted =
          pruning.round?.ready !== undefined &&
          !pruning.isDone &&
          pruning.candidate === undefined &&
          pruning.hasCompleted(installation)
        if (!isWanted || request.index >= MAX_CHUNKS) throw refused('no base is to be made')
        const record = { key: chunkKey(request.digest, request.index), value: request.chunk }
        await this.#store.append(space, [], { records: [record] })
        return { kind: 'done' }
      }
      case 'fetch':
        return { kind: 'chunk', chunk: await this.#read(space, chunkKey(request.digest, request.index)) }
    }
  }

  async #state(space: string, known: Known, { pruning, version, doors }: State, bytes: Uint8Array): Promise<void> {
    const item = pruning.judge(bytes)
    if (item.stated.kind === 'base') {
      const { digest, chunks } = item.stated
      for (let index = 0; index < chunks; index++) {
        if ((await this.#read(space, chunkKey(digest, index))) === undefined) throw refused('a chunk is missing')
      }
    }
    // What it changes in memory counts once it is stored.
    known.state = undefined
    pruning.take(item)
    const isClosing = item.stated.kind === 'round'
    await this.#save(space, known, { pruning, version, doors }, isClosing)
    await this.#advance(space, known)
  }

  /** Goes on as far as it can: how far a round reaches, whether everybody is done, what is to be pruned. */
  async #advance(space: string, known: Known): Promise<State> {
    const state = known.state!
    const { pruning } = state
    const { round } = pruning
    if (round !== undefined && round.position === 0) {
      const { position } = await this.#store.end(space)
      if (position > 0) {
        known.state = undefined
        pruning.place(position)
        await this.#save(space, known, state, false)
        return this.#advance(space, known)
      }
    }
    const isReady =
      round !== undefined &&
      round.position > 0 &&
      round.ready === undefined &&
      pruning.awaited().length === 0 &&
      round.stated.counted.some((key) => pruning.hasCompleted(key))
    if (isReady) {
      await this.#save(space, known, state, true)
      const { position } = await this.#store.end(space)
      const closed = known.state!
      known.state = undefined
      pruning.place(round.position, position)
      await this.#save(space, known, closed, false)
    }
    await this.#prune(space, pruning)
    return known.state!
  }

  /** Blind: at points that two devices agree on. Again where it was interrupted. */
  async #prune(space: string, { established }: Pruning): Promise<void> {
    if (established === undefined) return
    const { digest, points } = established.base.stated
    const pruned = await this.#read(space, PRUNED)
    if (pruned !== undefined && toBase64Url(pruned) === toBase64Url(digest)) return
    const chunks = await this.#store.records(space, CHUNKS)
    const own = `${CHUNKS}${toBase64Url(digest)}/`
    const old = chunks.filter(({ key }) => !key.startsWith(own)).map(({ key }) => ({ key, value: undefined }))
    await this.#store.prune(space, points, { records: [...old, { key: PRUNED, value: digest }] })
  }

  async #save(
    space: string,
    known: Known,
    { pruning, version: before, doors: closed }: Pick<State, 'pruning' | 'version' | 'doors'>,
    isClosing: boolean,
  ): Promise<void> {
    const version = before + 1
    const doors = closed + (isClosing ? 1 : 0)
    const encoded = encodeStanding(pruning.standing)
    const value = new ByteWriter(encoded.length + 16).varint(version).varint(doors).raw(encoded).finish()
    const records: RecordChange[] = [
      { key: STANDING, value },
      { key: versionKey(version), value: new Uint8Array(0) },
      { key: versionKey(version - KEPT_VERSIONS), value: undefined },
      ...(isClosing ? [{ key: doorKey(doors), value: new Uint8Array(0) }] : []),
    ]
    try {
      await this.#store.append(space, [], { records, absent: [versionKey(version)] })
    } catch (error) {
      known.state = undefined
      if (!(error instanceof DriftlogError) || error.code !== 'RECORD_EXISTS') throw error
      throw new DriftlogError('UNAVAILABLE', 'another server was first')
    }
    known.state = { pruning, version, doors, encoded, digest: standingDigest(encoded) }
    for (const listener of known.listeners) listener()
  }

  /** In the turn of the space. */
  async #refresh(space: string, known: Known): Promise<State> {
    known.checkedMs = this.#clock.now()
    try {
      const membership = await this.#members.of(space)
      const record = await this.#read(space, STANDING)
      const reader = record && new ByteReader(record)
      const version = reader?.varint() ?? 0
      if (known.state?.version !== version || known.state.pruning.membership !== membership) {
        const isNew = known.state !== undefined
        const doors = reader?.varint() ?? 0
        const encoded = reader?.raw(reader.remaining).slice() ?? encodeStanding(new Pruning(membership).standing)
        const pruning = record === undefined ? new Pruning(membership) : Pruning.of(membership, decodeStanding(encoded))
        known.state = { pruning, version, doors, encoded, digest: standingDigest(encoded) }
        if (isNew) for (const listener of known.listeners) listener()
      }
      return await this.#advance(space, known)
    } catch (error) {
      known.checkedMs = Number.NEGATIVE_INFINITY
      known.state = undefined
      throw error
    }
  }

  async #read(space: string, key: string): Promise<Uint8Array | undefined> {
    return (await this.#store.records(space, key)).find((record) => record.key === key)?.value
  }

  #known(space: string): Known {
    const known = this.#spaces.get(space)
    if (known !== undefined) {
      this.#spaces.delete(space)
      this.#spaces.set(space, known)
      return known
    }
    const fresh: Known = {
      state: undefined,
      checkedMs: Number.NEGATIVE_INFINITY,
      tail: Promise.resolve(),
      listeners: new Set(),
    }
    this.#spaces.set(space, fresh)
    for (const [name, { listeners }] of this.#spaces) {
      if (this.#spaces.size <= REMEMBERED) break
      if (listeners.size === 0) this.#spaces.delete(name)
    }
    return fresh
  }

  #inTurn<T>(known: Known, work: () => Promise<T>): Promise<T> {
    const done = known.tail.then(work)
    known.tail = done.catch(() => undefined)
    return done
  }
}

const refused = (why: string): DriftlogError => new DriftlogError('PRUNING_REFUSED', why, { why })
