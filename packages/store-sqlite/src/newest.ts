/**
 * The newest batches of the spaces that somebody watches, in memory: whoever follows a space reads each of them just after it
 * was committed, and as often as there are followers.
 *
 * Invariants:
 * - what is kept of a space has consecutive positions, so that nothing can be between, and came by this connection alone;
 *   a commit of another one, a split or a replacement ends it, since names, bytes or the end may be others then;
 * - nothing depends on it: what is not here is read from the file.
 */
import {
  type AppendOutcome,
  type Batch,
  type BatchPage,
  type Cursor,
  cursorOf,
  decodeBatch,
  equalBytes,
  PageFiller,
  type PageLimit,
  type StoredBatch,
} from '@driftlog/core'

/** Of a space. Whoever is further behind reads the file. */
const KEPT_BATCHES = 256
const KEPT_BYTES = 262_144
/** Of all spaces together; beyond it all is let go. */
const KEPT_BYTES_IN_ALL = 32_000_000

interface Kept {
  /** In order of arrival, never none. */
  readonly batches: StoredBatch[]
  bytes: number
}

export class Newest {
  readonly #spaces = new Map<string, Kept>()
  #bytes = 0
  #foreignCommits: number | undefined

  /** A commit took these in. `foreignCommits`: as it was within. */
  committed(
    space: string,
    batches: readonly Batch[],
    outcomes: readonly AppendOutcome[],
    foreignCommits: number,
  ): void {
    this.#heed(foreignCommits)
    for (const [index, outcome] of outcomes.entries()) {
      if (outcome.kind === 'replaced' || (outcome.kind === 'appended' && outcome.isSplit)) this.forget(space)
      if (outcome.kind === 'appended') this.#keep(space, outcome, batches[index])
    }
  }

  #keep(space: string, { position, branch }: AppendOutcome & { kind: 'appended' }, { bytes }: Batch): void {
    const last = this.#spaces.get(space)?.batches.at(-1)
    if (last !== undefined && last.position + 1 !== position) this.forget(space)
    const kept = this.#spaces.get(space) ?? { batches: [], bytes: 0 }
    this.#spaces.set(space, kept)
    // The bytes are the caller's again from now on.
    kept.batches.push({ batch: decodeBatch(bytes.slice()), position, branch })
    this.#count(kept, bytes.length)
    while (kept.batches.length > 1 && (kept.batches.length > KEPT_BATCHES || kept.bytes > KEPT_BYTES)) {
      this.#count(kept, -kept.batches.shift()!.batch.bytes.length)
    }
    if (this.#bytes > KEPT_BYTES_IN_ALL) this.#forgetAll()
  }

  /** What follows a cursor whose batch is among what is kept; undefined where the file has to be asked. */
  readAfter(space: string, cursor: Cursor, limit: PageLimit, foreignCommits: number): BatchPage | undefined {
    this.#heed(foreignCommits)
    const batches = this.#spaces.get(space)?.batches
    if (batches === undefined) return undefined
    const at = cursor.position - batches[0].position
    const known = batches.at(at)
    if (at < 0 || known === undefined || !equalBytes(known.batch.header.tagAfter, cursor.tag)) return undefined
    const page = new PageFiller(limit)
    for (let next = at + 1; next < batches.length; next++) {
      const stored = batches[next]
      if (!page.offer(stored.batch.bytes.length, () => stored)) break
    }
    return page.page(() => cursorOf(known))
  }

  /** Nobody follows it any more, or what is kept is not what is in the file. */
  forget(space: string): void {
    const kept = this.#spaces.get(space)
    if (kept === undefined) return
    this.#spaces.delete(space)
    this.#bytes -= kept.bytes
  }

  #heed(foreignCommits: number): void {
    if (this.#foreignCommits !== foreignCommits) this.#forgetAll()
    this.#foreignCommits = foreignCommits
  }

  #forgetAll(): void {
    this.#spaces.clear()
    this.#bytes = 0
  }

  #count(kept: Kept, bytes: number): void {
    kept.bytes += bytes
    this.#bytes += bytes
  }
}
