/** Faults 10: what people write is in no bytes at rest of an encrypted space, and no nonce is used for two messages. */
import type { CheckerFactory } from './checker.ts'

const NONCE_BYTES = 24
const SEED_BYTES = 32
/** What the workload writes, in every kind of field that holds text. */
const PLAIN = ['title ', 'text ', 'label '].map((word) => [...new TextEncoder().encode(word)])

export const secrecy: CheckerFactory = (report, { encrypted, members }) => ({
  name: 'secrecy',
  atHealed({ stores }) {
    if (!encrypted && !members) return
    const messages = new Map<string, string>()
    for (const { where, batches, records } of stores) {
      for (const { key, value } of records) {
        const isSecret = key.startsWith('slot/') || key === 'installation'
        if (PLAIN.some((word) => contains(value, word))) report(`${key} at ${where} shows what was written`)
        if (isSecret && value.length === SEED_BYTES) report(`${key} at ${where} is a key in the clear`)
      }
      for (const { batch } of batches) {
        const { device, fromSeq, keyEpoch } = batch.header
        const what = `${device} ${fromSeq} at ${where}`
        if (keyEpoch === 0) report(`${what} is not encrypted`)
        if (PLAIN.some((word) => contains(batch.bytes, word))) report(`${what} shows what was written`)
        const nonce = batch.body.subarray(0, NONCE_BYTES).join()
        const message = `${batch.headerBytes.join()} ${batch.body.join()}`
        if ((messages.get(nonce) ?? message) !== message) report(`${what} has the nonce of another message`)
        messages.set(nonce, message)
      }
    }
  },
})

const contains = (bytes: Uint8Array, word: readonly number[]): boolean => {
  for (let at = bytes.indexOf(word[0]); at >= 0; at = bytes.indexOf(word[0], at + 1))
    if (word.every((byte, index) => bytes[at + index] === byte)) return true
  return false
}
