/**
 * Who computes signatures: Ed25519, but for one exception. A simulation of a month makes and checks thousands of them
 * a second, and they would be nearly all of its work; so it may put a cheap signer in their place (`@driftlog/core/signer`).
 * Nothing else has any business here: what a substitute signs, nobody can trust.
 */
export interface SigningKeys {
  readonly publicKey: Uint8Array
  /** Seed and public key, 64 bytes, as libsodium keeps it. */
  readonly privateKey: Uint8Array
}

/** Keys of 32 and 64 bytes, signatures of 64. All three are pure functions. */
export interface Signer {
  keysFromSeed(seed: Uint8Array): SigningKeys
  sign(message: Uint8Array, keys: SigningKeys): Uint8Array
  verify(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean
}

let substitute: Signer | undefined

export const substituteSigner = (): Signer | undefined => substitute

/** For simulations alone: signs with something else than Ed25519, in this whole process, until the returned function is called. */
export const useSubstituteSigner = (signer: Signer): (() => void) => {
  const before = substitute
  substitute = signer
  return () => {
    substitute = before
  }
}
