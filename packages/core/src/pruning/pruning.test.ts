/** What may be stated about pruning, and what of that counts. */
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { cryptoReady } from '../crypto/sodium.ts'
import { DriftlogError } from '../errors.ts'
import { type Deed, encodeEntry, type History, type Role } from '../membership/entry.ts'
import { makeRotation, sealEpochKey } from '../membership/epoch-keys.ts'
import { memberIdOf, Membership } from '../membership/membership.ts'
import { installationSecrets, type MemberSecrets, publicKeysOf } from '../membership/secrets.ts'
import { Pruning } from './pruning.ts'
import { decodeStanding, encodeStanding } from './requests.ts'
import { encodeStatement, type Stated, statementHash } from './statement.ts'

beforeAll(cryptoReady)

const random = { bytes: (length: number): Uint8Array => new Uint8Array(length).fill(7) }
const key = new Uint8Array(32).fill(9)
const [ada, ben, eve, joe] = [1, 2, 3, 4]
let secrets: MemberSecrets[]
const keyOf = (who: number): Uint8Array => secrets[who].signing.publicKey

let membership: Membership
let pruning: Pruning
let numbers: Map<number, number>

const does = (deed: Deed, by = ada): void => {
  const entry = { space: 'home', position: membership.length + 1, before: membership.head, atMs: 1, deed }
  membership.append(encodeEntry(entry, secrets[by].signing))
}

const admits = (who: number, role: Role): void =>
  does({ kind: 'admit', keys: publicKeysOf(secrets[who]), role, member: undefined, sealed: sealed(who) })
const sealed = (who: number): Uint8Array => sealEpochKey(key, publicKeysOf(secrets[who]), random)
const setHistory = (history: History): void => does({ kind: 'history', history })

const state = (by: number, stated: Stated, space = 'home'): Uint8Array => {
  const number = (numbers.get(by) ?? 0) + 1
  numbers.set(by, number)
  return encodeStatement(space, number, stated, secrets[by].signing)
}

const why = (bytes: Uint8Array): unknown => {
  try {
    pruning.judge(bytes)
    return undefined
  } catch (error) {
    if (!(error instanceof DriftlogError)) throw error
    return error.details.why ?? error.code
  }
}

const take = (by: number, stated: Stated): Uint8Array => {
  const item = pruning.judge(state(by, stated))
  pruning.take(item)
  // Whoever gets what counts comes to the same.
  const standing = decodeStanding(encodeStanding(pruning.standing))
  expect(Pruning.of(membership, standing).standing).toEqual(standing)
  return item.hash
}

const everybody = [ada, ben, eve]
const promise = (by: number, stamp: number): Uint8Array => take(by, { kind: 'promise', stamp })
const round = (cut: number, counted = everybody): Stated => ({
  kind: 'round',
  cut,
  members: membership.length,
  counted: counted.map(keyOf),
})
const base = (hash: Uint8Array, changes: Partial<Stated & { kind: 'base' }> = {}): Stated => ({
  kind: 'base',
  round: hash,
  cut: 10,
  vector: new Map(),
  digest: new Uint8Array(32).fill(5),
  bytes: 3,
  epoch: 1,
  chunks: 1,
  position: 20,
  points: [],
  ...changes,
})

/** A round that everybody has completed, and the server has said so. */
const readyRound = (): Uint8Array => {
  for (const one of everybody) promise(one, 10 + one)
  const hash = take(ben, round(10))
  pruning.place(7)
  for (const one of everybody) take(one, { kind: 'completion', round: hash })
  pruning.place(7, 20)
  return hash
}

beforeEach(() => {
  secrets = [0, ada, ben, eve, joe].map((seed) => installationSecrets(new Uint8Array(32).fill(seed)))
  numbers = new Map()
  membership = new Membership('home')
  const rotation = makeRotation(membership, key, [publicKeysOf(secrets[ada])], undefined, random)
  does({ kind: 'found', keys: publicKeysOf(secrets[ada]), rotation })
  admits(ben, 'writer')
  admits(eve, 'writer')
  setHistory('prune')
  pruning = new Pruning(membership)
})

describe('what is stated', () => {
  it('PRUNE1: promises rise, and are by members of a space that prunes', () => {
    promise(ada, 10)
    expect(why(state(ada, { kind: 'promise', stamp: 10 }))).toBe('stamps rise')
    expect(why(state(joe, { kind: 'promise', stamp: 10 }))).toBe('not by a member')
    expect(why(state(ben, { kind: 'promise', stamp: 10 }, 'elsewhere'))).toBe('of another space')
    numbers.set(ada, 0)
    expect(why(state(ada, { kind: 'promise', stamp: 99 }))).toBe('not a new one')
    const forged = state(ben, { kind: 'promise', stamp: 10 })
    forged[forged.length - 1] ^= 1
    expect(why(forged)).toBe('SIGNATURE_INVALID')
    setHistory('keep')
    expect(why(state(ben, { kind: 'promise', stamp: 10 }))).toBe('history is kept')
  })

  it('PRUNE2, CUT2: a round rests on promises of all who are counted, and of nobody twice', () => {
    promise(ada, 12)
    promise(ben, 10)
    expect(pruning.promisedByAll()).toBe(0)
    expect(why(state(ada, round(10)))).toBe('not promised')
    expect(why(state(ada, round(10, [ada, ben])))).toBe('not all who are counted')
    expect(why(state(ada, round(10, [ada, ben, ben])))).toBe('counted twice, or none')
    promise(eve, 11)
    expect(pruning.promisedByAll()).toBe(10)
    expect(why(state(ada, round(11)))).toBe('not promised')
    does({ kind: 'retire', installation: keyOf(ben) })
    expect(pruning.promisedByAll()).toBe(11)
    expect(why(state(ada, { ...round(11, [ada, eve]), members: membership.length + 1 } as Stated))).toBe(
      'of a log of members that is not here',
    )
    take(ada, round(11, [ada, eve]))
    expect(why(state(eve, round(11, [ada, eve])))).toBe('there is one')
  })

  it('PRUNE2: from a round on, what was not counted is below; from when all are done, what has not completed it', () => {
    const admission = (): string[] => [ada, ben, eve, joe].map((who) => pruning.admits(keyOf(who)))
    expect(admission()).toEqual(['open', 'open', 'open', 'open'])
    for (const one of everybody) promise(one, 10)
    const hash = take(ben, round(10))
    pruning.place(7)
    admits(joe, 'writer')
    expect(admission()).toEqual(['open', 'open', 'open', 'below'])
    take(ada, { kind: 'completion', round: hash })
    expect(admission()).toEqual(['settled', 'open', 'open', 'below'])
    does({ kind: 'retire', installation: keyOf(eve) })
    expect(admission()).toEqual(['settled', 'open', 'below', 'below'])
    expect(pruning.awaited()).toEqual([keyOf(ben)])
    take(joe, { kind: 'completion', round: hash })
    take(ben, { kind: 'completion', round: hash })
    pruning.place(7, 9)
    expect(admission()).toEqual(['settled', 'settled', 'below', 'settled'])
    take(eve, { kind: 'completion', round: hash })
    expect(admission()).toEqual(['settled', 'settled', 'settled', 'settled'])
    expect(why(state(ada, { kind: 'completion', round: statementHash(hash) }))).toBe('of another round')
  })

  it('PRUNE3: a base is of the round, by a writer who completed it, once all have, with all that came until then', () => {
    for (const one of everybody) promise(one, 10)
    does({ kind: 'role', member: memberIdOf(keyOf(eve)), role: 'reader' })
    const hash = take(ben, round(10))
    pruning.place(7)
    for (const one of [ada, eve]) take(one, { kind: 'completion', round: hash })
    expect(why(state(ben, base(hash)))).toBe('not by one who completed the round')
    expect(why(state(eve, base(hash)))).toBe('not by a writer')
    expect(why(state(ada, base(hash)))).toBe('not ready')
    take(ben, { kind: 'completion', round: hash })
    pruning.place(7, 20)
    expect(why(state(ada, base(hash, { position: 19 })))).toBe('not ready')
    expect(why(state(ada, base(hash, { cut: 11 })))).toBe('not the cut of the round')
    expect(why(state(ada, base(statementHash(hash))))).toBe('of another round')
    take(ada, base(hash))
    expect(why(state(ben, base(hash)))).toBe('there is one')
  })

  it('PRUNE4: another writer confirms it; who made it does not, nor a reader', () => {
    const hash = readyRound()
    const made = take(ada, base(hash))
    expect(pruning.isDone).toBe(false)
    expect(why(state(ada, { kind: 'confirmation', base: made }))).toBe('by its author')
    expect(why(state(ben, { kind: 'confirmation', base: hash }))).toBe('of another base')
    take(ben, { kind: 'confirmation', base: made })
    expect(pruning.isDone).toBe(true)
    expect(pruning.cut).toBe(10)
    expect(why(state(ben, { kind: 'promise', stamp: 10 }))).toBe('stamps rise')
    // The next one.
    promise(ada, 30)
    promise(ben, 30)
    promise(eve, 30)
    expect(why(state(ada, round(10)))).toBe('cuts rise')
    take(eve, round(30))
    expect(pruning.isDone).toBe(false)
    expect(pruning.established?.base.stated.cut).toBe(10)
  })

  it('PRUNE4: one that is disputed is never established', () => {
    const made = take(ada, base(readyRound()))
    take(ben, { kind: 'dispute', base: made, digest: new Uint8Array(32) })
    expect(why(state(eve, { kind: 'confirmation', base: made }))).toBe('it is disputed')
    expect(pruning.established).toBeUndefined()
  })

  it('PRUNE4: where one alone might write, nobody confirms', () => {
    for (const one of [ben, eve]) does({ kind: 'role', member: memberIdOf(keyOf(one)), role: 'reader' })
    take(ada, base(readyRound()))
    expect(pruning.isDone).toBe(true)
  })

  it('PRUNE4: a base that is handed on counts only with its round and who confirmed it', () => {
    const hash = readyRound()
    const made = take(ada, base(hash))
    take(ben, { kind: 'confirmation', base: made })
    const { standing } = pruning
    const [statement, rounds, confirmation] = standing.established
    const of =
      (...established: Uint8Array[]) =>
      (): unknown =>
        Pruning.of(membership, { ...standing, established })
    const own = encodeStatement('home', 99, { kind: 'confirmation', base: made }, secrets[ada].signing)
    const strange = encodeStatement('home', 99, { kind: 'confirmation', base: made }, secrets[joe].signing)
    const other = encodeStatement('home', 99, { kind: 'confirmation', base: hash }, secrets[ben].signing)
    const elsewhere = encodeStatement('away', 99, { kind: 'confirmation', base: made }, secrets[ben].signing)
    for (const wrong of [own, strange, other, elsewhere]) {
      expect(of(statement, rounds, wrong)).toThrow(expect.objectContaining({ code: 'PRUNING_REFUSED' }))
    }
    expect(of(statement, rounds)).toThrow(expect.objectContaining({ code: 'PRUNING_REFUSED' }))
    expect(of(statement)).toThrow(expect.objectContaining({ code: 'PRUNING_REFUSED' }))
    expect(of(statement, rounds, confirmation)).not.toThrow()
  })

  it('PRUNE5: who is a copy can tell by the numbers', () => {
    const hash = readyRound()
    expect([ada, ben, eve].map((who) => pruning.lastNumber(keyOf(who)))).toEqual([2, 3, 2])
    take(ada, base(hash))
    expect(pruning.lastNumber(keyOf(ada))).toBe(3)
    expect(pruning.lastNumber(keyOf(joe))).toBe(0)
  })
})
