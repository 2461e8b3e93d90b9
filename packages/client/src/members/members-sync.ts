/**
 * Keeps the log of members the same here and at the server, on the connection that ops are synced over, and before they are.
 *
 *     welcome { members } ─▶ compare ─┬─ the server has more ─▶ ask, check, store ─┐
 *                                     ├─ it has less ─────────▶ propose what it lacks ┼─▶ the session goes on
 *                                     └─ the same ─────────────────────────────────┘
 *
 * Invariants:
 * - the session hears of a welcome only once both sides have the same log of members (MEM9): so what ops name of it is there;
 * - entries are durable here before, or together with, whatever depends on them;
 * - what was asked for here (`change`) settles only by what is in the log: a lost answer neither loses nor doubles it.
 */
import {
  type Deed,
  DriftlogError,
  encodeEntry,
  equalBytes,
  type Membership,
  type MembersHead,
  type Role,
  type ServerMessage,
  START_HASH,
  type Timers,
  type WallClock,
} from '@driftlog/core'
import { Subject } from 'rxjs'
import type { Keeper } from '../storage/keeper.ts'
import type { Connection, Failure, Transport } from '../transport/transport.ts'
import type { LocalMembers } from './local-members.ts'
import { type MemberTalk, talk } from './member-talk.ts'

/** Apart from those of the session, which count up from 1. */
const FIRST_ID = 2 ** 30
/** Others may change the members at the same time; each time one of us gets through. */
const MAX_TRIES = 50

export interface MembersSyncOptions {
  readonly local: LocalMembers
  readonly keeper: Keeper
  readonly transport: Transport
  readonly space: string
  readonly clock: WallClock
  readonly timers: Timers
}

/** One connection, as the engine has it. */
export interface MembersLine {
  readonly connection: () => Connection | undefined
  /** The session may hear this now. */
  release(message: ServerMessage): void
  /** What the session was told when it was greeted is not so any more. */
  greetAnew(): void
  /** The connection is of no use any more. */
  lost(failure?: Failure): void
}

interface Change {
  readonly make: (membership: Membership) => Deed
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
  /** All that was sent for it: one whose answer was lost may get in after the next was made. */
  readonly sent: Sent[]
  isSent: boolean
  tries: number
}

interface Sent {
  readonly bytes: Uint8Array
  readonly position: number
}

export class MembersSync {
  readonly #options: MembersSyncOptions
  #line: MembersLine | undefined
  #welcome: (ServerMessage & { type: 'welcome' }) | undefined
  /** What the server has, as far as it is known. */
  #theirs: MembersHead | undefined
  #isSame = false
  #nextId = FIRST_ID
  /** How long the log of members was at the server when it greeted. */
  #greetedAt = 0
  #isGreetedAnew = false
  #asked: number | undefined
  #relayed: number | undefined
  /** That came since something was asked. */
  #pongs = 0
  #proposed: number | undefined
  #hasEnrolled = false
  readonly #changes: Change[] = []
  /** By how much the server's clock is ahead of this one. */
  #offsetMs = 0
  #hasSetClock = false
  /** Both sides have the same log of members. */
  readonly leveled = new Subject<void>()

  constructor(options: MembersSyncOptions) {
    this.#options = options
  }

  get pass(): Uint8Array | undefined {
    return this.#options.local.pass(this.now())
  }

  /** By the server's clock, as far as it is known: ms since the Unix epoch. */
  now(): number {
    return Math.max(0, Math.floor(this.#options.clock.now() + this.#offsetMs))
  }

  connected(line: MembersLine): void {
    this.disconnected()
    this.#line = line
  }

  disconnected(): void {
    this.#line = undefined
    this.#welcome = undefined
    this.#theirs = undefined
    this.#isSame = false
    this.#asked = this.#relayed = this.#proposed = undefined
  }

  /** The engine stops: what was not settled never is by this replica. */
  stop(): void {
    this.disconnected()
    this.leveled.complete()
    for (const { reject } of this.#changes.splice(0)) reject(new DriftlogError('CLOSED'))
  }

  /**
   * Changes the members: resolves once the entry is in the log, here and at the server. `make` is asked once more where another
   * entry comes first. Rejects with UNAVAILABLE where there is no connection, and as the server refuses.
   */
  change(make: (membership: Membership) => Deed): Promise<void> {
    // While both sides are brought to the same length it waits for that.
    if (this.#theirs === undefined)
      return Promise.reject(new DriftlogError('UNAVAILABLE', 'members are changed at the server'))
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#changes.push({ make, resolve, reject, sent: [], isSent: false, tries: 0 })
    this.#next()
    return promise
  }

  /** Whether the message was for this; otherwise it is the session's. */
  hear(message: ServerMessage): boolean {
    switch (message.type) {
      case 'welcome':
        this.#welcome = message
        this.#offsetMs = message.serverTimeMs - this.#options.clock.now()
        this.#hasSetClock = false
        this.#theirs = message.members ?? { length: 0, head: START_HASH }
        this.#isSame = false
        this.#greetedAt = this.#theirs.length
        this.#level()
        return true
      case 'entries': {
        const isAnswer = message.id !== undefined && message.id === this.#asked
        if (isAnswer) this.#asked = undefined
        void this.#take(message.after, message.entries, isAnswer)
        return true
      }
      case 'proposed':
        this.#wasProposed(message)
        return true
      case 'pong':
        this.#hearPong(message.members)
        return false
      case 'refused':
        if (message.id === undefined) return this.closed(message)
        return this.#wasRefused(message.id, message)
      default:
        return false
    }
  }

  /** The connection ended. Whether this deals with it. */
  closed(failure: Failure | undefined): boolean {
    const serverTimeMs = failure?.code === 'UNAUTHORIZED' ? failure.details?.serverTimeMs : undefined
    if (typeof serverTimeMs === 'number') {
      this.#offsetMs = serverTimeMs - this.#options.clock.now()
      // At once with a pass that is in time, and no failure; where that is refused too, it is one.
      if (this.#line !== undefined && !this.#hasSetClock) {
        this.#hasSetClock = true
        this.#line.greetAnew()
        return true
      }
    }
    if (failure?.code !== 'NOT_A_MEMBER') return false
    if (this.#enrol(failure)) return true
    this.#rejectChanges()
    return false
  }

  /** Frames get lost, in bad networks: what was sent is missed here, and who waits for an answer waits no longer than two pings. */
  #hearPong(told = 0): void {
    const isWaiting = this.#asked !== undefined || this.#relayed !== undefined || this.#proposed !== undefined
    if (isWaiting && ++this.#pongs > 1) this.#lost()
    else if (!isWaiting && told > this.#options.local.membership.length) this.#ask()
  }

  #lost(failure?: Failure): void {
    const line = this.#line
    this.disconnected()
    line?.lost(failure)
  }

  #send(message: Parameters<Connection['send']>[0][number]): void {
    this.#pongs = 0
    this.#line?.connection()?.send([message])
  }

  /** What the server took this installation for then. */
  get #greetedAs(): Role | undefined {
    const { membership, secrets, role } = this.#options.local
    // Before it was told of the members it went by something else; and who is locked cannot tell.
    if (secrets === undefined || this.#greetedAt === 0) return role
    return membership.roleAt(secrets.signing.publicKey, this.#greetedAt)
  }

  #ask(): void {
    if (this.#asked !== undefined) return
    this.#asked = this.#nextId++
    this.#send({ type: 'entries', id: this.#asked, after: this.#options.local.membership.length })
  }

  /** Brings both to the same length. */
  #level(): void {
    const { membership } = this.#options.local
    const theirs = this.#theirs
    if (theirs === undefined || this.#asked !== undefined || this.#relayed !== undefined) return
    if (theirs.length > membership.length) {
      this.#ask()
      return
    }
    if (!equalBytes(membership.hashAt(theirs.length), theirs.head)) {
      this.#fail('MEMBERS_FORKED')
      return
    }
    if (theirs.length < membership.length) {
      // A server that was set back, or that does not know of the space yet: whoever has them hands them on.
      this.#relayed = this.#nextId++
      this.#send({ type: 'propose', id: this.#relayed, entry: membership.entriesAfter(theirs.length, 1)[0] })
      return
    }
    this.#hasEnrolled = false
    this.#settle()
    if (this.#greetedAs !== this.#options.local.role) {
      const line = this.#line
      // What the server said of the role was before that. A server that says it again and again is met after a back-off.
      if (this.#isGreetedAnew) this.#lost()
      else line?.greetAnew()
      this.#isGreetedAnew = true
      return
    }
    this.#isGreetedAnew = false
    this.#isSame = true
    const welcome = this.#welcome
    this.#welcome = undefined
    if (welcome !== undefined) this.#line?.release(welcome)
    this.#next()
    this.leveled.next()
  }

  /** `isAnswer`: to a question for what the server says it has. */
  async #take(after: number, entries: readonly Uint8Array[], isAnswer = false): Promise<void> {
    const { local, keeper } = this.#options
    const { membership } = local
    const line = this.#line
    if (after > membership.length) {
      // Something before it has not come.
      this.#ask()
      return
    }
    const records = []
    let error: unknown
    try {
      for (const entry of entries.slice(Math.max(0, membership.length - after))) {
        records.push(...local.take([entry]))
      }
    } catch (thrown) {
      error = thrown
    }
    if (records.length > 0) await keeper.membersGrew(records)
    // Also where the connection is gone: a server that was told to let somebody go does not say more to them.
    if (error === undefined) this.#settle()
    if (this.#line !== line || line === undefined) return
    if (error !== undefined) {
      this.#fail(error instanceof DriftlogError && error.code !== 'MEMBERS_REFUSED' ? error.code : 'MEMBERS_FORKED')
      return
    }
    const { length } = membership
    // To ask again would be an endless loop.
    if (isAnswer && entries.length === 0 && length < (this.#theirs?.length ?? 0)) {
      this.#fail('PROTOCOL_VIOLATION')
      return
    }
    if (this.#theirs === undefined || length >= this.#theirs.length) {
      this.#theirs = { length, head: membership.head }
    }
    this.#level()
  }

  #wasProposed({ id, position }: ServerMessage & { type: 'proposed' }): void {
    const { membership } = this.#options.local
    if (id === this.#relayed) {
      this.#relayed = undefined
      // To hand on the same entry again and again would be an endless loop.
      if (position !== (this.#theirs?.length ?? 0) + 1) {
        this.#fail('PROTOCOL_VIOLATION')
        return
      }
      this.#theirs = { length: position, head: membership.hashAt(position) }
      this.#level()
    } else if (id === this.#proposed) {
      this.#proposed = undefined
      const sent = this.#changes[0]?.sent.at(-1)
      // It may have come by itself already.
      if (sent !== undefined) void this.#take(sent.position - 1, [sent.bytes])
    }
  }

  #wasRefused(id: number, { code, message, details }: ServerMessage & { type: 'refused' }): boolean {
    if (id === this.#asked || id === this.#relayed) {
      if (code !== 'MEMBERS_REFUSED') this.#lost({ code, message })
      // Somebody else relayed it first: what the server has now, it says when it is greeted again.
      else if (isOvertaken(details.why)) this.#lost()
      else this.#fail('MEMBERS_FORKED')
      return true
    }
    if (id !== this.#proposed) return false
    this.#proposed = undefined
    const [change] = this.#changes
    // It may have come by itself meanwhile: then it is not refused, but done.
    this.#settle()
    if (this.#changes[0] !== change) return true
    if (code === 'MEMBERS_REFUSED' && change.tries <= MAX_TRIES && isOvertaken(details.why)) {
      // Ask what came first, and make it anew on top of that.
      this.#isSame = false
      this.#ask()
      return true
    }
    this.#changes.shift()
    change.reject(Object.assign(new DriftlogError(code, '', { ...details }), { message }))
    this.#next()
    return true
  }

  /** What was sent and is in the log now is done. */
  #settle(): void {
    const [change] = this.#changes
    if (change === undefined) return
    if (change.sent.some(({ bytes, position }) => this.#options.local.has(bytes, position))) {
      this.#changes.shift()
      change.resolve()
    } else if (this.#proposed === undefined) change.isSent = false
  }

  #next(): void {
    const [change] = this.#changes
    if (change === undefined || change.isSent || !this.#isSame) return
    const { local, space } = this.#options
    const { membership, secrets } = local
    try {
      if (secrets === undefined) throw new DriftlogError('KEY_MISSING', 'the replica is locked')
      const position = membership.length + 1
      const entry = { space, position, before: membership.head, atMs: this.now() }
      const bytes = encodeEntry({ ...entry, deed: change.make(membership) }, secrets.signing)
      // What is not allowed need not be sent.
      membership.judge(bytes, true)
      change.sent.push({ bytes, position })
      change.isSent = true
      change.tries++
      this.#proposed = this.#nextId++
      this.#send({ type: 'propose', id: this.#proposed, entry: bytes })
    } catch (error) {
      this.#changes.shift()
      change.reject(error)
      this.#next()
    }
  }

  /**
   * The server lets in members alone, and does not know that this is one: it is new to the space, or was set back. Hands on the log
   * over a connection of its own, once, and then comes again.
   */
  #enrol(refused: Failure): boolean {
    const { local, transport, space, timers } = this.#options
    const { pass } = this
    const line = this.#line
    const hasLeft = local.secrets !== undefined && local.role === undefined
    if (line === undefined || pass === undefined || this.#hasEnrolled || hasLeft) return false
    this.#hasEnrolled = true
    line.connection()?.close()
    const failed = (error: unknown): void => {
      if (this.#line !== line) return
      // A join whose invitation has expired since: who was a member before it has to hand it on (MEM7).
      const isCoded = error instanceof DriftlogError && error.code !== 'INVITATION_INVALID'
      line.lost(isCoded ? { code: error.code, message: error.message } : refused)
    }
    const options = { transport, space, pass, timers }
    const enrolled = async (): Promise<void> => {
      const isTold = await talk(options, (server) => this.#hearNews(server)).catch(unlessStranger)
      // It was removed, and learns so much of the log and no more.
      if (isTold && local.role === undefined) this.#rejectChanges()
      if (!isTold) await talk(options, (server) => this.#relay(server))
      if (this.#line === line) line.lost(isTold ? refused : undefined)
    }
    enrolled().catch(failed)
    return true
  }

  /** Whether the server had any. Each page is checked before the next is asked for. */
  async #hearNews(server: MemberTalk): Promise<boolean> {
    const { membership } = this.#options.local
    const before = membership.length
    for (let isMore = true; isMore; ) {
      const { entries, more } = await server.entries(membership.length)
      await this.#store(entries)
      isMore = more && entries.length > 0
    }
    return membership.length > before
  }

  /** Others decided about this one first. */
  #rejectChanges(): void {
    this.#settle()
    for (const { reject } of this.#changes.splice(0)) reject(new DriftlogError('NOT_A_MEMBER'))
  }

  async #relay(server: MemberTalk): Promise<void> {
    const entries = this.#options.local.membership.entriesAfter(0)
    for (const entry of entries) await server.propose(entry).catch(unlessThere)
  }

  async #store(entries: readonly Uint8Array[]): Promise<void> {
    const { local, keeper } = this.#options
    await keeper.membersGrew(entries.flatMap((entry) => local.take([entry])))
  }

  #fail(code: DriftlogError['code']): void {
    this.#lost({ code, message: new DriftlogError(code).message })
  }
}

/** Who is not known to the log that is there is told nothing of it. */
const unlessStranger = (error: unknown): boolean => {
  if (error instanceof DriftlogError && error.code === 'NOT_A_MEMBER') return false
  throw error
}

/** The server has it already, or something else in its place: that shows once this is let in, or not. */
const unlessThere = (error: unknown): void => {
  if (!(error instanceof DriftlogError) || error.code !== 'MEMBERS_REFUSED') throw error
}

const OVERTAKEN: ReadonlySet<unknown> = new Set(['it does not come next', 'another entry came first'])
const isOvertaken = (why: unknown): boolean => OVERTAKEN.has(why)
