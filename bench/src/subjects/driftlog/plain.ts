/** Driftlog without its cryptography: what that costs is the difference. */
import { hash } from '@driftlog/core'
import { type Signer, useSubstituteSigner } from '@driftlog/core/signer'
import type { Subject } from '../subject.ts'
import { doNotEncrypt } from './device.ts'
import { driftlog } from './subject.ts'

const digestOf = (message: Uint8Array, publicKey: Uint8Array): Uint8Array => hash(message, 64, publicKey)

/** Nobody forges anything here. */
const hashes: Signer = {
  keysFromSeed: (seed) => {
    const publicKey = hash(seed)
    const privateKey = new Uint8Array(64)
    privateKey.set(seed)
    return { publicKey, privateKey }
  },
  sign: (message, { publicKey }) => digestOf(message, publicKey),
  verify: (signature, message, publicKey) => digestOf(message, publicKey).every((byte, at) => byte === signature[at]),
}

export const loadPlain = async (): Promise<Subject> => {
  useSubstituteSigner(hashes)
  doNotEncrypt()
  const { startServer: _server, openFeed: _feed, ...able } = driftlog
  return able
}
