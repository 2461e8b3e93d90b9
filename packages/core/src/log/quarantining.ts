/**
 * A store in which bit rot heals: damaged batches are hidden with all that goes on from them, so that the vector says what
 * can be read, and sync by itself brings the rest again: a device pulls it, a server is pushed it.
 *
 *     read ─▶ store ─ STORAGE_DAMAGED ─▶ read the space through once, past all damage ─▶ quarantine ─▶ read again, less it
 *     append ─▶ in quarantine, same ends? ─▶ put in its place, in the one transaction ─▶ what went on from it is there again
 *     watch ─▶ can what is in quarantine be read? ─▶ another process has healed it ─▶ as above
 *
 * Invariants:
 * - LOG5 pages, tips, vector and points never tell of what is hidden; nothing that is hidden is lost;
 * - what is pruned is neither damaged nor hidden any more, whoever pruned it (STORE7);
 * - what goes on from something hidden is a gap, so that nobody counts what comes before it as held here;
 * - while nothing is damaged every call goes straight through, in the order in which it was made.
 */
import type { DeviceId } from '../clock/dot.ts'
import type { VersionVector } from '../clock/version-vector.ts'
import { toBase64Url } from '../codec/bytes.ts'
import { DriftlogError } from '../errors.ts'
import type { Batch, BatchHeader } from './batch.ts'
import {
  type AppendOptions,
  type AppendOutcome,
  type BatchPage,
  type BatchStore,
  type Cursor,
  type Floor,
  type NamedRun,
  type PageLimit,
  type PlantedFloor,
  type Point,
  type PruneOutcome,
  type PrunePoint,
  type RecordChange,
  startCursor,
  type StoredBatch,
  type Tip,
} from './batch-store.ts'
import { type Arrival, arrivalOf, placeOfDamage, Quarantine } from './quarantine.ts'
import type { StoredPlace } from './stored-batch.ts'

const SCAN_PAGE: PageLimit = { batches: 500, bytes: 8_000_000 }

export interface DamageChange {
  readonly kind: 'found' | 'healed'
  readonly place: StoredPlace
}

export interface HealingAppendOptions extends AppendOptions {
  /**
   * Takes in what goes on from something hidden too, where it is hidden with it: for own work that was written before the
   * damage was found. Otherwise that is a gap.
   */
  readonly behindDamage?: boolean
}

export interface QuarantiningStore extends BatchStore {
  append(space: string, batches: readonly Batch[], options?: HealingAppendOptions): Promise<readonly AppendOutcome[]>
  /** The batches that are in quarantine now, of one space or of all, as far as damage was met. */
  damaged(space?: string): StoredPlace[]
  /** Whether anything of a device is hidden. */
  hides(space: string, device: DeviceId): Promise<boolean>
  /** Calls `listener` for each batch that goes into quarantine or comes out of it. The returned function ends it. */
  onDamage(listener: (change: DamageChange) => void): () => void
}

export const quarantining = (store: BatchStore): QuarantiningStore => new Quarantining(store)

interface SpaceState {
  readonly quarantine: Quarantine
  /** Everything up to it is known to the quarantine. */
  read: Cursor
  /** What was pruned when it was read through, told apart. */
  readonly pruned: string
}

class Quarantining implements QuarantiningStore {
  readonly #store: BatchStore
  /** Only spaces in which something is damaged. */
  readonly #spaces = new Map<string, SpaceState>()
  /** The end of the chain of readings of a space: one at a time. */
  readonly #turns = new Map<string, Promise<unknown>>()
  readonly #listeners = new Set<(change: DamageChange) => void>()

  constructor(store: BatchStore) {
    this.#store = store
  }

  damaged(space?: string): StoredPlace[] {
    const states = space === undefined ? [...this.#spaces.values()] : [this.#spaces.get(space)]
    return states.flatMap((state) => state?.quarantine.damaged ?? [])
  }

  async hides(space: string, device: DeviceId): Promise<boolean> {
    const state = await this.#caughtUp(space)
    // By the store, which knows of whom a batch is that cannot be read.
    return state !== undefined && (await this.#store.common(space, device, state.quarantine.points)) > 0
  }

  onDamage(listener: (change: DamageChange) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  async append(
    space: string,
    batches: readonly Batch[],
    { behindDamage = false, ...options }: HealingAppendOptions = {},
  ): Promise<readonly AppendOutcome[]> {
    const state = this.#spaces.has(space) ? await this.#caughtUp(space) : undefined
    if (state === undefined) return this.#store.append(space, batches, options)
    const { quarantine } = state
    /** Those that are in quarantine, and where. */
    const positions = new Map<Batch, number>()
    const healing = new Map<number, BatchHeader>()
    for (const batch of batches) {
      const position = quarantine.damageOf(batch)?.position
      if (position === undefined) continue
      positions.set(batch, position)
      healing.set(position, batch.header)
    }
    const isHidden = quarantine.hidesAfter(healing)
    const gaps = new Set(batches.filter((batch) => !behindDamage && isHidden(batch)))
    // ENV4, by what is not hidden: where something else reaches so far, it is asked where the two part.
    const gapOf = ({ header: { device, fromSeq, tagBefore } }: Batch): AppendOutcome => {
      const have = quarantine.have(device)
      const base = fromSeq - 1
      const isFork = base > 0 && have >= base && quarantine.hides({ seq: base, tag: tagBefore })
      return { kind: isFork ? 'fork' : 'gap', have }
    }
    if (options.allOrNothing === true && gaps.size > 0) {
      // Nothing is stored either way, but a record that is there is told first.
      if (options.absent !== undefined) await this.#store.append(space, [], { absent: options.absent })
      return batches.map((batch) => (gaps.has(batch) ? gapOf(batch) : { kind: 'undone' }))
    }
    const passing = batches.filter((batch) => positions.has(batch) || !gaps.has(batch))
    const passed =
      positions.size === 0
        ? await this.#store.append(space, passing, options)
        : await this.#turn(space, () => this.#appendHealing(space, passing, options, positions))
    const now = (await this.#caughtUp(space))?.quarantine
    const named = (branch: DeviceId): DeviceId => now?.named(branch) ?? branch
    let next = 0
    return batches.map((batch): AppendOutcome => {
      const position = positions.get(batch)
      if (position === undefined) return gaps.has(batch) ? gapOf(batch) : renamed(passed[next++], named)
      const outcome = passed[next++]
      if (outcome.kind === 'undone' || outcome.kind === 'below') return outcome
      if (outcome.kind !== 'replaced' || gaps.has(batch)) return gapOf(batch)
      return { kind: 'appended', position, branch: named(outcome.branch), isSplit: false }
    })
  }

  async replace(space: string, batch: Batch): Promise<boolean> {
    const [{ kind }] = await this.append(space, [batch], { replacing: new Set([batch]), behindDamage: true })
    // As whatever was in quarantine is said to be.
    return kind === 'replaced' || kind === 'appended'
  }

  async prune(
    space: string,
    points: readonly PrunePoint[],
    options?: { readonly records?: readonly RecordChange[] },
  ): Promise<readonly PruneOutcome[]> {
    const outcomes = await this.#store.prune(space, points, options)
    await this.#caughtUp(space)
    return outcomes
  }

  async plant(
    space: string,
    floors: readonly PlantedFloor[],
    options?: { readonly records?: readonly RecordChange[] },
  ): Promise<void> {
    await this.#store.plant(space, floors, options)
    await this.#caughtUp(space)
  }

  /** A branch that was pruned keeps the store's name. */
  floors(space: string): Promise<ReadonlyMap<DeviceId, Floor>> {
    return this.#store.floors(space)
  }

  async readAbove(space: string, vector: VersionVector, limit: PageLimit): Promise<BatchPage> {
    return this.#read(space, async (quarantine) => {
      if (quarantine === undefined) return this.#store.readAbove(space, vector, limit)
      const above = quarantine.stored(vector)
      quarantine.cover(above)
      for (;;) {
        const page = await this.#past(
          quarantine,
          () => this.#store.readAbove(space, above, limit),
          // What follows it in its branch is hidden too.
          ({ branch }) => above.set(branch, Number.MAX_SAFE_INTEGER),
        )
        if (page === undefined) continue
        const batches = visible(page, quarantine)
        if (batches.length > 0 || !page.more) return { ...page, batches }
        for (const { branch, batch } of page.batches) above.set(branch, batch.header.toSeq)
      }
    })
  }

  async readAfter(space: string, cursor: Cursor, limit: PageLimit): Promise<BatchPage> {
    return this.#read(space, async (quarantine) => {
      if (quarantine === undefined) return this.#store.readAfter(space, cursor, limit)
      for (let at = cursor; ; ) {
        const page = await this.#past(
          quarantine,
          () => this.#store.readAfter(space, at, limit),
          (place) => {
            at = cursorOf(place)
          },
        )
        if (page === undefined) continue
        const batches = visible(page, quarantine)
        if (batches.length > 0 || !page.more) return { ...page, batches }
        at = page.cursor
      }
    })
  }

  async vector(space: string): Promise<VersionVector> {
    if (!this.#spaces.has(space)) return this.#store.vector(space)
    return new Map([...(await this.tips(space))].map(([branch, { seq }]) => [branch, seq]))
  }

  async tips(space: string): Promise<ReadonlyMap<DeviceId, Tip>> {
    return this.#read(space, async (quarantine) => {
      const tips = await this.#store.tips(space)
      return quarantine?.lower(tips) ?? tips
    })
  }

  async common(space: string, device: DeviceId, points: readonly Point[]): Promise<number> {
    return this.#read(space, async (quarantine) =>
      this.#store.common(space, device, quarantine ? points.filter((point) => !quarantine.hides(point)) : points),
    )
  }

  async onPath(space: string, device: DeviceId, point: Point, runs: readonly NamedRun[]): Promise<readonly boolean[]> {
    return this.#read(space, async (quarantine) =>
      quarantine?.hides(point) ? runs.map(() => false) : this.#store.onPath(space, device, point, runs),
    )
  }

  certificate(space: string, device: DeviceId): Promise<Uint8Array | undefined> {
    return this.#store.certificate(space, device)
  }

  end(space: string): Promise<Cursor> {
    return this.#store.end(space)
  }

  records(space: string, prefix: string): Promise<readonly { key: string; value: Uint8Array }[]> {
    return this.#store.records(space, prefix)
  }

  watch(space: string, listener: () => void): () => void {
    let isWatching = true
    const stop = this.#store.watch(space, () => {
      // While a reading is under way, damage may be known in a moment that is healed already.
      if (!this.#spaces.has(space) && !this.#turns.has(space)) {
        listener()
        return
      }
      const looked = this.#lookAgain(space)
      // What cannot be read now, whoever listens cannot read either, and is told why.
      void looked.catch(() => undefined).then(() => isWatching && listener())
    })
    return () => {
      isWatching = false
      stop()
    }
  }

  claimSlot(space: string): Promise<{ readonly slot: number; readonly release: () => Promise<void> }> {
    return this.#store.claimSlot(space)
  }

  close(): Promise<void> {
    return this.#store.close()
  }

  /** A reading that says nothing of what is hidden, by the names that branches have all the while. */
  async #read<Found>(space: string, read: (quarantine: Quarantine | undefined) => Promise<Found>): Promise<Found> {
    for (;;) {
      const state = this.#spaces.has(space) ? await this.#caughtUp(space) : undefined
      try {
        const found = await read(state?.quarantine)
        if ((await this.#caughtUp(space)) === state) return found
      } catch (error) {
        const place = placeOfDamage(error)
        if (place === undefined) throw error
        const scanned = await this.#turn(space, () => this.#scan(space))
        // Read through it was not met: then it is nothing that can be gone past.
        if (scanned?.quarantine.damageAt(place.position) === undefined) throw error
      }
    }
  }

  /** One page, or undefined where it would begin with a damaged batch that is known: `pass` goes past it. */
  async #past(
    quarantine: Quarantine,
    read: () => Promise<BatchPage>,
    pass: (place: StoredPlace) => void,
  ): Promise<BatchPage | undefined> {
    try {
      return await read()
    } catch (error) {
      const place = placeOfDamage(error)
      if (place === undefined || quarantine.damageAt(place.position) === undefined) throw error
      pass(place)
      return undefined
    }
  }

  /** In the turn of the space. `positions`: of what is in quarantine. */
  async #appendHealing(
    space: string,
    batches: readonly Batch[],
    options: AppendOptions,
    positions: ReadonlyMap<Batch, number>,
  ): Promise<readonly AppendOutcome[]> {
    const replacing = new Set([...positions.keys(), ...(options.replacing ?? [])])
    const outcomes = await this.#store.append(space, batches, { ...options, replacing })
    const headers = new Map<number, BatchHeader>()
    batches.forEach((batch, index) => {
      const position = positions.get(batch)
      if (position !== undefined && outcomes[index].kind === 'replaced') headers.set(position, batch.header)
    })
    this.#healed(space, headers)
    return outcomes
  }

  /** Whether what is in quarantine can be read by now: another process may have healed it. */
  async #lookAgain(space: string): Promise<void> {
    await this.#caughtUp(space)
    await this.#turn(space, async () => {
      const vector = await this.#store.vector(space)
      const headers = new Map<number, BatchHeader>()
      for (const place of this.damaged(space)) {
        const header = await headerAt(this.#store, vector, place)
        if (header !== undefined) headers.set(place.position, header)
      }
      this.#healed(space, headers)
    })
  }

  /** In the turn of the space: batches at these positions can be read again. */
  #healed(space: string, headers: ReadonlyMap<number, BatchHeader>): void {
    const state = this.#spaces.get(space)
    if (state === undefined || headers.size === 0) return
    const places = state.quarantine.damaged.filter(({ position }) => headers.has(position))
    state.quarantine.heal(headers)
    if (state.quarantine.damaged.length === 0) this.#spaces.delete(space)
    // Branches may have other names now: a reading that is under way begins anew.
    else this.#spaces.set(space, { ...state })
    for (const place of places) this.#tell({ kind: 'healed', place })
  }

  /** The quarantine of a space, which knows all that has arrived; undefined where nothing is damaged. */
  async #caughtUp(space: string): Promise<SpaceState | undefined> {
    if (!this.#spaces.has(space)) return undefined
    return this.#turn(space, async () => {
      const state = this.#spaces.get(space)
      if (state === undefined) return undefined
      if (prunedAs(await this.#store.floors(space)) !== state.pruned) return this.#scan(space)
      try {
        for await (const { arrivals, read } of arrivalsAfter(this.#store, space, state.read)) {
          for (const arrival of arrivals) {
            if (state.quarantine.isRenaming(arrival)) return await this.#scan(space)
            state.quarantine.take(arrival)
            if (arrival.header === undefined) this.#tell({ kind: 'found', place: arrival.place })
          }
          state.read = read
        }
      } catch (error) {
        if (!isPrunedAway(error)) throw error
        return this.#scan(space)
      }
      return state
    })
  }

  /** Reads a space through; anew where it was pruned meanwhile. */
  async #scan(space: string): Promise<SpaceState | undefined> {
    for (;;) {
      try {
        return await this.#scanOnce(space)
      } catch (error) {
        if (!isPrunedAway(error)) throw error
      }
    }
  }

  async #scanOnce(space: string): Promise<SpaceState | undefined> {
    const before = this.damaged(space)
    const floors = await this.#store.floors(space)
    const state: SpaceState = { quarantine: new Quarantine(floors), read: startCursor, pruned: prunedAs(floors) }
    for await (const { arrivals, read } of arrivalsAfter(this.#store, space, startCursor)) {
      for (const arrival of arrivals) state.quarantine.take(arrival)
      state.read = read
    }
    const { damaged } = state.quarantine
    if (damaged.length === 0) this.#spaces.delete(space)
    else this.#spaces.set(space, state)
    for (const place of without(damaged, before)) this.#tell({ kind: 'found', place })
    for (const place of without(before, damaged)) this.#tell({ kind: 'healed', place })
    return this.#spaces.get(space)
  }

  #tell(change: DamageChange): void {
    for (const listener of this.#listeners) listener(change)
  }

  #turn<Result>(space: string, work: () => Promise<Result>): Promise<Result> {
    const done = (this.#turns.get(space) ?? Promise.resolve()).then(work)
    const settled = done.then(
      () => undefined,
      () => undefined,
    )
    this.#turns.set(space, settled)
    void settled.then(() => this.#turns.get(space) === settled && this.#turns.delete(space))
    return done
  }
}

const visible = ({ batches }: BatchPage, quarantine: Quarantine): StoredBatch[] =>
  batches
    .filter(({ batch }) => quarantine.isVisible(batch))
    .map((stored) => ({ ...stored, branch: quarantine.named(stored.branch) }))

const renamed = (outcome: AppendOutcome, named: (branch: DeviceId) => DeviceId): AppendOutcome =>
  outcome.kind === 'appended' || outcome.kind === 'duplicate' ? { ...outcome, branch: named(outcome.branch) } : outcome

const cursorOf = ({ position, tagAfter }: StoredPlace): Cursor => ({ position, tag: tagAfter })

/** Of the batch that is damaged there, if it is so no more. `vector`: what the store has, by branch. */
const headerAt = async (
  store: BatchStore,
  vector: VersionVector,
  { space, branch, fromSeq, position }: StoredPlace,
): Promise<BatchHeader | undefined> => {
  const above = new Map<DeviceId, number>()
  for (const other of vector.keys()) above.set(other, other === branch ? fromSeq - 1 : Number.MAX_SAFE_INTEGER)
  try {
    const { batches } = await store.readAbove(space, above, { batches: 1, bytes: 0 })
    return batches.find((stored) => stored.position === position)?.batch.header
  } catch (error) {
    if (placeOfDamage(error) === undefined) throw error
    return undefined
  }
}

/** Whether the batch at a place from which we go on is there no more. */
const isPrunedAway = (error: unknown): boolean => error instanceof DriftlogError && error.code === 'BASE_MISMATCH'

const prunedAs = (floors: ReadonlyMap<DeviceId, Floor>): string =>
  Array.from(floors, ([branch, { seq, tag }]) => `${branch} ${seq} ${toBase64Url(tag)}`)
    .sort()
    .join()

const without = (places: readonly StoredPlace[], others: readonly StoredPlace[]): StoredPlace[] =>
  places.filter(({ position }) => !others.some((other) => other.position === position))

/** All that arrived after a place, page by page, and past what is damaged. */
const arrivalsAfter = async function* (
  store: BatchStore,
  space: string,
  from: Cursor,
): AsyncGenerator<{ readonly arrivals: readonly Arrival[]; readonly read: Cursor }> {
  for (let read = from, more = true; more; ) {
    let arrivals: readonly Arrival[]
    try {
      const page = await store.readAfter(space, read, SCAN_PAGE)
      arrivals = page.batches.map(arrivalOf)
      read = page.cursor
      more = page.more
    } catch (error) {
      const place = placeOfDamage(error)
      if (place === undefined) throw error
      arrivals = [{ place, header: undefined }]
      read = cursorOf(place)
    }
    yield { arrivals, read }
  }
}
