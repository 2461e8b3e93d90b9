/**
 * From what this device and the address have to the key that the space opens with.
 *
 *     vault? ── unlock ─▶ ┐                 ┌─ the same, or no link ─────────────────────────▶ open
 *                         ├─▶ a key here? ──┼─ a link with something else ── ask: keep, or start over
 *     kept in the clear ─▶┘                 └─ none ─▶ enter
 *
 *     enter ─┬─ an invitation ── ask ── keep a new key ── join ──────────────────────────────▶ open
 *            └─ look ─┬─ it has members ── ask for an invitation ── enter
 *                     ├─ held ── link or typed key ── keep ──────────────────────────────────▶ open
 *                     ├─ nothing there ── keep a new key ── found ───────────────────────────▶ open, samples
 *                     └─ cannot tell ── ask
 *
 * Invariants:
 * - no key is taken, made or given up unless nothing is held, or it opens what is held, or the person said so;
 * - the key of an installation is kept before a space is founded or joined with it: what was cut off goes on with the same one.
 */
import {
  foundSpace,
  hasMembers,
  hasVault,
  type InstallationKey,
  type InvitationCode,
  isInstallationKey,
  isInvitationCode,
  isSpaceKey,
  joinSpace,
  newInstallationKey,
  type SpaceKey,
  type Transport,
  type Vault,
} from '@driftlog/client'
import type { BatchStore } from '@driftlog/core'
import {
  forgetInvitation,
  forgetKey,
  keepInvitation,
  keepKey,
  keptInvitation,
  keptKey,
  type OwnKey,
} from './kept-key.ts'
import type { LinkSecret, SpaceSecret } from './link.ts'
import { opens, type Sight } from './look.ts'

/** What a person is asked. Each shows a screen until there is an answer. */
export interface Questions {
  /** The link is not whole. */
  slip(): Promise<void>
  unlock(store: BatchStore): Promise<Vault>
  /** Shown once; resolves when it is written down. */
  recoveryCode(code: string): Promise<void>
  /**
   * Whether to use an invitation: resolves with what `join` does, which may be tried again where it rejects; undefined: not to.
   * `isBegun`: it was said before, and cut off.
   */
  join(join: () => Promise<OwnKey>, isBegun: boolean): Promise<OwnKey | undefined>
  /**
   * The space has members, and this installation is none of theirs: an invitation, or the key of one, out of a backup. `isWrong`:
   * what the link had does not let in.
   */
  invitation(isWrong: boolean): Promise<InvitationCode | InstallationKey>
  /** A key that `isRight`. `isWrong`: the one of the link was not. */
  key(isRight: (key: SpaceKey) => Promise<boolean>, isWrong: boolean): Promise<SpaceKey>
  /** Nobody can tell whether the space holds anything. */
  keyOrBegin(): Promise<SpaceSecret | InstallationKey | 'begin'>
  /** The link has something else than this device. `isRight`: it may be used. */
  replace(sight: Sight, offered: SpaceSecret, isRight: boolean): Promise<'keep' | 'replace'>
  /** Nothing here can be encrypted: what the space holds is not. */
  plain(): Promise<never>
}

export interface Door {
  readonly space: string
  readonly store: BatchStore
  readonly transport: Transport
  readonly link: LinkSecret
  readonly ask: Questions
  readonly look: () => Promise<Sight>
  /** Removes what is here of the space, and starts again with what another device handed over. */
  readonly startOver: (secret: SpaceSecret) => Promise<never>
}

export interface Found {
  readonly key: OwnKey
  /** Where it is kept; undefined: in the clear. */
  readonly vault: Vault | undefined
  /** The space begins here. */
  readonly isNew: boolean
}

/** Rejects with what is wrong with the vault, KEYS_DAMAGED above all. */
export const findKey = async (door: Door): Promise<Found> => {
  const { space, store, ask, link } = door
  if (link === 'slip') await ask.slip()
  const vault = (await hasVault(store)) ? await openVault(door) : undefined
  const known = await keyInUse(vault, door)
  const begun = known === undefined ? await keptInvitation(store, space) : undefined
  const offered = link === undefined || link === 'slip' ? begun : link
  if (known === undefined) return enter(vault, door, offered, begun)
  if (offered === undefined || offered === known) return { key: known, vault, isNew: false }
  const sight = await door.look()
  if ((await ask.replace(sight, offered, await mayReplace(known, offered, space, sight))) === 'replace')
    return door.startOver(offered)
  return { key: known, vault, isNew: false }
}

const openVault = async ({ ask, store, space }: Door): Promise<Vault> => {
  const vault = await ask.unlock(store)
  const left = await keptKey(store, space)
  if (left === undefined) return vault
  // The window was closed before the recovery code was written down.
  if ((await vault.keyFor(space)) === undefined) await vault.addSpace(space, left)
  await ask.recoveryCode(await vault.renewRecoveryCode())
  await forgetKey(store, space)
  return vault
}

const knownKey = (vault: Vault | undefined, { space, store }: Door): Promise<OwnKey | undefined> =>
  vault === undefined ? keptKey(store, space) : vault.keyFor(space)

/** One of an installation opens nothing before the space is founded or joined with it. */
const keyInUse = async (vault: Vault | undefined, door: Door): Promise<OwnKey | undefined> => {
  const known = await knownKey(vault, door)
  return known !== undefined && isInstallationKey(known) && !(await hasMembers(door.store, door.space))
    ? undefined
    : known
}

const keep = async (vault: Vault | undefined, { space, store }: Door, key: OwnKey): Promise<void> => {
  if (vault === undefined) return keepKey(store, space, key)
  // One that was made for what was cut off before anything came of it.
  await vault.removeSpace(space)
  await vault.addSpace(space, key)
}

/** What is here is given up for what is offered only where that leads further. */
const mayReplace = async (known: OwnKey, offered: SpaceSecret, space: string, sight: Sight): Promise<boolean> => {
  if (isInvitationCode(offered)) return sight.refusal !== undefined
  if (sight.refusal === 'NOT_A_MEMBER') return false
  // What is here was written with another key, and the server's was not taken in.
  if (isInstallationKey(known)) return sight.refusal === 'MEMBERS_FORKED'
  return opens(offered, space, sight)
}

const enter = async (
  vault: Vault | undefined,
  door: Door,
  offered: SpaceSecret | undefined,
  begun: InvitationCode | undefined,
): Promise<Found> => {
  const { ask, space, store, look } = door
  for (let way: SpaceSecret | InstallationKey | undefined = offered; ; ) {
    if (way !== undefined && isInstallationKey(way)) {
      await keep(vault, door, way)
      return { key: way, vault, isNew: false }
    }
    if (way !== undefined && isInvitationCode(way)) {
      const invitation = way
      const key = await ask.join(() => join(vault, door, invitation), invitation === begun)
      if (key !== undefined) return { key, vault, isNew: false }
      await forgetInvitation(store, space)
      way = undefined
    }
    const sight = await look()
    if (sight.refusal === 'NOT_A_MEMBER') {
      way = await ask.invitation(way !== undefined)
      continue
    }
    const next = await newcomersKey(ask, space, sight, way)
    if (next === 'begin') return begin(vault, door)
    if (!isSpaceKey(next)) {
      way = next
      continue
    }
    await keep(vault, door, next)
    return { key: next, vault, isNew: false }
  }
}

const newcomersKey = async (
  ask: Questions,
  space: string,
  sight: Sight,
  offered: SpaceKey | undefined,
): Promise<SpaceSecret | InstallationKey | 'begin'> => {
  if (sight.isPlain) return ask.plain()
  const isRight = (key: SpaceKey) => opens(key, space, sight)
  if (offered !== undefined && (await isRight(offered))) return offered
  if (sight.isBegun) return ask.key(isRight, offered !== undefined)
  return sight.isWhole ? 'begin' : ask.keyOrBegin()
}

/** Rejects as `joinSpace` does. */
const join = (vault: Vault | undefined, door: Door, invitation: InvitationCode): Promise<OwnKey> =>
  inTurn(door, async () => {
    const { space, store, transport } = door
    // Another window was quicker.
    const meanwhile = await keyInUse(vault, door)
    if (meanwhile !== undefined) return meanwhile
    await keepInvitation(store, space, invitation)
    const key = await installationKey(vault, door)
    await joinSpace({ space, store, transport, key, by: { invitation } })
    await forgetInvitation(store, space)
    return key
  })

const begin = (vault: Vault | undefined, door: Door): Promise<Found> =>
  inTurn(door, async () => {
    const { space, store } = door
    const meanwhile = await keyInUse(vault, door)
    if (meanwhile !== undefined) return { key: meanwhile, vault, isNew: false }
    const key = await installationKey(vault, door)
    await foundSpace({ space, store, key })
    return { key, vault, isNew: true }
  })

const installationKey = async (vault: Vault | undefined, door: Door): Promise<InstallationKey> => {
  const known = await knownKey(vault, door)
  if (known !== undefined && isInstallationKey(known)) return known
  const key = newInstallationKey()
  await keep(vault, door, key)
  return key
}

/** Two windows that were opened at once must not begin with two keys. */
const inTurn = <T>({ space }: Door, run: () => Promise<T>): Promise<T> => {
  // Where there are no locks (no TLS, no localhost) it has to be as quick as it is.
  const locks = (globalThis.navigator as Partial<Navigator> | undefined)?.locks
  return locks === undefined ? run() : locks.request(`driftlog:begin:${space}`, run)
}
