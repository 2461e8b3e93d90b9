/** For whom a pass speaks in a space with members, and what it lets them do now (SPEC MEM8). */
import {
  DriftlogError,
  type ErrorCode,
  MAX_PASS_MS,
  type Membership,
  type Pass,
  readPass,
  type RefusalDetails,
  type SessionRole,
} from '@driftlog/core'

export type Speaker =
  /** `entriesUpTo`: who was removed reads the log of members up to there, and no further. */
  | { readonly role: SessionRole; readonly entriesUpTo?: number }
  | { readonly role: undefined; readonly code: ErrorCode; readonly details?: RefusalDetails }

/** `serverTimeMs`: undefined where the server's clock cannot be trusted; then nobody is let in by a pass. */
export const speakerOf = (
  members: Membership,
  bytes: Uint8Array | undefined,
  serverTimeMs: number | undefined,
): Speaker => {
  if (serverTimeMs === undefined) return { role: undefined, code: 'UNAVAILABLE' }
  const pass = bytes && checked(bytes, members.space)
  if (pass === undefined) return { role: undefined, code: 'NOT_A_MEMBER' }
  // A device whose clock is off learns the time by this, and comes again.
  const isInTime = serverTimeMs < pass.expiresMs && pass.expiresMs - serverTimeMs <= MAX_PASS_MS
  if (!isInTime) return { role: undefined, code: 'UNAUTHORIZED', details: { serverTimeMs } }
  const role = members.roleOf(pass.key)
  if (role !== undefined) return { role }
  const until = members.installation(pass.key)?.until
  if (until !== undefined) return { role: 'guest', entriesUpTo: until }
  const invitation = members.invitation(pass.key)
  const isOpen = invitation !== undefined && serverTimeMs < invitation.expiresMs
  return { role: isOpen ? 'guest' : 'stranger' }
}

/** Those that were checked, by their bytes: they are asked for before every message. */
const passes = new WeakMap<Uint8Array, Pass>()

const checked = (bytes: Uint8Array, space: string): Pass | undefined => {
  let pass = passes.get(bytes)
  if (pass === undefined) {
    try {
      pass = readPass(bytes)
    } catch (error) {
      if (error instanceof DriftlogError) return undefined
      throw error
    }
    passes.set(bytes, pass)
  }
  return pass.space === space ? pass : undefined
}
