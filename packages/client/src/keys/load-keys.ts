/**
 * From the `key` option of a replica to what it opens and seals with. Beside its batches a store has the keys of the space's
 * epochs in one record, encrypted with a key of this device's; so a wrong key is told at once, and before anything is written.
 *
 *     space key ─▶ local key ─▶ record "keys": epoch → key ─▶ keyring
 */
import {
  type BatchStore,
  ByteReader,
  ByteWriter,
  deriveKey,
  DriftlogError,
  EPOCH_KEY_BYTES,
  Keyring,
  openBatch,
  type Randomness,
  startCursor,
} from '@driftlog/core'
import { INSTALLATION_KEY } from '../storage/identity.ts'
import { encryptedRecords, plainRecords, type RecordCipher } from './record-cipher.ts'
import { readSpaceKey, type SpaceKey } from './space-key.ts'
import { Vault } from './vault.ts'

/**
 * What a space is opened with. A `SpaceKey`: encrypted, with this key. A vault: encrypted, with the key that it keeps for the
 * space. `'locked'`: encrypted, and the key is not at hand: ops are received and handed on, nothing is shown or written.
 * `'unencrypted'`: who reads the server's disk, or this device's, reads everything.
 */
export type ReplicaKey = SpaceKey | Vault | 'locked' | 'unencrypted'

export interface ReplicaKeys {
  readonly keyring: Keyring
  /** For what is secret in the local store; undefined where the replica is locked. */
  readonly records: RecordCipher | undefined
}

const KEYS = 'keys'

/**
 * Rejects with OPTION_INVALID (no key), KEY_WRONG, KEYS_DAMAGED, and KEY_MISSING where the space is encrypted on this device and
 * `key` says it is not, or where the vault has none for it.
 */
export const loadKeys = async (
  store: BatchStore,
  space: string,
  key: ReplicaKey | undefined,
  random: Randomness,
): Promise<ReplicaKeys> => {
  // For who writes JavaScript: no key at all must not be taken for a choice.
  if (key === undefined) throw new DriftlogError('OPTION_INVALID', "say `key`: a space key, a vault, or 'unencrypted'")
  const read = async (name: string): Promise<Uint8Array | undefined> =>
    (await store.records(space, name)).find((record) => record.key === name)?.value
  const stored = await read(KEYS)
  if (key === 'unencrypted') {
    if (stored !== undefined) throw new DriftlogError('KEY_MISSING', 'the space is encrypted on this device', { space })
    return { keyring: Keyring.unencrypted(space), records: plainRecords }
  }
  if (stored === undefined && (await read(INSTALLATION_KEY)) !== undefined)
    throw new DriftlogError('KEY_WRONG', 'the space is not encrypted on this device', { space })
  if (key === 'locked') return { keyring: Keyring.encrypted(space, new Map()), records: undefined }
  const first = key instanceof Vault ? await key.keyOf(space) : readSpaceKey(key)
  const cipher = encryptedRecords(localKey(first, space), random)
  if (stored !== undefined)
    return { keyring: Keyring.encrypted(space, readEpochs(cipher.open(space, KEYS, stored))), records: cipher }
  const epochs = new Map([[1, first]])
  const keyring = Keyring.encrypted(space, epochs)
  await expectOpens(store, keyring)
  await storeKeys(store, space, epochs, random)
  return { keyring, records: cipher }
}

/** How many batches a key is tried on: some may have been sealed by who has no key. */
const TRIED = { batches: 50, bytes: 5_000_000 }

/** Where batches are here already, as when the replica was locked so far, a key must open one of them. */
const expectOpens = async (store: BatchStore, keyring: Keyring): Promise<void> => {
  const { batches } = await store.readAfter(keyring.space, startCursor, TRIED)
  let isWrong = false
  for (const { batch } of batches) {
    try {
      openBatch(batch, keyring)
      return
    } catch (error) {
      if (!(error instanceof DriftlogError)) throw error
      isWrong ||= error.code === 'KEY_WRONG'
    }
  }
  if (isWrong) throw new DriftlogError('KEY_WRONG', 'it opens nothing of what is stored', { space: keyring.space })
}

/** Keeps the keys of a space, as a replica of it finds them. */
export const storeKeys = async (
  store: BatchStore,
  space: string,
  epochs: ReadonlyMap<number, Uint8Array>,
  random: Randomness,
): Promise<void> => {
  const cipher = encryptedRecords(localKey(epochs.get(1)!, space), random)
  await store.append(space, [], { records: [{ key: KEYS, value: cipher.seal(space, KEYS, writeEpochs(epochs)) }] })
}

const text = new TextEncoder()

/** What is at rest on a device has a key of its own, so that it says nothing about what is sent. */
const localKey = (first: Uint8Array, space: string): Uint8Array =>
  deriveKey(first, 'driftlog/local', text.encode(space))

const writeEpochs = (epochs: ReadonlyMap<number, Uint8Array>): Uint8Array => {
  const writer = new ByteWriter(64).varint(epochs.size)
  for (const [epoch, key] of epochs) writer.varint(epoch).raw(key)
  return writer.finish()
}

const readEpochs = (bytes: Uint8Array): Map<number, Uint8Array> => {
  const reader = new ByteReader(bytes)
  const epochs = new Map<number, Uint8Array>()
  for (let left = reader.count(EPOCH_KEY_BYTES + 1); left > 0; left--)
    epochs.set(reader.varint(), reader.raw(EPOCH_KEY_BYTES))
  reader.expectEnd()
  return epochs
}
