/**
 * An invitation as text, for a link, a code or a QR: the hash of the entry that founded the space, so that no server can pass off
 * another log of members, and the secret that lets in. Whoever has it first is let in, once.
 */
import { DriftlogError, SECRET_BYTES } from '@driftlog/core'
import { readText, writeText } from '../keys/secret-text.ts'

const HASH_BYTES = 32
const INVITATION = { prefix: 'dlv1-', length: HASH_BYTES + SECRET_BYTES } as const

export type InvitationCode = `${typeof INVITATION.prefix}${string}`

export interface OpenInvitation {
  /** The hash of the space's first entry. */
  readonly genesis: Uint8Array
  readonly secret: Uint8Array
}

export const writeInvitation = ({ genesis, secret }: OpenInvitation): InvitationCode => {
  const bytes = new Uint8Array(INVITATION.length)
  bytes.set(genesis)
  bytes.set(secret, HASH_BYTES)
  return writeText(INVITATION, bytes) as InvitationCode
}

/** Throws INVITATION_INVALID. */
export const readInvitation = (text: string): OpenInvitation => {
  const bytes = readText(INVITATION, text)
  if (bytes === undefined)
    throw new DriftlogError('INVITATION_INVALID', 'this is no invitation, or there is a slip in it')
  return { genesis: bytes.slice(0, HASH_BYTES), secret: bytes.slice(HASH_BYTES) }
}

export const isInvitationCode = (text: string): text is InvitationCode => readText(INVITATION, text) !== undefined
