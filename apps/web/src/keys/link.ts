/**
 * A space key in a link: behind the `#`, which browsers keep to themselves. It is secret, so it is taken out of the address
 * before anything else happens, and stands in no message.
 */
import { isSpaceKey, type SpaceKey } from '@driftlog/client'

/** `slip`: there was something in the place of a key, but it is none, as where half of a link was copied. */
export type LinkKey = SpaceKey | 'slip' | undefined

const IN_HASH = /^#\/?key=/

/** The key in what a person pasted: a link, or the key by itself. */
export const keyIn = (text: string): SpaceKey | undefined => {
  const found = /dlk1-[\w-]+/.exec(text)?.[0]
  return found !== undefined && isSpaceKey(found) ? found : undefined
}

/** The key of a link that was followed, taken out of the address. What else the address says stays. */
export const takeKey = (
  address: Pick<Location, 'hash' | 'pathname' | 'search'>,
  history: Pick<History, 'replaceState'>,
): LinkKey => {
  // Some messengers escape more than they need to.
  const hash = address.hash.replaceAll(/%3d/gi, '=')
  if (!IN_HASH.test(hash)) return undefined
  history.replaceState(null, '', address.pathname + address.search)
  return keyIn(hash) ?? 'slip'
}

/** What another device opens to read and write along. */
export const shareLink = (
  key: SpaceKey,
  { origin, pathname, search }: Pick<Location, 'origin' | 'pathname' | 'search'>,
) => `${origin}${pathname}${search}#key=${key}`
