/**
 * From the `key` option of a replica to what it opens and seals with. Beside its batches a store has the keys of the space's
 * epochs in one record, encrypted with a key of this device's; so a wrong key is told at once, and before anything is written.
 *
 *     space key ─▶ local key ─▶ record "keys": epoch → key ─▶ keyring
 */
import {
  type Batch,
  type BatchStore,
  ByteReader,
  ByteWriter,
  deriveKey,
  DriftlogError,
  EPOCH_KEY_BYTES,
  equalBytes,
  installationSecrets,
  Keyring,
  type Membership,
  openBatch,
  openEpochKeys,
  type Randomness,
  type RecordChange,
  seedOf,
  startCursor,
} from '@driftlog/core'
import { entryRecord, loadMembership, loadPass, LocalMembers } from '../members/local-members.ts'
import { INSTALLATION_KEY } from '../storage/identity.ts'
import { type InstallationKey, isInstallationKey, readInstallationKey } from './installation-key.ts'
import { encryptedRecords, plainRecords, type RecordCipher } from './record-cipher.ts'
import { readSpaceKey, type SpaceKey } from './space-key.ts'
import { Vault } from './vault.ts'

/**
 * What a space is opened with. A `SpaceKey`: encrypted, with this key. An `InstallationKey`: a space with members, encrypted, that
 * this installation founded or joined (`foundSpace`, `joinSpace`). A vault: with whichever of the two it keeps for the space. `'locked'`: encrypted, and the key is not at hand: ops are received and handed on, nothing is shown or written.
 * `'unencrypted'`: who reads the server's disk, or this device's, reads everything.
 */
export type ReplicaKey = SpaceKey | InstallationKey | Vault | 'locked' | 'unencrypted'

export interface ReplicaKeys {
  readonly keyring: Keyring
  /** For what is secret in the local store; undefined where the replica is locked. */
  readonly records: RecordCipher | undefined
  /** In a space with members. */
  readonly members: LocalMembers | undefined
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
  if (typeof key !== 'string' && !(key instanceof Vault))
    throw new DriftlogError('OPTION_INVALID', "say `key`: a space key, a vault, or 'unencrypted'")
  const { stored, isPlain } = await readBeginning(store, space)
  const membership = await loadMembership(store, space)
  if (membership.length > 0) return loadMemberKeys(store, membership, key, random)
  if (typeof key === 'string' && isInstallationKey(key))
    throw new DriftlogError('NOT_A_MEMBER', 'found the space, or join it, first', { space })
  if (key === 'unencrypted') {
    if (stored !== undefined || (!isPlain && (await holdsEncrypted(store, space))))
      throw new DriftlogError('KEY_MISSING', 'the space is encrypted on this device', { space })
    return { keyring: Keyring.unencrypted(space), records: plainRecords, members: undefined }
  }
  if (isPlain) throw new DriftlogError('KEY_WRONG', 'the space is not encrypted on this device', { space })
  if (key === 'locked') return { keyring: Keyring.encrypted(space, new Map()), records: undefined, members: undefined }
  const first = key instanceof Vault ? await key.keyOf(space) : readSpaceKey(key)
  const cipher = encryptedRecords(localKey(first, space), random)
  if (stored !== undefined)
    return {
      keyring: Keyring.encrypted(space, readEpochs(cipher.open(space, KEYS, stored))),
      records: cipher,
      members: undefined,
    }
  const epochs = new Map([[1, first]])
  const keyring = Keyring.encrypted(space, epochs)
  await expectOpens(store, keyring)
  await store.append(space, [], { records: [keysRecord(cipher, space, epochs)] })
  return { keyring, records: cipher, members: undefined }
}

/** The same in a space with members. */
const loadMemberKeys = async (
  store: BatchStore,
  membership: Membership,
  key: ReplicaKey,
  random: Randomness,
): Promise<ReplicaKeys> => {
  const { space } = membership
  const wrong = (why: string): DriftlogError => new DriftlogError('KEY_WRONG', why, { space })
  if (key === 'locked') {
    const keyring = Keyring.encrypted(space, new Map())
    const storedPass = await loadPass(store, space)
    const members = new LocalMembers({
      membership,
      keyring,
      storedPass,
      secret: undefined,
      secrets: undefined,
      keysRecord: undefined,
    })
    return { keyring, records: undefined, members }
  }
  if (typeof key === 'string' && !isInstallationKey(key))
    throw wrong('the space has members: it opens with the key of an installation')
  const secret = key instanceof Vault ? await key.installationSecretOf(space) : readInstallationKey(key)
  const cipher = encryptedRecords(localKey(secret, space), random)
  const stored = (await store.records(space, KEYS)).find((record) => record.key === KEYS)
  if (stored === undefined) throw new DriftlogError('KEY_MISSING', 'of this installation', { space })
  const keyring = Keyring.encrypted(space, readEpochs(cipher.open(space, KEYS, stored.value)))
  const secrets = installationSecrets(secret)
  for (const [epoch, opened] of openEpochKeys(membership, secrets).keys) keyring.add(epoch, opened)
  const members = new LocalMembers({
    membership,
    keyring,
    secret,
    secrets,
    storedPass: undefined,
    keysRecord: (keys) => keysRecord(cipher, space, keys),
  })
  return { keyring, records: cipher, members }
}

/**
 * What a store is told with the first entries of a log of members, so that the installation finds its keys. What is secret of them
 * is sealed with a key of this installation's.
 */
export const memberRecords = (
  space: string,
  secret: Uint8Array,
  { epochs, entries }: { readonly epochs: ReadonlyMap<number, Uint8Array>; readonly entries: readonly Uint8Array[] },
  random: Randomness,
): RecordChange[] => {
  const cipher = encryptedRecords(localKey(secret, space), random)
  const seed = seedOf(installationSecrets(secret).signing)
  return [
    { key: INSTALLATION_KEY, value: cipher.seal(space, INSTALLATION_KEY, seed) },
    keysRecord(cipher, space, epochs),
    ...entries.map((entry, index) => entryRecord(index + 1, entry)),
  ]
}

/** What the space began as on this device (KEY1): neither of the two where it was opened as locked at most. */
interface Beginning {
  /** Its keys, encrypted. */
  readonly stored: Uint8Array | undefined
  readonly isPlain: boolean
}

const readBeginning = async (store: BatchStore, space: string): Promise<Beginning> => {
  const read = async (name: string): Promise<Uint8Array | undefined> =>
    (await store.records(space, name)).find((record) => record.key === name)?.value
  const stored = await read(KEYS)
  return { stored, isPlain: stored === undefined && (await read(INSTALLATION_KEY)) !== undefined }
}

const PAGE = { batches: 50, bytes: 5_000_000 }

async function* storedBatches(store: BatchStore, space: string): AsyncGenerator<Batch> {
  for (let cursor = startCursor, more = true; more; ) {
    const page = await store.readAfter(space, cursor, PAGE)
    for (const { batch } of page.batches) yield batch
    cursor = page.cursor
    more = page.more
  }
}

/** One that is encrypted is enough: those of epoch 0 may have been added by who has no key. */
const holdsEncrypted = async (store: BatchStore, space: string): Promise<boolean> => {
  for await (const { header } of storedBatches(store, space)) if (header.keyEpoch > 0) return true
  return false
}

/** Where batches are here already, as when the replica was locked so far, a key must open one of them. Any but the last may have been sealed by who has no key. */
const expectOpens = async (store: BatchStore, keyring: Keyring): Promise<void> => {
  let isWrong = false
  for await (const batch of storedBatches(store, keyring.space)) {
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

/**
 * What to store with the batches of a backup, so that a replica finds its keys: those that are here stay, and what opened the
 * space goes on opening it. `epochs` undefined: the backup is not encrypted. Rejects with KEY_WRONG where the space is encrypted
 * here with other keys, or where only one of the two is encrypted, and with KEYS_DAMAGED.
 */
export const restoredKeys = async (
  store: BatchStore,
  space: string,
  epochs: ReadonlyMap<number, Uint8Array> | undefined,
  random: Randomness,
): Promise<readonly RecordChange[]> => {
  const wrong = (why: string): DriftlogError => new DriftlogError('KEY_WRONG', why, { space })
  const { stored, isPlain } = await readBeginning(store, space)
  if (epochs === undefined) {
    if (isPlain) return []
    if (stored !== undefined || (await holdsEncrypted(store, space)))
      throw wrong('the space is encrypted on this device, the backup is not')
    // What tells from now on what it began as, whatever its batches are: a replica that is opened makes the same.
    return [{ key: INSTALLATION_KEY, value: plainRecords.seal(space, INSTALLATION_KEY, random.bytes(32)) }]
  }
  if (isPlain) throw wrong('the space is not encrypted on this device, the backup is')
  const cipher = encryptedRecords(localKey(epochs.get(1)!, space), random)
  if (stored === undefined) {
    await expectOpens(store, Keyring.encrypted(space, epochs))
    return [keysRecord(cipher, space, epochs)]
  }
  const all = readEpochs(cipher.open(space, KEYS, stored))
  for (const [epoch, key] of epochs) {
    const known = all.get(epoch)
    if (known !== undefined && !equalBytes(known, key)) throw wrong(`another key of epoch ${epoch} is here`)
    all.set(epoch, key)
  }
  return [keysRecord(cipher, space, all)]
}

/**
 * The same in a space with members: what is here of its log stays, and goes on with what the backup has more of it. Rejects with
 * KEY_WRONG where the space is here without members, MEMBERS_FORKED where another log of members is.
 */
export const restoredMembers = async (
  store: BatchStore,
  membership: Membership,
  { secret, epochs }: { readonly secret: Uint8Array; readonly epochs: ReadonlyMap<number, Uint8Array> },
  random: Randomness,
): Promise<readonly RecordChange[]> => {
  const { space } = membership
  const entries = membership.entriesAfter(0)
  const here = await loadMembership(store, space)
  if (here.length === 0) {
    const { stored, isPlain } = await readBeginning(store, space)
    if (stored !== undefined || isPlain)
      throw new DriftlogError('KEY_WRONG', 'the space is here without members', { space })
    return memberRecords(space, secret, { epochs, entries }, random)
  }
  const common = Math.min(here.length, entries.length)
  if (!equalBytes(here.hashAt(common), membership.hashAt(common)))
    throw new DriftlogError('MEMBERS_FORKED', '', { space })
  return entries.slice(common).map((entry, index) => entryRecord(common + index + 1, entry))
}

const keysRecord = (cipher: RecordCipher, space: string, epochs: ReadonlyMap<number, Uint8Array>): RecordChange => ({
  key: KEYS,
  value: cipher.seal(space, KEYS, writeEpochs(epochs)),
})

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
