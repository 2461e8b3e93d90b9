/**
 * The keys of the epochs of a space with members: made and sealed by who rotates, opened by who is to have them.
 *
 *     newest epoch ─ sealed to each recipient (X25519)          epoch n ─ encrypts ─▶ the key of epoch n - 1 …
 *
 * So the newest key is enough to read everything, and none before it opens what comes after it. A commitment in the log ties every
 * sealed box to one and the same key, and tells which epoch a key that was encrypted is of.
 */
import { ByteWriter, equalBytes } from '../codec/bytes.ts'
import { decrypt, deriveKey, encrypt } from '../crypto/cipher.ts'
import { hash, openSealed, sealTo } from '../crypto/sodium.ts'
import type { Randomness } from '../ports/ports.ts'
import type { Rotation } from './entry.ts'
import type { Membership } from './membership.ts'
import type { MemberSecrets, PublicKeys } from './secrets.ts'

const text = new TextEncoder()
const commitmentDomain = text.encode('driftlog/members/epoch/1')
const EPOCH_KEY_BYTES = 32

const place = (domain: Uint8Array, space: string, epoch: number): ByteWriter =>
  new ByteWriter(160).bytes(domain).string(space).varint(epoch)

/** 32 bytes, which tell nothing of the key. */
export const keyCommitment = (space: string, epoch: number, key: Uint8Array): Uint8Array =>
  hash(place(commitmentDomain, space, epoch).raw(deriveKey(key, 'driftlog/members/commitment')).finish())

/** A key of an epoch, sealed to somebody. */
export const sealEpochKey = (key: Uint8Array, to: PublicKeys, random: Randomness): Uint8Array =>
  sealTo(to.sealingKey, key, random.bytes(32))

const previousKey = (key: Uint8Array): Uint8Array => deriveKey(key, 'driftlog/members/previous')

/**
 * The next epoch. `before`: the newest key that is here, undefined in the first epoch. It is that of the epoch before, unless who made
 * that one sealed something else: what nobody has does not stop those who have what is before it.
 */
export const makeRotation = (
  { space, epoch: last }: Pick<Membership, 'space' | 'epoch'>,
  key: Uint8Array,
  recipients: readonly PublicKeys[],
  before: Uint8Array | undefined,
  random: Randomness,
): Rotation => {
  const epoch = last + 1
  const associated = place(commitmentDomain, space, epoch).finish()
  return {
    epoch,
    commitment: keyCommitment(space, epoch, key),
    previous: before === undefined ? new Uint8Array(0) : encrypt(before, associated, previousKey(key), random),
    sealed: recipients.map((to) => sealEpochKey(key, to, random)),
  }
}

/** What `openEpochKeys` found. */
export interface OpenedKeys {
  /** Epoch → its key, from the newest down. */
  readonly keys: ReadonlyMap<number, Uint8Array>
  /** The epoch at which it ended: what is sealed is not what everybody was told. Who rotated made a mistake, or means harm. */
  readonly wrong: number | undefined
}

/** The keys of all epochs, for who has the newest. None where nothing is sealed to these keys. */
export const openEpochKeys = (membership: Membership, secrets: MemberSecrets): OpenedKeys => {
  const keys = new Map<number, Uint8Array>()
  const sealed = membership.sealedFor(secrets.signing.publicKey)
  if (sealed === undefined) return { keys, wrong: undefined }
  const { space } = membership
  const isKeyOf = (epoch: number, key: Uint8Array | undefined): key is Uint8Array =>
    key?.length === EPOCH_KEY_BYTES &&
    equalBytes(keyCommitment(space, epoch, key), membership.epochAt(epoch)!.commitment)
  const newest = openSealed(sealed.box, secrets.sealing)
  if (!isKeyOf(sealed.epoch, newest)) return { keys, wrong: sealed.epoch }
  for (let epoch = sealed.epoch, key = newest; ; ) {
    keys.set(epoch, key)
    if (epoch === 1) return { keys, wrong: undefined }
    const associated = place(commitmentDomain, space, epoch).finish()
    const opened = decrypt(membership.epochAt(epoch)!.previous, associated, previousKey(key))
    if (typeof opened === 'string') return { keys, wrong: epoch - 1 }
    let before = epoch - 1
    while (before > 0 && !isKeyOf(before, opened)) before--
    if (before === 0) return { keys, wrong: epoch - 1 }
    epoch = before
    key = opened
  }
}
