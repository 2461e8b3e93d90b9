/**
 * How far the pruning of one space has come (SPEC PRUNE): the statements that count now, and what may be stated next.
 *
 *     promise, promise, … ─▶ round ─▶ completion, completion, … ─▶ ready ─▶ base ─▶ confirmation ─▶ established ─▶ the next round
 *           all who are counted: nothing stamped up to T is to come     all who still are: they project all up to there
 *
 * The server judges statements one by one, by `judge`, and says where in its order of arrival a round was taken and everybody was done;
 * devices judge all that counts now by the same code (`Pruning.of`).
 *
 * Invariants:
 * - PRUNE2 from a round on, nothing gets in whose author was not counted for it and has not completed it; once it is ready,
 *   nothing whose author has not completed it. So nothing that had not seen the whole prefix comes after a base's position;
 * - PRUNE4 a base is established by two of one mind, or by one where one alone may write; a dispute ends that for good.
 */
import { equalBytes, toBase64Url } from '../codec/bytes.ts'
import type { Hlc } from '../clock/hlc.ts'
import { DriftlogError } from '../errors.ts'
import type { Membership } from '../membership/membership.ts'
import { decodeStatement, type Stated, type Statement, statementHash } from './statement.ts'

/** A statement that counts. */
export interface Item<S extends Stated = Stated> extends Statement<S> {
  readonly bytes: Uint8Array
  readonly hash: Uint8Array
}

type Of<Kind extends Stated['kind']> = Item<Stated & { kind: Kind }>

export interface Round extends Of<'round'> {
  /** Everything that came before it is up to there in the server's order; 0: the server has yet to say so. */
  readonly position: number
  /** The same of when all who were counted had completed it. undefined: they have not. */
  readonly ready: number | undefined
}

/** What is established, and the round that it ended. */
export interface Established {
  readonly base: Of<'base'>
  readonly round: Of<'round'>
  readonly confirmation: Of<'confirmation'> | undefined
}

/** What counts now, as the server keeps it and hands it on. */
export interface Standing {
  readonly items: readonly Uint8Array[]
  /** Of `Round`. */
  readonly position: number
  readonly ready: number | undefined
  /** Those of the base that is established: base, round, confirmation. */
  readonly established: readonly Uint8Array[]
}

export type Admission =
  /** Its author has completed the round: it has seen the whole prefix. */
  | 'settled'
  /** It gets in as long as the next door is not closed. */
  | 'open'
  /** It may not have seen the prefix. */
  | 'below'

const named = (key: Uint8Array): string => toBase64Url(key)

export class Pruning {
  readonly membership: Membership
  readonly #promises = new Map<string, Of<'promise'>>()
  #round: Round | undefined
  readonly #completions = new Map<string, Of<'completion'>>()
  #candidate: Of<'base'> | undefined
  #confirmation: Of<'confirmation'> | undefined
  #dispute: Of<'dispute'> | undefined
  #established: Established | undefined

  constructor(membership: Membership) {
    this.membership = membership
  }

  /**
   * From what somebody handed on. Throws what `decodeStatement` throws, and PRUNING_REFUSED where the statements do not make sense
   * together.
   */
  static of(membership: Membership, { items, position, ready, established }: Standing): Pruning {
    const pruning = new Pruning(membership)
    if (established.length > 0) pruning.#established = pruning.#establish(established.map(opened))
    const all = items.map(opened).sort((a, b) => order[a.stated.kind] - order[b.stated.kind])
    for (const item of all) pruning.#take(item, true)
    if (pruning.#round !== undefined) pruning.#round = { ...pruning.#round, position, ready }
    return pruning
  }

  get standing(): Standing {
    const singles = [this.#round, this.#candidate, this.#confirmation, this.#dispute]
    const all = [...this.#promises.values(), ...singles, ...this.#completions.values()]
    const { base, round, confirmation } = this.#established ?? {}
    return {
      items: all.flatMap((item) => (item === undefined ? [] : [item.bytes])),
      position: this.#round?.position ?? 0,
      ready: this.#round?.ready,
      established: [base, round, confirmation].flatMap((item) => (item === undefined ? [] : [item.bytes])),
    }
  }

  /** All ops stamped up to it are in the base that is established; 0: there is none. */
  get cut(): Hlc {
    return this.#established?.base.stated.cut ?? 0
  }

  get round(): Round | undefined {
    return this.#round
  }

  /** Whether the base of the round is established. */
  get isDone(): boolean {
    const { round } = this.#established?.base.stated ?? {}
    return this.#round !== undefined && round !== undefined && equalBytes(round, this.#round.hash)
  }

  get candidate(): Of<'base'> | undefined {
    return this.#candidate
  }

  get dispute(): Of<'dispute'> | undefined {
    return this.#dispute
  }

  get established(): Established | undefined {
    return this.#established
  }

  promisedBy(installation: Uint8Array): Hlc {
    return this.#promises.get(named(installation))?.stated.stamp ?? 0
  }

  hasCompleted(installation: Uint8Array): boolean {
    return this.#completions.has(named(installation))
  }

  /** The highest number that an installation has given to a statement that counts. */
  lastNumber(installation: Uint8Array): number {
    const all = [
      this.#promises.get(named(installation)),
      this.#completions.get(named(installation)),
      this.#round,
      this.#candidate,
      this.#confirmation,
      this.#dispute,
    ]
    return Math.max(
      0,
      ...all.map((item) => (item !== undefined && equalBytes(item.author, installation) ? item.number : 0)),
    )
  }

  /** The greatest stamp that all who are counted have promised. */
  promisedByAll(): Hlc {
    const counted = this.membership.counted()
    return counted.length === 0 ? 0 : Math.min(...counted.map(({ key }) => this.promisedBy(key)))
  }

  /** Those that were counted for the round, still are, and have not completed it. */
  awaited(): Uint8Array[] {
    const round = this.#round
    if (round === undefined) return []
    return this.membership
      .counted()
      .map(({ key }) => key)
      .filter((key) => isOneOf(round.stated.counted, key) && !this.hasCompleted(key))
  }

  /** PRUNE2. */
  admits(installation: Uint8Array): Admission {
    const round = this.#round
    if (round === undefined) return 'open'
    if (this.hasCompleted(installation)) return 'settled'
    if (round.ready !== undefined) return 'below'
    return isOneOf(this.awaited(), installation) ? 'open' : 'below'
  }

  /** Throws what `decodeStatement` throws, or PRUNING_REFUSED { why }. */
  judge(bytes: Uint8Array): Item {
    const item = opened(bytes)
    const why = this.#objection(item, false)
    if (why !== undefined) throw refused(why)
    return item
  }

  /** Takes in what `judge` let through. */
  take(item: Item): void {
    this.#take(item, false)
  }

  /** The server says so. */
  place(position: number, ready?: number): void {
    if (this.#round !== undefined) this.#round = { ...this.#round, position, ready }
  }

  #take(item: Item, isHandedOn: boolean): void {
    const why = isHandedOn ? this.#objection(item, true) : undefined
    if (why !== undefined) throw refused(why)
    switch (item.stated.kind) {
      case 'promise':
        this.#promises.set(named(item.author), item as Of<'promise'>)
        break
      case 'round':
        this.#round = { ...(item as Of<'round'>), position: 0, ready: undefined }
        this.#completions.clear()
        this.#candidate = this.#confirmation = this.#dispute = undefined
        break
      case 'completion':
        this.#completions.set(named(item.author), item as Of<'completion'>)
        break
      case 'base':
        this.#candidate = item as Of<'base'>
        if (!isHandedOn) this.#settle()
        break
      case 'confirmation':
        this.#confirmation = item as Of<'confirmation'>
        if (!isHandedOn) this.#settle()
        break
      case 'dispute':
        this.#dispute = item as Of<'dispute'>
        break
    }
  }

  #settle(): void {
    const [base, round, confirmation] = [this.#candidate, this.#round, this.#confirmation]
    if (base === undefined || round === undefined) return
    if (confirmation === undefined && !this.#mayEndAlone(round.stated)) return
    this.#established = { base, round, confirmation }
    this.#candidate = this.#confirmation = undefined
  }

  /** PRUNE4: whether one alone of those that were counted might write. */
  #mayEndAlone({ counted, members }: Stated & { kind: 'round' }): boolean {
    return counted.filter((key) => isWriter(this.membership, key, members)).length === 1
  }

  #objection({ space, author, number, stated }: Item, isHandedOn: boolean): string | undefined {
    const { membership } = this
    if (space !== membership.space) return 'of another space'
    if (membership.installation(author) === undefined) return 'not by a member'
    // What counts still counts when its author has left.
    if (!isHandedOn) {
      if (membership.history !== 'prune') return 'history is kept'
      if (membership.roleOf(author) === undefined) return 'not by a member'
      if (number <= this.lastNumber(author)) return 'not a new one'
    }
    const round = this.#round
    switch (stated.kind) {
      case 'promise':
        if (isHandedOn) return undefined
        return stated.stamp > Math.max(this.promisedBy(author), this.cut) ? undefined : 'stamps rise'
      case 'round':
        return this.#roundObjection(stated, isHandedOn)
      case 'completion':
        return round === undefined || !equalBytes(stated.round, round.hash) ? 'of another round' : undefined
      case 'base':
        if (round === undefined || !equalBytes(stated.round, round.hash)) return 'of another round'
        if (stated.cut !== round.stated.cut) return 'not the cut of the round'
        if (!isWriter(membership, author, round.stated.members)) return 'not by a writer'
        if (isHandedOn) return undefined
        if (this.isDone || this.#candidate !== undefined) return 'there is one'
        if (!this.hasCompleted(author)) return 'not by one who completed the round'
        return round.ready === undefined || stated.position < round.ready ? 'not ready' : undefined
      case 'confirmation':
      case 'dispute': {
        const base = this.#candidate
        if (base === undefined || round === undefined || !equalBytes(stated.base, base.hash)) return 'of another base'
        if (equalBytes(author, base.author)) return 'by its author'
        if (!isWriter(membership, author, round.stated.members)) return 'not by a writer'
        if (isHandedOn) return undefined
        if (!this.hasCompleted(author)) return 'not by one who completed the round'
        return this.#dispute === undefined ? undefined : 'it is disputed'
      }
    }
  }

  #roundObjection({ cut, members, counted }: Stated & { kind: 'round' }, isHandedOn: boolean): string | undefined {
    const { membership } = this
    if (members > membership.length) return 'of a log of members that is not here'
    if (counted.length === 0 || new Set(counted.map(named)).size < counted.length) return 'counted twice, or none'
    if (counted.some((key) => this.promisedBy(key) < cut)) return 'not promised'
    // Who came in since is not one of them, who left or was retired may be.
    const isLeftOut = membership.counted().some(({ key, since }) => since <= members && !isOneOf(counted, key))
    if (!isHandedOn) {
      if (members !== membership.length || isLeftOut) return 'not all who are counted'
      if (cut <= this.cut) return 'cuts rise'
      return this.#round === undefined || this.isDone ? undefined : 'there is one'
    }
    return undefined
  }

  /** The statements of a base that was established by whoever was there then. */
  #establish([base, round, confirmation]: readonly Item[]): Established {
    const isRight =
      base?.stated.kind === 'base' &&
      round?.stated.kind === 'round' &&
      (confirmation === undefined || confirmation.stated.kind === 'confirmation')
    if (!isRight) throw refused('no base')
    const of = round.stated as Stated & { kind: 'round' }
    const all = confirmation === undefined ? [base, round] : [base, round, confirmation]
    const { membership } = this
    if (all.some(({ space }) => space !== membership.space)) throw refused('of another space')
    if (all.some(({ author }) => membership.installation(author) === undefined)) throw refused('not by a member')
    const { stated } = base as Of<'base'>
    if (!equalBytes(stated.round, round.hash) || stated.cut !== of.cut) throw refused('of another round')
    if (!isWriter(membership, base.author, of.members)) throw refused('not by a writer')
    if (confirmation === undefined) {
      if (!this.#mayEndAlone(of)) throw refused('not confirmed')
    } else {
      const confirmed = (confirmation as Of<'confirmation'>).stated
      const isOther = !equalBytes(confirmation.author, base.author)
      if (!isOther || !equalBytes(confirmed.base, base.hash)) throw refused('of another base')
      if (!isWriter(membership, confirmation.author, of.members)) throw refused('not by a writer')
    }
    return { base, round, confirmation } as Established
  }
}

/** In which statements make sense one after the other. */
const order: Record<Stated['kind'], number> = {
  promise: 0,
  round: 1,
  completion: 2,
  base: 3,
  confirmation: 4,
  dispute: 5,
}

const opened = (bytes: Uint8Array): Item => ({ ...decodeStatement(bytes), bytes, hash: statementHash(bytes) })

const isOneOf = (keys: readonly Uint8Array[], key: Uint8Array): boolean => keys.some((one) => equalBytes(one, key))

const isWriter = (membership: Membership, key: Uint8Array, position: number): boolean => {
  const role = membership.roleAt(key, position)
  return role === 'writer' || role === 'admin'
}

const refused = (why: string): DriftlogError => new DriftlogError('PRUNING_REFUSED', why, { why })
