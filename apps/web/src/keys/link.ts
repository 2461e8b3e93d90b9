/**
 * What lets into a space, in a link: behind the `#`, which browsers keep to themselves. It is secret, so it is taken out of the
 * address before anything else happens, and stands in no message.
 *
 *     #join=dlv1-…   an invitation into a space with members      #key=dlk1-…   the key of a space that all of its devices share
 */
import { type InvitationCode, isInvitationCode, isSpaceKey, type SpaceKey } from '@driftlog/client'

/** What somebody may hand to another device. */
export type SpaceSecret = SpaceKey | InvitationCode

/** `slip`: there was something in the place of a secret, but it is none, as where half of a link was copied. */
export type LinkSecret = SpaceSecret | 'slip' | undefined

const IN_HASH = /^#\/?(key|join)=/

/** The secret in what a person pasted: a link, or the secret by itself. */
export const secretIn = (text: string): SpaceSecret | undefined => {
  const found = /dl[kv]1-[\w-]+/.exec(text)?.[0]
  return found !== undefined && (isSpaceKey(found) || isInvitationCode(found)) ? found : undefined
}

/** The secret of a link that was followed, taken out of the address. What else the address says stays. */
export const takeSecret = (
  address: Pick<Location, 'hash' | 'pathname' | 'search'>,
  history: Pick<History, 'replaceState'>,
): LinkSecret => {
  // Some messengers escape more than they need to.
  const hash = address.hash.replaceAll(/%3d/gi, '=')
  if (!IN_HASH.test(hash)) return undefined
  history.replaceState(null, '', address.pathname + address.search)
  return secretIn(hash) ?? 'slip'
}

/** What another device opens to come in. */
export const shareLink = (
  secret: SpaceSecret,
  { origin, pathname, search }: Pick<Location, 'origin' | 'pathname' | 'search'>,
): string => `${origin}${pathname}${search}#${isInvitationCode(secret) ? 'join' : 'key'}=${secret}`
