/**
 * A backup: a whole space in one file, encrypted with a passphrase, that opens with neither server nor account.
 *
 *     file   = "DRIFTLOG-BACKUP" | format | cost and salt of the passphrase's key | key chunk | chunks
 *     chunk  = length (4 bytes, big-endian) | what `encrypt` made, for its place and whether it is the last
 *
 *     key chunk (with the passphrase's key): backup key | space | items in all | keys by epoch, none where it is not encrypted
 *                                          | in a space with members: the secret of the installation, length-prefixed
 *     chunks (with the backup key):          items, each length-prefixed: entries of the log of members, in order; then batches
 *
 * Every chunk is authenticated with the beginning of the file and its place, and the last says that it is: what is cut off, bent, left out or put elsewhere is
 * found out before anything of the file is taken.
 */
import {
  ByteReader,
  ByteWriter,
  decrypt,
  DriftlogError,
  encrypt,
  EPOCH_KEY_BYTES,
  isSpaceId,
  type KdfCost,
  type Randomness,
  SECRET_BYTES,
} from '@driftlog/core'
import {
  expectNewPassphrase,
  expectPassphrase,
  isPossibleCost,
  PASSPHRASE_COST,
  passphraseKey,
} from '../keys/passphrase.ts'

const MAGIC = new TextEncoder().encode('DRIFTLOG-BACKUP')
const FORMAT = 1
const SALT_BYTES = 16
const BACKUP_KEY_BYTES = 32
const LENGTH_BYTES = 4
/** Of the plaintext of a chunk, beyond which another one begins. */
const CHUNK_BYTES = 1_000_000

const text = new TextEncoder()
const domain = text.encode('driftlog/backup/1')

/** What stands in the key chunk. */
export interface BackupContents {
  readonly space: string
  /** Epoch → key; undefined: the space is not encrypted. */
  readonly epochs: ReadonlyMap<number, Uint8Array> | undefined
  /** In a space with members: who restores it goes on as this installation (BACK5). */
  readonly installation: Uint8Array | undefined
  /** How many batches and entries there are. */
  readonly items: number
}

/** 0 is the key chunk. */
const placeOf = (head: Uint8Array, chunk: number, isLast: boolean): Uint8Array =>
  new ByteWriter(96)
    .bytes(domain)
    .bytes(head)
    .varint(chunk)
    .byte(isLast ? 1 : 0)
    .finish()

export class BackupWriter {
  readonly #file = new ByteWriter(65_536)
  readonly #random: Randomness
  readonly #key: Uint8Array
  readonly #head: Uint8Array
  #chunk = 0
  #pending = new ByteWriter(65_536)

  constructor(passphrase: string, contents: BackupContents, random: Randomness) {
    expectNewPassphrase(passphrase)
    this.#random = random
    this.#key = random.bytes(BACKUP_KEY_BYTES)
    const salt = random.bytes(SALT_BYTES)
    this.#head = new ByteWriter(64)
      .raw(MAGIC)
      .byte(FORMAT)
      .varint(PASSPHRASE_COST.passes)
      .varint(PASSPHRASE_COST.memoryBytes)
      .raw(salt)
      .finish()
    this.#file.raw(this.#head)
    const keys = new ByteWriter(128).raw(this.#key).string(contents.space).varint(contents.items)
    keys.varint(contents.epochs?.size ?? 0)
    for (const [epoch, key] of contents.epochs ?? []) keys.varint(epoch).raw(key)
    if (contents.installation !== undefined) keys.bytes(contents.installation)
    this.#append(keys.finish(), passphraseKey(passphrase, salt, PASSPHRASE_COST), false)
  }

  add(item: Uint8Array): void {
    this.#pending.bytes(item)
    if (this.#pending.length >= CHUNK_BYTES) this.#flush(false)
  }

  finish(): Uint8Array {
    this.#flush(true)
    return this.#file.finish().slice()
  }

  #flush(isLast: boolean): void {
    this.#append(this.#pending.finish(), this.#key, isLast)
    this.#pending = new ByteWriter(65_536)
  }

  #append(plain: Uint8Array, key: Uint8Array, isLast: boolean): void {
    const sealed = encrypt(plain, placeOf(this.#head, this.#chunk++, isLast), key, this.#random)
    const length = new Uint8Array(LENGTH_BYTES)
    new DataView(length.buffer).setUint32(0, sealed.length)
    this.#file.raw(length).raw(sealed)
  }
}

const damaged = (why: string): DriftlogError => new DriftlogError('BACKUP_DAMAGED', why)

/**
 * Reads a file in the order in which it was written. Throws KEY_WRONG for another passphrase, BACKUP_DAMAGED where it is not what
 * was written or no backup at all, FORMAT_UNKNOWN where a newer release wrote it, and OPTION_INVALID for a passphrase that is no text.
 */
export class BackupReader {
  readonly contents: BackupContents
  readonly #file: Uint8Array
  readonly #key: Uint8Array
  readonly #head: Uint8Array
  /** Where the chunks begin. */
  readonly #start: number

  constructor(file: Uint8Array, passphrase: string) {
    expectPassphrase(passphrase)
    const reader = new ByteReader(file)
    const { salt, cost } = orDamaged(() => readHead(reader))
    this.#file = file
    this.#head = file.subarray(0, reader.position)
    const plain = this.#next(reader, 0, passphraseKey(passphrase, salt, cost))
    this.#start = reader.position
    if (plain.isLast) throw damaged('nothing but keys')
    const { key, contents } = orDamaged(() => readKeys(new ByteReader(plain.bytes)))
    this.#key = key
    this.contents = contents
  }

  /** The items of one chunk after the other, from the first on at each call: the passphrase's key costs a second. */
  *chunks(): Generator<Uint8Array[]> {
    const file = new ByteReader(this.#file)
    file.raw(this.#start)
    let found = 0
    for (let place = 1, isLast = false; !isLast; place++) {
      const chunk = this.#next(file, place, this.#key)
      isLast = chunk.isLast
      const items = orDamaged(() => readItems(new ByteReader(chunk.bytes)))
      found += items.length
      yield items
    }
    if (found !== this.contents.items || file.remaining > 0) throw damaged('its end')
  }

  #next(file: ByteReader, chunk: number, key: Uint8Array): { readonly bytes: Uint8Array; readonly isLast: boolean } {
    const sealed = orDamaged(() => {
      const length = file.raw(LENGTH_BYTES)
      return file.raw(new DataView(length.buffer, length.byteOffset).getUint32(0))
    })
    for (const isLast of [false, true]) {
      const bytes = decrypt(sealed, placeOf(this.#head, chunk, isLast), key)
      if (bytes === 'wrong-key')
        throw chunk === 0 ? new DriftlogError('KEY_WRONG', 'passphrase') : damaged(`chunk ${chunk}`)
      if (bytes !== 'damaged') return { bytes, isLast }
    }
    throw damaged(`chunk ${chunk}`)
  }
}

const readHead = (reader: ByteReader): { readonly salt: Uint8Array; readonly cost: KdfCost } => {
  for (const byte of MAGIC) if (reader.byte() !== byte) throw damaged('this is no backup')
  const format = reader.byte()
  if (format !== FORMAT) throw new DriftlogError('FORMAT_UNKNOWN', 'backup', { format })
  const cost = { passes: reader.varint(), memoryBytes: reader.varint() }
  if (!isPossibleCost(cost)) throw damaged('the cost of its key')
  return { cost, salt: reader.raw(SALT_BYTES) }
}

/** Epochs from 1 on, without a gap (KEY1). */
const readKeys = (reader: ByteReader): { readonly key: Uint8Array; readonly contents: BackupContents } => {
  const key = reader.raw(BACKUP_KEY_BYTES)
  const space = reader.string()
  if (!isSpaceId(space)) throw damaged('the name of its space')
  const items = reader.varint()
  const epochs = new Map<number, Uint8Array>()
  const count = reader.count(EPOCH_KEY_BYTES + 1)
  for (let epoch = 1; epoch <= count; epoch++) {
    if (reader.varint() !== epoch) throw damaged('the epochs of its keys')
    epochs.set(epoch, reader.raw(EPOCH_KEY_BYTES).slice())
  }
  const installation = reader.remaining === 0 ? undefined : reader.bytes().slice()
  if (installation !== undefined && installation.length !== SECRET_BYTES) throw damaged('the key of an installation')
  reader.expectEnd()
  return { key, contents: { space, items, installation, epochs: count === 0 ? undefined : epochs } }
}

const readItems = (reader: ByteReader): Uint8Array[] => {
  const items: Uint8Array[] = []
  while (reader.remaining > 0) items.push(reader.bytes())
  return items
}

/** A file that ends early, or has nonsense where a number should be. */
const orDamaged = <T>(read: () => T): T => {
  try {
    return read()
  } catch (cause) {
    if (cause instanceof DriftlogError && cause.code === 'MALFORMED') throw damaged('its bytes')
    throw cause
  }
}
