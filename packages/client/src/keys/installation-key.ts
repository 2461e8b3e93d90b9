/** The secret of one installation in a space with members, as text. */
import {
  DriftlogError,
  installationSecrets,
  type PublicKeys,
  publicKeysOf,
  type Randomness,
  SECRET_BYTES,
  systemPorts,
} from '@driftlog/core'
import { readText, writeText } from './secret-text.ts'

const INSTALLATION_KEY = { prefix: 'dli1-', length: SECRET_BYTES } as const
const PUBLIC_KEYS = { prefix: 'dlp1-', length: 64 } as const

/**
 * Who has it is this installation: it signs with it, and keys of the space are sealed to it. It never leaves the device; another
 * device has another one.
 */
export type InstallationKey = `${typeof INSTALLATION_KEY.prefix}${string}`

export const newInstallationKey = (random: Randomness = systemPorts.random): InstallationKey =>
  writeInstallationKey(random.bytes(SECRET_BYTES))

export const writeInstallationKey = (secret: Uint8Array): InstallationKey =>
  writeText(INSTALLATION_KEY, secret) as InstallationKey

/** The 32 bytes of a key. Throws OPTION_INVALID for what is none, or one with a slip in it. */
export const readInstallationKey = (text: string): Uint8Array => {
  const secret = readText(INSTALLATION_KEY, text)
  if (secret === undefined)
    throw new DriftlogError('OPTION_INVALID', 'this is no key of an installation, or there is a slip in it')
  return secret
}

export const isInstallationKey = (text: string): text is InstallationKey =>
  readText(INSTALLATION_KEY, text) !== undefined

/** What an installation may show to everybody, for a member to let it in (`Members.admit`). No secret. */
export type InstallationCode = `${typeof PUBLIC_KEYS.prefix}${string}`

/** Call `cryptoReady` before. */
export const installationCode = (key: InstallationKey): InstallationCode => {
  const keys = publicKeysOf(installationSecrets(readInstallationKey(key)))
  const bytes = new Uint8Array(PUBLIC_KEYS.length)
  bytes.set(keys.key)
  bytes.set(keys.sealingKey, 32)
  return writeText(PUBLIC_KEYS, bytes) as InstallationCode
}

/** Throws OPTION_INVALID. */
export const readInstallationCode = (text: string): PublicKeys => {
  const bytes = readText(PUBLIC_KEYS, text)
  if (bytes === undefined)
    throw new DriftlogError('OPTION_INVALID', 'this is no code of an installation, or there is a slip in it')
  return { key: bytes.slice(0, 32), sealingKey: bytes.slice(32) }
}
