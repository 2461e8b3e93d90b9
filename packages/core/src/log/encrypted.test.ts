import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { padded } from '../crypto/cipher.ts'
import { Keyring } from '../crypto/keyring.ts'
import { cryptoReady } from '../crypto/sodium.ts'
import {
  codeOf,
  createReplica,
  hexOf,
  identityOf,
  NO_BACKLOG,
  type Replica,
  seededRandom,
  shapes,
  SPACE,
  START_MS,
} from '../testing/replicas.test-support.ts'
import { assembleBatch, type Batch, type BatchHeader, decodeBatch, encodeHeader, startTagOf } from './batch.ts'
import { openBatch, sealBatch } from './seal.ts'
import { signBatch } from './signature.ts'
import { sealShifts } from './writer.ts'

beforeAll(cryptoReady)

const keyOf = (epoch: number): Uint8Array => new Uint8Array(32).fill(epoch)
const keyring = (...epochs: number[]): Keyring =>
  Keyring.encrypted(SPACE, new Map(epochs.map((epoch) => [epoch, keyOf(epoch)])))
const replica = (number: number, keys: Keyring): Replica => createReplica(number, SPACE, undefined, keys)
const SECRET = 'attack at dawn'
const writeTitle = (a: Replica, row = 'x'): Uint8Array => {
  a.write(START_MS, a.change(shapes.insert, row), a.change(shapes.title, row, SECRET))
  return a.seal()[0]
}
/** The same envelope with another header, or body, signed by its device. */
const lie = (batch: Batch, header: Partial<BatchHeader>, number = 1, body = batch.body): Batch => {
  const headerBytes = encodeHeader({ ...batch.header, ...header })
  return assembleBatch(headerBytes, body, signBatch(headerBytes, body, identityOf(number).keys))
}

describe('encrypted batches', () => {
  it('[ENV1 ENV3] who has the key reads them; the bytes do not have what was written', () => {
    const a = replica(1, keyring(1))
    const bytes = writeTitle(a)
    expect(Buffer.from(bytes).includes(SECRET)).toBe(false)
    expect(decodeBatch(bytes).header.keyEpoch).toBe(1)
    const b = replica(2, keyring(1))
    b.receive(bytes)
    expect(b.log.backlog()).toEqual(NO_BACKLOG)
    expect(b.digest()).toBe(a.digest())
    const answer = writeTitle(b, 'y')
    a.receive(answer)
    expect(a.digest()).toBe(b.digest())
  })

  it('[LOG3] who has no key holds them and hands them on; they are read when the key comes', () => {
    const a = replica(1, keyring(1))
    const bytes = [writeTitle(a), writeTitle(a, 'y')]
    const locked = replica(2, keyring())
    for (const each of bytes) locked.receive(each)
    expect(locked.log.backlog()).toEqual({ ...NO_BACKLOG, locked: 2 })
    expect(locked.log.heldSeq(a.device)).toBe(2)
    expect(codeOf(() => locked.writer.seal())).toBe('ok')
    locked.write(START_MS, locked.change(shapes.insert, 'z'))
    expect(codeOf(() => locked.writer.seal())).toBe('KEY_MISSING')
    const unlocked = createReplica(
      3,
      SPACE,
      (log) => {
        for (const each of bytes) log.receive(log.open(decodeBatch(each)))
      },
      keyring(1),
    )
    expect(unlocked.digest()).toBe(a.digest())
  })

  it('[ENV3] another key, and no encryption at all, are refused where there is a key', () => {
    const reader = replica(2, keyring(1))
    const other = replica(1, Keyring.encrypted(SPACE, new Map([[1, keyOf(9)]])))
    expect(codeOf(() => reader.receive(writeTitle(other)))).toBe('KEY_WRONG')
    expect(codeOf(() => reader.receive(writeTitle(createReplica(1))))).toBe('KEY_WRONG')
    expect(reader.log.heldSeq(other.device)).toBe(0)
    const plain = createReplica(3)
    plain.receive(writeTitle(replica(1, keyring(1))))
    expect(plain.log.backlog()).toEqual({ ...NO_BACKLOG, locked: 1 })
  })

  it('[ENV3] what was taken in without a key and opens with none stays set aside, and stops nobody else', () => {
    const forger = replica(1, Keyring.encrypted(SPACE, new Map([[1, keyOf(9)]])))
    const honest = replica(2, keyring(1))
    const bytes = [writeTitle(forger), writeTitle(honest)]
    const reader = createReplica(
      3,
      SPACE,
      (log) => {
        for (const each of bytes) log.receive(log.open(decodeBatch(each)))
      },
      keyring(1),
    )
    expect(reader.log.backlog()).toEqual({ ...NO_BACKLOG, unopenable: 1 })
    expect(reader.digest()).toBe(honest.digest())
  })

  it('[ENV1] the whole header is authenticated: any field that differs, signed or not, is refused', () => {
    const a = replica(1, keyring(1, 2))
    const batch = decodeBatch(writeTitle(a))
    const { header } = batch
    const stranger = identityOf(7)
    const changes: Partial<BatchHeader>[] = [
      { toSeq: header.toSeq + 1 },
      { coarseMaxHlc: header.coarseMaxHlc + 1 },
      { keyEpoch: 1 },
      { flags: header.flags ^ 1 },
      { tagAfter: header.tagBefore },
      { innerEnds: [{ toSeq: 1, tag: header.tagBefore }], toSeq: 2 },
    ]
    for (const change of changes) {
      expect(['MALFORMED', 'KEY_WRONG']).toContain(codeOf(() => openBatch(lie(batch, change), keyring(1, 2))))
    }
    // In another space, and under another device that signs it: the start of their chains is another one.
    const moved = lie(
      batch,
      {
        device: stranger.device,
        certificate: stranger.certificate,
        tagBefore: startTagOf({ space: SPACE, device: stranger.device, shifts: [] }, stranger.certificate),
      },
      7,
    )
    expect(codeOf(() => replica(2, keyring(2)).log.check(moved))).toBe('MALFORMED')
    const elsewhere = Keyring.encrypted('other', new Map([[2, keyOf(2)]]))
    expect(codeOf(() => openBatch(lie(batch, { space: 'other' }), elsewhere))).toBe('KEY_WRONG')
  })

  it('[ENV5] any byte of a body that differs is refused, signed or not', () => {
    const a = replica(1, keyring(1))
    const batch = decodeBatch(writeTitle(a))
    for (let at = 0; at < batch.body.length; at++) {
      const body = batch.body.slice()
      body[at] ^= 1
      // Nonce and commitment tell of a wrong key, the rest of damage.
      expect(codeOf(() => openBatch(lie(batch, {}, 1, body), keyring(1)))).toBe(at < 56 ? 'KEY_WRONG' : 'MALFORMED')
    }
    for (let length = 0; length < batch.body.length; length += 7) {
      expect(codeOf(() => openBatch(lie(batch, {}, 1, batch.body.slice(0, length)), keyring(1)))).not.toBe('ok')
    }
  })

  it('[ENV3] a later epoch begins with the next run; who lacks the key of it waits for that', () => {
    const keys = keyring(1)
    const a = replica(1, keys)
    const first = writeTitle(a)
    keys.add(2, keyOf(2))
    const second = writeTitle(a, 'y')
    expect([first, second].map((bytes) => decodeBatch(bytes).header.keyEpoch)).toEqual([1, 2])
    const late = replica(2, keyring(1))
    for (const bytes of [first, second]) late.receive(bytes)
    expect(late.log.backlog()).toEqual({ ...NO_BACKLOG, locked: 1 })
    for (const ring of [keyring(1, 2), keyring(2, 1)]) {
      const both = replica(3, ring)
      for (const bytes of [first, second]) both.receive(bytes)
      expect(both.digest()).toBe(a.digest())
      // The tags around a run are keyed by the epochs that the runs were written in.
      expect(both.log.branchAt(a.device, 1, decodeBatch(first).header.tagAfter)).toBe(a.device)
      expect(both.log.branchAt(a.device, 2, decodeBatch(second).header.tagAfter)).toBe(a.device)
    }
    expect(codeOf(() => keys.add(2, keyOf(3)))).toBe('OPTION_INVALID')
  })

  it('[ENV1] sealed anew in a later epoch it is the same history', () => {
    const a = replica(1, keyring(1))
    const batches = [writeTitle(a), writeTitle(a, 'y')].map(decodeBatch)
    const opened = batches.flatMap((batch) => openBatch(batch, keyring(1)))
    const [{ header }, last] = batches
    const sealed = sealBatch(
      {
        ...a.identity,
        fromSeq: 1,
        toSeq: 2,
        maxHlc: opened[1].run.hlc[0],
        tagBefore: header.tagBefore,
        tagAfter: last.header.tagAfter,
        innerEnds: [{ toSeq: 1, tag: header.tagAfter }],
      },
      opened.map(({ bytes }) => bytes),
      { keys: a.identity.keys, keyring: keyring(1, 2), random: seededRandom(5) },
    )
    expect(sealed.header.keyEpoch).toBe(2)
    const reader = replica(2, keyring(1, 2))
    reader.receive(sealed.bytes)
    expect(reader.digest()).toBe(a.digest())
  })

  it('[BR2] shifts are bound by a tag that everyone can check, in every epoch', () => {
    const identity = identityOf(1)
    const shift = { device: identityOf(2).device, base: 0, firstTag: new Uint8Array(16), shift: 5, floor: 0 }
    const batch = sealShifts({ keyring: keyring(1), random: seededRandom(1) }, identity, 9, [shift])
    const without = lie(batch, { shifts: [] })
    for (const ring of [keyring(1), keyring()]) {
      expect(codeOf(() => replica(3, ring).log.check(batch))).toBe('ok')
      expect(codeOf(() => replica(3, ring).log.check(without))).toBe('MALFORMED')
    }
  })

  it('[ENV1] clones that draw the same random bytes use a nonce twice only for one message', () => {
    const nonces = new Map<string, string>()
    for (const text of ['one', 'two', 'one']) {
      const clone = replica(1, keyring(1))
      clone.write(START_MS, clone.change(shapes.title, 'x', text))
      const { body, headerBytes } = decodeBatch(clone.seal()[0])
      const nonce = hexOf(body.subarray(0, 24))
      const message = hexOf(headerBytes) + hexOf(body)
      expect(nonces.get(nonce) ?? message).toBe(message)
      nonces.set(nonce, message)
    }
    expect(nonces.size).toBe(2)
  })

  it('[ENV1] sizes are padded', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 3_000_000 }), (length) => {
        const to = padded(length)
        expect(to).toBeGreaterThanOrEqual(length)
        expect(to).toBeLessThanOrEqual(Math.max(length * 1.12, length + 1))
        expect(padded(to)).toBe(to)
      }),
    )
    const sizes = new Set<number>()
    for (let length = 0; length < 200; length++) {
      const a = replica(1, keyring(1))
      // Letters that do not compress.
      a.write(START_MS, a.change(shapes.title, 'x', hexOf(seededRandom(length).bytes(64)).slice(0, length)))
      sizes.add(decodeBatch(a.seal()[0]).body.length)
    }
    expect(sizes.size).toBeLessThan(40)
  })
})
