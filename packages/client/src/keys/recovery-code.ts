/** A recovery code: 20 random bytes in Crockford's base 32, which has no letters that are taken for digits, in groups of four. */
import { base32crockford } from '@scure/base'
import { DriftlogError, type Randomness } from '@driftlog/core'

const CODE_BYTES = 20

export const newRecoveryCode = (random: Randomness): { readonly code: string; readonly secret: Uint8Array } => {
  const secret = random.bytes(CODE_BYTES)
  const code = base32crockford.encode(secret).match(/.{4}/g)!.join('-')
  return { code, secret }
}

/** As a person types it: any case, any spacing, O for 0, I and L for 1. Throws KEY_WRONG for text that cannot be one. */
export const readRecoveryCode = (code: string): Uint8Array => {
  // For who writes JavaScript.
  if (typeof code !== 'string') throw new DriftlogError('OPTION_INVALID', 'say `recoveryCode`, as text')
  try {
    const secret = base32crockford.decode(code.replace(/[\s-]/g, ''))
    if (secret.length === CODE_BYTES) return secret
  } catch (cause) {
    throw new DriftlogError('KEY_WRONG', 'this is no recovery code', {}, { cause })
  }
  throw new DriftlogError('KEY_WRONG', 'a recovery code has 32 letters and digits')
}
