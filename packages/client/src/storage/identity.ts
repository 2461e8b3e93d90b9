/**
 * Who this replica writes as. An installation has one key; every writing slot of it (a tab, a process) is a device with a
 * key of its own, vouched for by the installation. All of it lies in the store's records.
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
import { forgetDevice } from './bookmarks.ts'

const INSTALLATION_KEY = 'installation'
const SEED_BYTES = 32
const slotKey = (slot: number): string => `slot/${slot}`

/** An identity, and what makes the store remember it as the slot's and forget the one that was given up. */
export interface RenewedIdentity {
  readonly identity: WriterIdentity
  readonly records: readonly RecordChange[]
}

const read = async (store: BatchStore, space: string, key: string): Promise<Uint8Array | undefined> =>
  (await store.records(space, key)).find((record) => record.key === key)?.value

const readOrMakeSeed = async (
  store: BatchStore,
  space: string,
  key: string,
  random: Randomness,
): Promise<Uint8Array> => {
  const known = await read(store, space, key)
  if (known !== undefined) return known
  await store.append(space, [], { records: [{ key, value: random.bytes(SEED_BYTES) }] })
  // Another tab may have made one meanwhile: what is stored counts.
  return (await read(store, space, key))!
}

const identityOf = (space: string, keys: SigningKeys, installation: SigningKeys): WriterIdentity => {
  const certificate = makeCertificate(space, keys.publicKey, installation)
  return { space, device: fingerprint(keys.publicKey), keys, certificate }
}

/** The identity of a slot that this process holds, made and stored where it is new. */
export const loadIdentity = async (
  store: BatchStore,
  space: string,
  slot: number,
  random: Randomness,
): Promise<WriterIdentity> => {
  const installation = signingKeysFromSeed(await readOrMakeSeed(store, space, INSTALLATION_KEY, random))
  const keys = signingKeysFromSeed(await readOrMakeSeed(store, space, slotKey(slot), random))
  // Ed25519 signs deterministically, so the certificate comes out the same each time.
  return identityOf(space, keys, installation)
}

/** BR3: a new key for a slot whose device, `givenUp`, must not write any more. It counts once `records` are stored. */
export const renewIdentity = async (
  store: BatchStore,
  space: string,
  slot: number,
  random: Randomness,
  givenUp: DeviceId,
): Promise<RenewedIdentity> => {
  const installation = signingKeysFromSeed(await readOrMakeSeed(store, space, INSTALLATION_KEY, random))
  const seed = random.bytes(SEED_BYTES)
  return {
    identity: identityOf(space, signingKeysFromSeed(seed), installation),
    records: [{ key: slotKey(slot), value: seed }, ...forgetDevice(givenUp)],
  }
}

/** The slot is the renewed one's from now on: until then nothing may be written under it. */
export const takeOn = async (store: BatchStore, space: string, renewed: RenewedIdentity): Promise<RenewedIdentity> => {
  await store.append(space, [], { records: renewed.records })
  return renewed
}
