import sodium from 'libsodium-wrappers-sumo'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { cryptoReady, isSealingKey, openSealed, sealingKeysFromSeed, sealTo } from '../crypto/sodium.ts'
import {
  createMembers,
  epochKeyOf,
  installationOf,
  invitationOf,
  type TestMembers,
} from '../testing/members.test-support.ts'
import { hexOf, seededRandom } from '../testing/replicas.test-support.ts'
import type { Rotation } from './entry.ts'
import { keyCommitment, makeRotation, openEpochKeys } from './epoch-keys.ts'
import { publicKeysOf } from './secrets.ts'

beforeAll(cryptoReady)

/** Three epochs: 1 and 2 are in all along, 3 comes in the second epoch. */
const threeEpochs = (): TestMembers => {
  const log = createMembers()
  log.act(1, { kind: 'found' }, { kind: 'admit', installation: 2, role: 'writer' }, { kind: 'rotate' })
  log.act(1, { kind: 'admit', installation: 3, role: 'reader' }, { kind: 'rotate' })
  return log
}

const opened = (log: TestMembers, installation: number) => {
  const { keys, wrong } = openEpochKeys(log.membership, installationOf(installation))
  return { keys: [...keys].map(([epoch, key]) => [epoch, hexOf(key)]), wrong }
}

const epochs = (...numbers: number[]) => numbers.map((epoch) => [epoch, hexOf(epochKeyOf(epoch))])

/** Rotates, with what is `other` in the rotation. */
const rotateWith = (log: TestMembers, other: Partial<Rotation>): void => {
  const { membership } = log
  const key = epochKeyOf(membership.epoch + 1)
  const before = epochKeyOf(membership.epoch)
  const recipients = membership.recipientsAfter({ kind: 'rotate' })
  const rotation = makeRotation(membership, key, recipients, before, seededRandom(1))
  membership.append(log.entryOf(1, { kind: 'rotate', rotation: { ...rotation, ...other } }))
}

describe('the keys of the epochs', () => {
  it('[MEM3] are all opened by everyone who has the newest, and by nobody else', () => {
    const log = threeEpochs()
    for (const installation of [1, 2, 3]) {
      expect(opened(log, installation)).toEqual({ keys: epochs(3, 2, 1), wrong: undefined })
    }
    expect(opened(log, 4)).toEqual({ keys: [], wrong: undefined })
    log.act(1, { kind: 'remove', member: 2 })
    expect(opened(log, 2)).toEqual({ keys: [], wrong: undefined })
    expect(opened(log, 3)).toEqual({ keys: epochs(4, 3, 2, 1), wrong: undefined })
  })

  it('[MEM4] an open invitation opens them until it is used, withdrawn, or its author goes', () => {
    const log = createMembers()
    const byInvitation = (number: number) => openEpochKeys(log.membership, invitationOf(number)).keys.size
    log.act(1, { kind: 'found' }, { kind: 'admit', installation: 2, role: 'admin' })
    log.act(2, { kind: 'invite', invitation: 1, role: 'writer' }, { kind: 'invite', invitation: 2, role: 'writer' })
    log.act(1, { kind: 'invite', invitation: 3, role: 'writer' }, { kind: 'rotate' })
    expect([1, 2, 3].map(byInvitation)).toEqual([2, 2, 2])
    log.act(5, { kind: 'join', invitation: 1 })
    log.act(1, { kind: 'withdraw', invitation: 3 })
    expect([1, 2, 3].map(byInvitation)).toEqual([0, 2, 0])
    log.act(1, { kind: 'remove', member: 2 })
    expect([1, 2, 3].map(byInvitation)).toEqual([0, 0, 0])
    expect(opened(log, 5).keys).toEqual(epochs(3, 2, 1))
  })

  it('[MEM3] what is not the key that everybody was told is not taken for one, and what was opened before it is', () => {
    const { membership } = threeEpochs()
    const wrongKey = makeRotation(
      membership,
      epochKeyOf(99),
      membership.recipientsAfter({ kind: 'rotate' }),
      epochKeyOf(3),
      seededRandom(2),
    )
    const boxes = threeEpochs()
    rotateWith(boxes, { sealed: wrongKey.sealed })
    expect(opened(boxes, 2)).toEqual({ keys: [], wrong: 4 })
    const garbage = threeEpochs()
    rotateWith(garbage, { sealed: wrongKey.sealed.map((box) => new Uint8Array(box.length)) })
    expect(opened(garbage, 2)).toEqual({ keys: [], wrong: 4 })
    const previous = threeEpochs()
    rotateWith(previous, { previous: new Uint8Array(wrongKey.previous.length) })
    expect(opened(previous, 2)).toEqual({ keys: epochs(4), wrong: 3 })
    const commitment = threeEpochs()
    rotateWith(commitment, { commitment: new Uint8Array(32) })
    expect(opened(commitment, 2)).toEqual({ keys: [], wrong: 4 })
    // Whoever rotates next seals to all again; who was kept out has the newest key then.
    const healed = threeEpochs()
    rotateWith(healed, { sealed: wrongKey.sealed })
    healed.act(1, { kind: 'rotate' })
    expect(opened(healed, 2)).toEqual({ keys: epochs(5, 4, 3, 2, 1), wrong: undefined })
    // Where nobody has it, whoever has the one before goes on from that.
    const skipped = threeEpochs()
    rotateWith(skipped, { sealed: wrongKey.sealed, commitment: new Uint8Array(32) })
    const recipients = skipped.membership.recipientsAfter({ kind: 'rotate' })
    const rotation = makeRotation(skipped.membership, epochKeyOf(5), recipients, epochKeyOf(3), seededRandom(3))
    skipped.membership.append(skipped.entryOf(1, { kind: 'rotate', rotation }))
    expect(opened(skipped, 2)).toEqual({ keys: epochs(5, 3, 2, 1), wrong: undefined })
  })

  it('[MEM3] a commitment is of one space, one epoch and one key', () => {
    const commitments = [
      keyCommitment('a', 1, epochKeyOf(1)),
      keyCommitment('b', 1, epochKeyOf(1)),
      keyCommitment('a', 2, epochKeyOf(1)),
      keyCommitment('a', 1, epochKeyOf(2)),
    ]
    expect(new Set(commitments.map(hexOf)).size).toBe(commitments.length)
  })
})

describe('a sealed box', () => {
  const seed = fc.uint8Array({ minLength: 32, maxLength: 32 })

  it('[MEM3] is one of libsodium: opened by crypto_box_seal_open, as what crypto_box_seal made is opened here', () => {
    fc.assert(
      fc.property(seed, seed, fc.uint8Array({ maxLength: 100 }), fc.nat(), (recipient, ephemeral, plain, flip) => {
        const keys = sealingKeysFromSeed(recipient)
        const box = sealTo(keys.publicKey, plain, ephemeral)
        expect(hexOf(sodium.crypto_box_seal_open(box, keys.publicKey, keys.privateKey))).toBe(hexOf(plain))
        expect(hexOf(openSealed(sodium.crypto_box_seal(plain, keys.publicKey), keys)!)).toBe(hexOf(plain))
        const bent = box.slice()
        bent[flip % bent.length] ^= 1 << (flip % 8)
        // The highest bit of an X25519 key stands for nothing; but the nonce is of all of them.
        expect(openSealed(bent, keys)).toBeUndefined()
        expect(openSealed(box.subarray(0, flip % box.length), keys)).toBeUndefined()
        expect(openSealed(box, sealingKeysFromSeed(ephemeral))).toBeUndefined()
      }),
    )
  })

  it('[MEM2] can be sealed to every key of a secret, and to no point of small order', () => {
    fc.assert(fc.property(seed, (one) => isSealingKey(sealingKeysFromSeed(one).publicKey)))
    const small = [
      '0000000000000000000000000000000000000000000000000000000000000000',
      '0100000000000000000000000000000000000000000000000000000000000000',
      'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
      '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
      'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
      'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
      'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    ]
    for (const hex of small) {
      expect(isSealingKey(Uint8Array.from(Buffer.from(hex, 'hex'))), hex).toBe(false)
    }
  })

  it('[MEM2] nobody is let in to whom nothing can be sealed: every later rotation would fail', () => {
    const log = createMembers()
    log.act(1, { kind: 'found' })
    const keys = { ...publicKeysOf(installationOf(2)), sealingKey: new Uint8Array(32) }
    const admit = { kind: 'admit', keys, role: 'writer', member: undefined, sealed: new Uint8Array(80) } as const
    expect(() => log.membership.append(log.entryOf(1, admit))).toThrow('nothing can be sealed to its key')
    const invite = { ...admit, kind: 'invite', expiresMs: 1 } as const
    expect(() => log.membership.append(log.entryOf(1, invite))).toThrow('nothing can be sealed to its key')
    log.act(1, { kind: 'rotate' })
  })
})
