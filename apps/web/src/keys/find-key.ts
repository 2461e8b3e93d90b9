/**
 * From what this device and the address have to the key that the space opens with.
 *
 *     vault? ── unlock ─▶ ┐                 ┌─ the same, or no link ─────────────────────────▶ open
 *                         ├─▶ a key here? ──┼─ a link with another ── ask: keep, or start over
 *     kept in the clear ─▶┘                 └─ none ─▶ look ─┬─ held ── link or typed key ───▶ keep, open
 *                                                            ├─ nothing there ── make a key ─▶ keep, open, samples
 *                                                            └─ cannot tell ── ask
 *
 * Invariant: no key is taken, made or given up unless nothing is held, or it opens what is held, or the person said so.
 */
import { hasVault, newSpaceKey, type SpaceKey, type Vault } from '@driftlog/client'
import type { BatchStore } from '@driftlog/core'
import { forgetKey, keepKey, keptKey } from './kept-key.ts'
import type { LinkKey } from './link.ts'
import { opens, type Sight } from './look.ts'

/** What a person is asked. Each shows a screen until there is an answer. */
export interface Questions {
  /** The link is not whole. */
  slip(): Promise<void>
  unlock(store: BatchStore): Promise<Vault>
  /** Shown once; resolves when it is written down. */
  recoveryCode(code: string): Promise<void>
  /** A key that `isRight`. `isWrong`: the one of the link was not. */
  key(isRight: (key: SpaceKey) => Promise<boolean>, isWrong: boolean): Promise<SpaceKey>
  /** Nobody can tell whether the space holds anything. */
  keyOrBegin(): Promise<SpaceKey | 'begin'>
  /** The link has another key than this device. */
  replace(sight: Sight, isRight: boolean): Promise<'keep' | 'replace'>
  /** Nothing here can be encrypted: what the space holds is not. */
  plain(): Promise<never>
}

export interface Door {
  readonly space: string
  readonly store: BatchStore
  readonly link: LinkKey
  readonly ask: Questions
  readonly look: () => Promise<Sight>
  /** Removes what is here of the space, and starts again with another key. */
  readonly startOver: (key: SpaceKey) => Promise<never>
}

export interface Found {
  readonly key: SpaceKey
  /** Where it is kept; undefined: in the clear. */
  readonly vault: Vault | undefined
  /** The space begins here. */
  readonly isNew: boolean
}

/** Rejects with what is wrong with the vault, KEYS_DAMAGED above all. */
export const findKey = async (door: Door): Promise<Found> => {
  const { space, store, ask, link } = door
  if (link === 'slip') await ask.slip()
  const offered = link === 'slip' ? undefined : link
  const vault = (await hasVault(store)) ? await openVault(door) : undefined
  const known = await knownKey(vault, door)
  if (known !== undefined && (offered === undefined || offered === known)) return { key: known, vault, isNew: false }
  const sight = await door.look()
  if (known !== undefined && offered !== undefined) {
    const isRight = await opens(offered, space, sight)
    if ((await ask.replace(sight, isRight)) === 'replace') return door.startOver(offered)
    return { key: known, vault, isNew: false }
  }
  const key = await newcomersKey(ask, space, sight, offered)
  if (key === 'begin') return begin(vault, door)
  await keep(vault, door, key)
  return { key, vault, isNew: false }
}

const openVault = async ({ ask, store, space }: Door): Promise<Vault> => {
  const vault = await ask.unlock(store)
  const left = await keptKey(store, space)
  if (left === undefined) return vault
  // The window was closed before the recovery code was written down.
  if (!(await vault.spaces()).includes(space)) await vault.addSpace(space, left)
  await ask.recoveryCode(await vault.renewRecoveryCode())
  await forgetKey(store, space)
  return vault
}

const knownKey = async (vault: Vault | undefined, { space, store }: Door): Promise<SpaceKey | undefined> => {
  if (vault === undefined) return keptKey(store, space)
  return (await vault.spaces()).includes(space) ? vault.spaceKey(space) : undefined
}

const keep = (vault: Vault | undefined, { space, store }: Door, key: SpaceKey): Promise<void> =>
  vault === undefined ? keepKey(store, space, key) : vault.addSpace(space, key)

const newcomersKey = async (
  ask: Questions,
  space: string,
  sight: Sight,
  offered: SpaceKey | undefined,
): Promise<SpaceKey | 'begin'> => {
  if (sight.isPlain) return ask.plain()
  const isRight = (key: SpaceKey) => opens(key, space, sight)
  if (offered !== undefined && (await isRight(offered))) return offered
  if (sight.isBegun) return ask.key(isRight, offered !== undefined)
  return sight.isWhole ? 'begin' : ask.keyOrBegin()
}

/** Two windows that were opened at once must not begin with two keys. */
const begin = async (vault: Vault | undefined, door: Door): Promise<Found> => {
  const run = async (): Promise<Found> => {
    const meanwhile = await knownKey(vault, door)
    if (meanwhile !== undefined) return { key: meanwhile, vault, isNew: false }
    const key = newSpaceKey()
    await keep(vault, door, key)
    return { key, vault, isNew: true }
  }
  // Where there are no locks (no TLS, no localhost) it has to be as quick as it is.
  const locks = (globalThis.navigator as Partial<Navigator> | undefined)?.locks
  return locks === undefined ? run() : locks.request(`driftlog:begin:${door.space}`, run)
}
