/** ENV1: encryption, written a second time on @noble and on nothing of core. See second-implementation. */
import { xchacha20poly1305 } from '@noble/ciphers/chacha.js'
import { argon2id } from '@noble/hashes/argon2.js'
import { hash, join, prefixed, readerOf, text, toHex, varint } from './second-implementation.ts'

const derived = (key: Uint8Array, nonce: Uint8Array): Uint8Array =>
  hash(join(text('driftlog/cipher/key/1'), nonce), 64, key)

/** Throws where it is not what was sealed with this key for this. */
export const decrypt = (sealed: Uint8Array, associated: Uint8Array, key: Uint8Array): Uint8Array => {
  const nonce = sealed.subarray(0, 24)
  const committed = derived(key, nonce)
  if (!Buffer.from(committed.subarray(32)).equals(sealed.subarray(24, 56))) throw new Error('another key')
  return xchacha20poly1305(committed.subarray(0, 32), nonce, associated).decrypt(sealed.subarray(56))
}

/** With a nonce of the caller's. */
export const encrypt = (plain: Uint8Array, associated: Uint8Array, key: Uint8Array, nonce: Uint8Array): Uint8Array => {
  const committed = derived(key, nonce)
  const sealed = xchacha20poly1305(committed.subarray(0, 32), nonce, associated).encrypt(plain)
  return join(nonce, committed.subarray(32), sealed)
}

export const deriveKey = (key: Uint8Array, purpose: string, context: Uint8Array): Uint8Array =>
  hash(join(text('driftlog/derived-key/1'), text(purpose), prefixed(context)), 32, key)

/** Padmé, as its paper has it: of the binary digits of a length, as many are kept as the number of its digits has digits. */
export const padded = (length: number): number => {
  if (length < 2) return length
  const exponent = Math.floor(Math.log2(length))
  const kept = Math.floor(Math.log2(exponent)) + 1
  const unit = 2 ** Math.max(0, exponent - kept)
  return Math.ceil(length / unit) * unit
}

/** What stands in a decrypted body before its padding of zeros. */
export const unpad = (padded: Uint8Array): Uint8Array => {
  const { at, take, number } = readerOf(padded)
  const packed = take(number())
  if (padded.subarray(at()).some((byte) => byte !== 0)) throw new Error('padding')
  return packed
}

const passphraseKey = (passphrase: string, salt: Uint8Array, t: number, memoryBytes: number): Uint8Array =>
  argon2id(new TextEncoder().encode(passphrase.normalize('NFKC')), salt, { t, m: memoryBytes / 1024, p: 1, dkLen: 32 })

/** KEY2: the account key of a vault, by its passphrase. `record`: with the checksum before it. */
export const openVaultRecord = (record: Uint8Array, passphrase: string): Uint8Array => {
  const reader = readerOf(record.subarray(4))
  if (reader.number() !== 1) throw new Error('format')
  const [t, memory] = [reader.number(), reader.number()]
  const salt = reader.take(16)
  const byPassphrase = reader.take(reader.number())
  const kek = passphraseKey(passphrase, salt, t, memory)
  return decrypt(byPassphrase, new TextEncoder().encode('driftlog/vault/wrap/1'), kek)
}

/** KEY2, KEY4: what stands in a record that is encrypted for its place. */
export const openRecord = (record: Uint8Array, space: string, name: string, key: Uint8Array): Uint8Array =>
  decrypt(record.subarray(4), join(text('driftlog/record/1'), text(space), text(name)), key)

/** BACK1: what a backup holds. */
export const openBackup = (
  file: Uint8Array,
  passphrase: string,
): { space: string; keys: string[]; batches: Uint8Array[] } => {
  const reader = readerOf(file)
  if (Buffer.from(reader.take(15)).toString() !== 'DRIFTLOG-BACKUP' || reader.number() !== 1)
    throw new Error('no backup')
  const [t, memory] = [reader.number(), reader.number()]
  const salt = reader.take(16)
  const head = file.subarray(0, reader.at())
  const kek = passphraseKey(passphrase, salt, t, memory)
  const chunk = (number: number, key: Uint8Array): { plain: Uint8Array; isLast: boolean } => {
    const length = new DataView(Uint8Array.from(reader.take(4)).buffer).getUint32(0)
    const sealed = reader.take(length)
    for (const isLast of [false, true]) {
      const place = join(text('driftlog/backup/1'), prefixed(head), varint(number), Uint8Array.of(isLast ? 1 : 0))
      try {
        return { plain: decrypt(sealed, place, key), isLast }
      } catch (error) {
        if (isLast) throw error
      }
    }
    throw new Error('unreachable')
  }
  const keys = readerOf(chunk(0, kek).plain)
  const backupKey = keys.take(32)
  const space = Buffer.from(keys.take(keys.number())).toString()
  const of = keys.number()
  const epochs = Array.from({ length: keys.number() }, () => `${keys.number()} ${toHex(keys.take(32))}`)
  const batches: Uint8Array[] = []
  for (let number = 1, isLast = false; !isLast; number++) {
    const next = chunk(number, backupKey)
    isLast = next.isLast
    const body = readerOf(next.plain)
    while (body.at() < next.plain.length) batches.push(body.take(body.number()))
  }
  if (batches.length !== of) throw new Error('batches are missing')
  return { space, keys: epochs, batches }
}
