/**
 * How what is secret lies in the records of a local store: encrypted with a key of this device's (or not at all, in a space
 * that is not encrypted), each for its space and its place alone, with a checksum that tells damage from a wrong key: two
 * things with different ways out.
 */
import { ByteWriter, decrypt, DriftlogError, encrypt, type Randomness } from '@driftlog/core'
import { withChecksum, withoutChecksum } from './checked.ts'

export interface RecordCipher {
  seal(space: string, key: string, value: Uint8Array): Uint8Array
  /** Throws KEY_WRONG, and KEYS_DAMAGED where the bytes are not those that were stored. */
  open(space: string, key: string, sealed: Uint8Array): Uint8Array
}

/** Of a space that is not encrypted. */
export const plainRecords: RecordCipher = {
  seal: (_space, _key, value) => value,
  open: (_space, _key, sealed) => sealed,
}

const text = new TextEncoder()
const domain = text.encode('driftlog/record/1')

const placeOf = (space: string, key: string): Uint8Array =>
  new ByteWriter(128).bytes(domain).string(space).string(key).finish()

/** `key`: 32 bytes, for this alone. */
export const encryptedRecords = (key: Uint8Array, random: Randomness): RecordCipher => ({
  seal: (space, name, value) => withChecksum(encrypt(value, placeOf(space, name), key, random)),
  open(space, name, record) {
    const sealed = withoutChecksum(record)
    const value = sealed === undefined ? 'damaged' : decrypt(sealed, placeOf(space, name), key)
    if (value === 'wrong-key') throw new DriftlogError('KEY_WRONG', '', { space, record: name })
    if (value === 'damaged') throw new DriftlogError('KEYS_DAMAGED', name, { space, record: name })
    return value
  },
})
