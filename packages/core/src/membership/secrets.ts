/**
 * The two pairs of keys that a secret of 32 bytes stands for: an installation signs and is sealed to with its pairs, and so is an
 * invitation, which is an installation that nobody has yet.
 */
import { deriveKey } from '../crypto/cipher.ts'
import { type SealingKeys, sealingKeysFromSeed, type SigningKeys, signingKeysFromSeed } from '../crypto/sodium.ts'

export const SECRET_BYTES = 32

/** What others know of an installation or an invitation: 32 bytes each. */
export interface PublicKeys {
  /** Ed25519: its name in the log of members. */
  readonly key: Uint8Array
  /** X25519: keys of the space are sealed to it. */
  readonly sealingKey: Uint8Array
}

export interface MemberSecrets {
  readonly signing: SigningKeys
  readonly sealing: SealingKeys
}

const from = (secret: Uint8Array, what: string): MemberSecrets => ({
  signing: signingKeysFromSeed(deriveKey(secret, `driftlog/${what}/sign`)),
  sealing: sealingKeysFromSeed(deriveKey(secret, `driftlog/${what}/seal`)),
})

export const installationSecrets = (secret: Uint8Array): MemberSecrets => from(secret, 'installation')
export const invitationSecrets = (secret: Uint8Array): MemberSecrets => from(secret, 'invitation')

export const publicKeysOf = ({ signing, sealing }: MemberSecrets): PublicKeys => ({
  key: signing.publicKey,
  sealingKey: sealing.publicKey,
})
