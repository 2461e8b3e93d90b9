/**
 * The keys of a person on one installation, at rest in a store of theirs.
 *
 *     passphrase ─ Argon2id ─▶ ┐
 *                              ├─ unwraps ─▶ account key (random, 32) ─▶ the key of each space
 *     recovery code ─────────▶ ┘
 *
 * Both wraps hold the same account key: a new passphrase makes a new wrap and nothing else. Changes of a vault happen one after the
 * other, in whatever window, and only under the account key that counts by then; so none undoes another. The parameters of Argon2id
 * stand beside it, so that they can rise without locking anyone out.
 */
import {
  type BatchStore,
  ByteReader,
  ByteWriter,
  concatBytes,
  cryptoReady,
  decrypt,
  deriveKey,
  DriftlogError,
  encrypt,
  EPOCH_KEY_BYTES,
  equalBytes,
  hash,
  type KdfCost,
  type Randomness,
  type RecordChange,
  systemPorts,
} from '@driftlog/core'
import { withChecksum, withoutChecksum } from './checked.ts'
import { inTurn } from './in-turn.ts'
import {
  type InstallationKey,
  isInstallationKey,
  newInstallationKey,
  readInstallationKey,
  writeInstallationKey,
} from './installation-key.ts'
import { encryptedRecords, type RecordCipher } from './record-cipher.ts'
import { expectNewPassphrase, expectPassphrase, isPossibleCost, PASSPHRASE_COST, passphraseKey } from './passphrase.ts'
import { newRecoveryCode, readRecoveryCode } from './recovery-code.ts'
import { newSpaceKey, readSpaceKey, type SpaceKey, writeSpaceKey } from './space-key.ts'

/** Where in a store the vault is: no app's space has this name. */
const VAULT_SPACE = 'driftlog-vault'
const WRAPS = 'wraps'
/** Nothing, encrypted with the account key: it tells whether another one came since. */
const PROOF = 'wraps/proof'
const spaceRecord = (space: string): string => `space/${space}`

/** What a secret of a space is. */
const SPACE = 0
const INSTALLATION = 1

const FORMAT = 1
const SALT_BYTES = 16
const ACCOUNT_KEY_BYTES = 32
const text = new TextEncoder()
const wrapDomain = text.encode('driftlog/vault/wrap/1')

export interface VaultOptions {
  /** It may be the store of the spaces too. */
  readonly store: BatchStore
  readonly random?: Randomness
}

/** Either of the two. */
export type VaultSecret = { readonly passphrase: string } | { readonly recoveryCode: string }

interface Wraps {
  readonly salt: Uint8Array
  readonly cost: KdfCost
  readonly byPassphrase: Uint8Array
  readonly byRecoveryCode: Uint8Array
}

/**
 * Makes a vault. The recovery code is shown now or never: it opens the vault where the passphrase is forgotten. Rejects with
 * OPTION_INVALID where the store has one, or the passphrase is empty.
 */
export const createVault = async ({
  store,
  random = systemPorts.random,
  passphrase,
}: VaultOptions & { readonly passphrase: string }): Promise<{
  readonly vault: Vault
  readonly recoveryCode: string
}> => {
  await cryptoReady()
  const accountKey = random.bytes(ACCOUNT_KEY_BYTES)
  const vault = new Vault({ store, random }, accountKey)
  const { code, secret } = newRecoveryCode(random)
  const byRecoveryCode = encrypt(accountKey, wrapDomain, recoveryKey(secret), random)
  await inTurn(store, VAULT_SPACE, async () => {
    if ((await readWraps(store)) !== undefined) throw new DriftlogError('OPTION_INVALID', 'the store has a vault')
    const wraps = { ...passphraseWrap(accountKey, passphrase, random), byRecoveryCode }
    await write(store, [wrapsRecord(wraps), vault.proof()])
  })
  return { vault, recoveryCode: code }
}

/** Whether a store has a vault. Rejects with KEYS_DAMAGED where it has one that does not check out. */
export const hasVault = async (store: BatchStore): Promise<boolean> => (await readWraps(store)) !== undefined

/**
 * Rejects with KEY_WRONG for a wrong passphrase or recovery code, KEYS_DAMAGED where what is stored is not what was stored, and
 * KEY_MISSING where the store has no vault; with OPTION_INVALID where neither is text.
 */
export const unlockVault = async ({
  store,
  random = systemPorts.random,
  ...secret
}: VaultOptions & VaultSecret): Promise<Vault> => {
  if ('passphrase' in secret) expectPassphrase(secret.passphrase)
  await cryptoReady()
  const wraps = await readWraps(store)
  if (wraps === undefined) throw new DriftlogError('KEY_MISSING', 'the store has no vault')
  const accountKey =
    'passphrase' in secret
      ? decrypt(wraps.byPassphrase, wrapDomain, passphraseKey(secret.passphrase, wraps.salt, wraps.cost))
      : decrypt(wraps.byRecoveryCode, wrapDomain, recoveryKey(readRecoveryCode(secret.recoveryCode)))
  if (accountKey === 'wrong-key')
    throw new DriftlogError('KEY_WRONG', 'passphrase' in secret ? 'passphrase' : 'recovery code')
  if (accountKey === 'damaged') throw damaged()
  return new Vault({ store, random }, accountKey)
}

export class Vault {
  readonly #store: BatchStore
  readonly #random: Randomness
  readonly #accountKey: Uint8Array
  readonly #records: RecordCipher

  /** Apps have theirs from `createVault` and `unlockVault`. */
  constructor({ store, random }: Required<VaultOptions>, accountKey: Uint8Array) {
    this.#store = store
    this.#random = random
    this.#accountKey = accountKey
    this.#records = encryptedRecords(deriveKey(accountKey, 'driftlog/vault/records'), random)
  }

  /** Makes a key for a space that is to begin, and keeps it. Rejects with OPTION_INVALID where the vault has one for it. */
  createSpace(space: string): Promise<SpaceKey> {
    return this.#change(async () => {
      if ((await this.#read(space)) !== undefined)
        throw new DriftlogError('OPTION_INVALID', 'the vault has a key of the space', { space })
      const key = newSpaceKey(this.#random)
      await this.#write(space, readSpaceKey(key), SPACE)
      return key
    })
  }

  /**
   * Keeps the key of a space that somebody shared, or the one of this installation in it. Rejects with OPTION_INVALID where the
   * vault has another one for it.
   */
  async addSpace(space: string, key: SpaceKey | InstallationKey): Promise<void> {
    const kind = isInstallationKey(key) ? INSTALLATION : SPACE
    const bytes = kind === INSTALLATION ? readInstallationKey(key) : readSpaceKey(key)
    await this.#change(async () => {
      const known = await this.#read(space)
      if (known !== undefined && (known.kind !== kind || !equalBytes(known.bytes, bytes)))
        throw new DriftlogError('OPTION_INVALID', 'the vault has another key of the space', { space })
      if (known === undefined) await this.#write(space, bytes, kind)
    })
  }

  /** Whichever of the two it keeps for a space; undefined where it has none. */
  async keyFor(space: string): Promise<SpaceKey | InstallationKey | undefined> {
    const secret = await this.#read(space)
    if (secret === undefined) return undefined
    return secret.kind === SPACE ? writeSpaceKey(secret.bytes) : writeInstallationKey(secret.bytes)
  }

  /** Makes a key for this installation in a space with members, to found or join it with. Rejects with OPTION_INVALID as `createSpace`. */
  createInstallation(space: string): Promise<InstallationKey> {
    return this.#change(async () => {
      if ((await this.#read(space)) !== undefined)
        throw new DriftlogError('OPTION_INVALID', 'the vault has a key of the space', { space })
      const key = newInstallationKey(this.#random)
      await this.#write(space, readInstallationKey(key), INSTALLATION)
      return key
    })
  }

  /** The key of this installation in a space with members. Rejects with KEY_MISSING. */
  async installationKey(space: string): Promise<InstallationKey> {
    return writeInstallationKey(await this.installationSecretOf(space))
  }

  /** The same as 32 bytes. */
  installationSecretOf(space: string): Promise<Uint8Array> {
    return this.#secretOf(space, INSTALLATION)
  }

  /** The key of a space, to share it. Rejects with KEY_MISSING. */
  async spaceKey(space: string): Promise<SpaceKey> {
    return writeSpaceKey(await this.keyOf(space))
  }

  /** The same as 32 bytes. */
  keyOf(space: string): Promise<Uint8Array> {
    return this.#secretOf(space, SPACE)
  }

  async #secretOf(space: string, kind: number): Promise<Uint8Array> {
    const secret = await this.#read(space)
    if (secret?.kind === kind) return secret.bytes
    const why = secret === undefined ? 'the vault has none of the space' : 'the vault has a key of another kind'
    throw new DriftlogError('KEY_MISSING', why, { space })
  }

  /** The spaces that it has keys of, by id. */
  async spaces(): Promise<string[]> {
    const prefix = spaceRecord('')
    return (await this.#store.records(VAULT_SPACE, prefix)).map(({ key }) => key.slice(prefix.length))
  }

  /** From now on another passphrase opens it; the recovery code stays. Rejects with OPTION_INVALID for an empty one, KEY_WRONG where it was rotated meanwhile. */
  async changePassphrase(passphrase: string): Promise<void> {
    const wrap = passphraseWrap(this.#accountKey, passphrase, this.#random)
    await this.#change(async () => write(this.#store, [wrapsRecord({ ...(await this.#wraps()), ...wrap })]))
  }

  /** Another recovery code, in the place of the one before. Rejects with KEY_WRONG as above. */
  async renewRecoveryCode(): Promise<string> {
    const { code, secret } = newRecoveryCode(this.#random)
    const byRecoveryCode = encrypt(this.#accountKey, wrapDomain, recoveryKey(secret), this.#random)
    await this.#change(async () => write(this.#store, [wrapsRecord({ ...(await this.#wraps()), byRecoveryCode })]))
    return code
  }

  /** Lets go of the key of a space, for good. Where the space has data here, nobody can read it any more without the key. */
  async removeSpace(space: string): Promise<void> {
    await write(this.#store, [{ key: spaceRecord(space), value: undefined }])
  }

  /**
   * Another account key, after which no older copy of the vault opens with what opens this one: everything that it keeps is encrypted anew,
   * in one step. Answers the vault to go on with, this one is of no use any more, and the new recovery code. Rejects with
   * OPTION_INVALID for an empty passphrase, KEY_WRONG where somebody else rotated it meanwhile.
   */
  async rotate(passphrase: string): Promise<{ readonly vault: Vault; readonly recoveryCode: string }> {
    const random = this.#random
    const accountKey = random.bytes(ACCOUNT_KEY_BYTES)
    const { code, secret } = newRecoveryCode(random)
    const byRecoveryCode = encrypt(accountKey, wrapDomain, recoveryKey(secret), random)
    const wraps = wrapsRecord({ ...passphraseWrap(accountKey, passphrase, random), byRecoveryCode })
    const vault = new Vault({ store: this.#store, random }, accountKey)
    await this.#change(async () => {
      const records = [wraps, vault.proof()]
      for (const space of await this.spaces()) {
        const secret = await this.#read(space)
        if (secret !== undefined) records.push(vault.#sealed(space, secret.bytes, secret.kind))
      }
      await write(this.#store, records)
    })
    return { vault, recoveryCode: code }
  }

  /** What shows, stored beside the wraps, that they hold this account key. */
  proof(): RecordChange {
    return { key: PROOF, value: this.#records.seal(VAULT_SPACE, PROOF, new Uint8Array(0)) }
  }

  /** KEY8: rejects with KEY_WRONG where the vault was rotated since this one was opened. */
  #change<T>(change: () => Promise<T>): Promise<T> {
    return inTurn(this.#store, VAULT_SPACE, async () => {
      const proof = await readRecord(this.#store, PROOF)
      // One that was made before there were proofs has none until it is rotated.
      if (proof !== undefined) this.#records.open(VAULT_SPACE, PROOF, proof)
      return change()
    })
  }

  async #wraps(): Promise<Wraps> {
    const wraps = await readWraps(this.#store)
    if (wraps === undefined) throw new DriftlogError('KEY_MISSING', 'the store has no vault any more')
    return wraps
  }

  async #read(space: string): Promise<{ readonly bytes: Uint8Array; readonly kind: number } | undefined> {
    const key = spaceRecord(space)
    const record = await readRecord(this.#store, key)
    if (record === undefined) return undefined
    const reader = new ByteReader(this.#records.open(VAULT_SPACE, key, record))
    // Those that were kept before there were installations have no kind.
    return { bytes: reader.raw(EPOCH_KEY_BYTES), kind: reader.remaining === 0 ? SPACE : reader.byte() }
  }

  #write(space: string, bytes: Uint8Array, kind: number): Promise<void> {
    return write(this.#store, [this.#sealed(space, bytes, kind)])
  }

  #sealed(space: string, bytes: Uint8Array, kind: number): RecordChange {
    const key = spaceRecord(space)
    return { key, value: this.#records.seal(VAULT_SPACE, key, concatBytes(bytes, Uint8Array.of(kind))) }
  }
}

const damaged = (): DriftlogError => new DriftlogError('KEYS_DAMAGED', 'vault', { record: WRAPS })

const recoveryKey = (secret: Uint8Array): Uint8Array => deriveKey(hash(secret), 'driftlog/vault/recovery')

const passphraseWrap = (
  accountKey: Uint8Array,
  passphrase: string,
  random: Randomness,
): Omit<Wraps, 'byRecoveryCode'> => {
  expectNewPassphrase(passphrase)
  const salt = random.bytes(SALT_BYTES)
  const cost = PASSPHRASE_COST
  const byPassphrase = encrypt(accountKey, wrapDomain, passphraseKey(passphrase, salt, cost), random)
  return { salt, cost, byPassphrase }
}

const readRecord = async (store: BatchStore, key: string): Promise<Uint8Array | undefined> =>
  (await store.records(VAULT_SPACE, key)).find((record) => record.key === key)?.value

const write = async (store: BatchStore, records: readonly RecordChange[]): Promise<void> => {
  await store.append(VAULT_SPACE, [], { records })
}

const wrapsRecord = ({ salt, cost, byPassphrase, byRecoveryCode }: Wraps): RecordChange => {
  const writer = new ByteWriter(320).varint(FORMAT).varint(cost.passes).varint(cost.memoryBytes).raw(salt)
  return { key: WRAPS, value: withChecksum(writer.bytes(byPassphrase).bytes(byRecoveryCode).finish()) }
}

const readWraps = async (store: BatchStore): Promise<Wraps | undefined> => {
  const record = await readRecord(store, WRAPS)
  if (record === undefined) return undefined
  const bytes = withoutChecksum(record)
  if (bytes === undefined) throw damaged()
  try {
    return decodeWraps(new ByteReader(bytes))
  } catch (cause) {
    // The checksum keeps nobody from writing another record.
    if (cause instanceof DriftlogError && cause.code === 'MALFORMED') throw damaged()
    throw cause
  }
}

const decodeWraps = (reader: ByteReader): Wraps => {
  const format = reader.varint()
  if (format !== FORMAT) throw new DriftlogError('FORMAT_UNKNOWN', 'vault', { format })
  const cost = { passes: reader.varint(), memoryBytes: reader.varint() }
  if (!isPossibleCost(cost)) throw damaged()
  const salt = reader.raw(SALT_BYTES)
  return { salt, cost, byPassphrase: reader.bytes(), byRecoveryCode: reader.bytes() }
}
