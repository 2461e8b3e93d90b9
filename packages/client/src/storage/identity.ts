/**
 * Who this replica writes as. An installation has one key; every writing slot of it (a tab, a process) is a device with a
 * key of its own, vouched for by the installation. All of it lies in the store's records, encrypted where the space is.
 */
import {
  type BatchStore,
  type DeviceId,
  fingerprint,
  makeCertificate,
  type Randomness,
  type RecordChange,
  type SigningKeys,
  signingKeysFromSeed,
  type WriterIdentity,
} from '@driftlog/core'
import type { RecordCipher } from '../keys/record-cipher.ts'
import { forgetDevice } from './bookmarks.ts'

export const INSTALLATION_KEY = 'installation'
const SEED_BYTES = 32
const slotKey = (slot: number): string => `slot/${slot}`

/** An identity, and what makes the store remember it as the slot's and forget the one that was given up. */
export interface RenewedIdentity {
  readonly identity: WriterIdentity
  readonly records: readonly RecordChange[]
}

const read = async (store: BatchStore, space: string, key: string): Promise<Uint8Array | undefined> =>
  (await store.records(space, key)).find((record) => record.key === key)?.value

/** Where and how the keys of identities are kept. */
export interface IdentityStore {
  readonly store: BatchStore
  readonly space: string
  readonly records: RecordCipher
  readonly random: Randomness
}

const readOrMakeSeed = async ({ store, space, records, random }: IdentityStore, key: string): Promise<Uint8Array> => {
  const known = await read(store, space, key)
  if (known !== undefined) return records.open(space, key, known)
  await store.append(space, [], { records: [{ key, value: records.seal(space, key, random.bytes(SEED_BYTES)) }] })
  // Another tab may have made one meanwhile: what is stored counts.
  return records.open(space, key, (await read(store, space, key))!)
}

const identityOf = (space: string, keys: SigningKeys, installation: SigningKeys): WriterIdentity => {
  const certificate = makeCertificate(space, keys.publicKey, installation)
  return { space, device: fingerprint(keys.publicKey), keys, certificate }
}

/** The identity of a slot that this process holds, made and stored where it is new. */
export const loadIdentity = async (from: IdentityStore, slot: number): Promise<WriterIdentity> => {
  const installation = signingKeysFromSeed(await readOrMakeSeed(from, INSTALLATION_KEY))
  const keys = signingKeysFromSeed(await readOrMakeSeed(from, slotKey(slot)))
  // Ed25519 signs deterministically, so the certificate comes out the same each time.
  return identityOf(from.space, keys, installation)
}

/** Of a replica that is locked: it writes nothing, so nobody ever meets it, and it is stored nowhere. */
export const passingIdentity = (space: string, random: Randomness): WriterIdentity => {
  const fresh = (): SigningKeys => signingKeysFromSeed(random.bytes(SEED_BYTES))
  return identityOf(space, fresh(), fresh())
}

/** BR3: a new key for a slot whose device, `givenUp`, must not write any more. It counts once `records` are stored. */
export const renewIdentity = async (from: IdentityStore, slot: number, givenUp: DeviceId): Promise<RenewedIdentity> => {
  const { space, records, random } = from
  const installation = signingKeysFromSeed(await readOrMakeSeed(from, INSTALLATION_KEY))
  const seed = random.bytes(SEED_BYTES)
  const key = slotKey(slot)
  return {
    identity: identityOf(space, signingKeysFromSeed(seed), installation),
    records: [{ key, value: records.seal(space, key, seed) }, ...forgetDevice(givenUp)],
  }
}

/** The slot is the renewed one's from now on: until then nothing may be written under it. */
export const takeOn = async (store: BatchStore, space: string, renewed: RenewedIdentity): Promise<RenewedIdentity> => {
  await store.append(space, [], { records: renewed.records })
  return renewed
}
