/**
 * The logs of members of the spaces of a server: which entry comes next is decided here, and nothing else (SPEC MEM). Every entry is
 * a record of the store; several servers that share one put in each position once.
 *
 *     "members" = how many there are      "member/0000000001", … = the entries
 */
import {
  type BatchStore,
  ByteReader,
  ByteWriter,
  DriftlogError,
  type Entry,
  Membership,
  type RecordChange,
  type WallClock,
} from '@driftlog/core'

const COUNT = 'members'
const entryKey = (position: number): string => `member/${String(position).padStart(10, '0')}`

/** What another server put into a shared store is known here after so long. */
const REFRESH_MS = 1_000
/** Spaces that are remembered while nobody is connected. */
const REMEMBERED = 1_000

type MemberStore = Pick<BatchStore, 'append' | 'records' | 'end'>

/** What who proposes an entry was given. */
export interface Proposer {
  readonly isMember: boolean
  /** Whether it may begin the log of a space that has none; `empty`: where nothing at all is in the space. */
  readonly mayFound: 'no' | 'empty' | 'anyway'
}

interface Known {
  readonly membership: Membership
  checkedMs: number
  /** The last look at the store. */
  checked: Promise<Membership>
  /** What is under way for this space: one after the other. */
  tail: Promise<unknown>
  readonly listeners: Set<() => void>
}

export class MemberLogs {
  readonly #store: MemberStore
  readonly #clock: WallClock
  readonly #spaces = new Map<string, Known>()

  constructor(store: MemberStore, clock: WallClock) {
    this.#store = store
    this.#clock = clock
  }

  /** The log of a space; empty where it has none. Rejects as the store does. */
  of(space: string): Promise<Membership> {
    const known = this.#known(space)
    const nowMs = this.#clock.now()
    // Where that look fails, it fails for everybody who waits for it: a log that was not read yet would seem to be empty.
    if (Math.abs(nowMs - known.checkedMs) < REFRESH_MS) return known.checked
    known.checkedMs = nowMs
    known.checked = this.#inTurn(known, async () => {
      try {
        await this.#refresh(known)
      } catch (error) {
        known.checkedMs = Number.NEGATIVE_INFINITY
        throw error
      }
      return known.membership
    })
    return known.checked
  }

  /**
   * Puts an entry at the end. Answers its position once it is durable. Rejects with MALFORMED, TOO_LARGE, FORMAT_UNKNOWN,
   * SIGNATURE_INVALID, MEMBERS_REFUSED, FORBIDDEN where the space is not for this one to found, INVITATION_INVALID where an invitation
   * has expired, and as the store does.
   */
  propose(space: string, bytes: Uint8Array, by: Proposer): Promise<number> {
    const known = this.#known(space)
    return this.#inTurn(known, async () => {
      await this.#refresh(known)
      const { membership } = known
      const entry = membership.judge(bytes)
      if (entry.position === 1) await this.#expectFounder(space, by)
      if (!by.isMember) this.#expectInTime(membership, entry)
      const { position } = entry
      try {
        const records = [{ key: entryKey(position), value: bytes }, countRecord(position)]
        await this.#store.append(space, [], { records, absent: [entryKey(position)] })
      } catch (error) {
        if (!(error instanceof DriftlogError) || error.code !== 'RECORD_EXISTS') throw error
        await this.#refresh(known)
        throw new DriftlogError('MEMBERS_REFUSED', 'another entry came first', { why: 'another entry came first' })
      }
      membership.append(bytes, true)
      for (const listener of known.listeners) listener()
      return position
    })
  }

  /** Calls `listener` after every entry that this server puts in or gets to know of. */
  watch(space: string, listener: () => void): () => void {
    const { listeners } = this.#known(space)
    listeners.add(listener)
    return () => listeners.delete(listener)
  }

  /** MEM8: who shuts everybody else out of a space that has begun without members must have been given it. */
  async #expectFounder(space: string, { mayFound }: Proposer): Promise<void> {
    if (mayFound === 'anyway') return
    if (mayFound === 'no') throw new DriftlogError('FORBIDDEN', 'the space is not for this one to found')
    if ((await this.#store.end(space)).position === 0) return
    throw new DriftlogError('MEMBERS_REFUSED', 'the space was begun without members', { why: 'begun without members' })
  }

  /**
   * MEM7: time is judged where entries are put into order, by who is not a member: a member hands on to a server that was set back what
   * was in order once.
   */
  #expectInTime(membership: Membership, { deed }: Entry): void {
    if (deed.kind !== 'join') return
    const invitation = membership.invitation(deed.invitation)
    if (invitation !== undefined && this.#clock.now() < invitation.expiresMs) return
    throw new DriftlogError('INVITATION_INVALID', 'it has expired')
  }

  async #refresh({ membership, listeners }: Known): Promise<void> {
    const { space } = membership
    const count = await this.#read(space, COUNT)
    const length = count === undefined ? 0 : new ByteReader(count).varint()
    if (length <= membership.length) return
    // All at once where it is new here.
    const records = membership.length === 0 ? await this.#store.records(space, 'member/') : []
    const read = new Map(records.map(({ key, value }) => [key, value]))
    for (let position = membership.length + 1; position <= length; position++) {
      const key = entryKey(position)
      const entry = read.get(key) ?? (await this.#read(space, key))
      // They were checked before they were stored, and each is bound by the next one's hash: the signature of the last is enough.
      take(membership, entry, position < length)
    }
    for (const listener of listeners) listener()
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
    const membership = new Membership(space)
    const fresh: Known = {
      membership,
      checked: Promise.resolve(membership),
      checkedMs: Number.NEGATIVE_INFINITY,
      tail: Promise.resolve(),
      listeners: new Set(),
    }
    this.#spaces.set(space, fresh)
    if (this.#spaces.size > REMEMBERED) this.#forgetOne()
    return fresh
  }

  #forgetOne(): void {
    for (const [space, { listeners }] of this.#spaces) {
      if (listeners.size > 0) continue
      this.#spaces.delete(space)
      return
    }
  }

  #inTurn<T>(known: Known, work: () => Promise<T>): Promise<T> {
    const done = known.tail.then(work)
    known.tail = done.catch(() => undefined)
    return done
  }
}

/** Not as a refusal: that would be about who proposed something. */
const take = (membership: Membership, entry: Uint8Array | undefined, isChecked: boolean): void => {
  const damaged = (cause?: unknown): DriftlogError => {
    const details = { space: membership.space, position: membership.length + 1 }
    return new DriftlogError('STORAGE_DAMAGED', 'the log of members', details, { cause })
  }
  if (entry === undefined) throw damaged()
  try {
    membership.append(entry, isChecked)
  } catch (error) {
    throw error instanceof DriftlogError ? damaged(error) : error
  }
}

const countRecord = (count: number): RecordChange => ({
  key: COUNT,
  value: new ByteWriter(8).varint(count).finish(),
})
