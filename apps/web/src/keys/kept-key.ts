/**
 * What this browser keeps to open a space with while no passphrase protects it: in the clear, for whoever uses the browser.
 *
 *     "key/<space>"    = the key                      "joining/<space>" = the invitation of a join that is under way
 *
 * It lies beside the data, and is as durable as that before the first change is written: localStorage is written seconds later,
 * and a browser that is killed meanwhile would leave what nobody can read.
 */
import {
  type InstallationKey,
  type InvitationCode,
  isInstallationKey,
  isInvitationCode,
  isSpaceKey,
  type SpaceKey,
} from '@driftlog/client'
import type { BatchStore } from '@driftlog/core'

/** The key of a space here: the one that all of its devices share, or, where it has members, the one of this installation. */
export type OwnKey = SpaceKey | InstallationKey

/** Where in a store it is: no space that syncs has this name. */
const PLACE = 'driftlog-app'
const keyName = (space: string): string => `key/${space}`
const joiningName = (space: string): string => `joining/${space}`

const read = async (store: BatchStore, name: string): Promise<string | undefined> => {
  const record = (await store.records(PLACE, name)).find(({ key }) => key === name)
  return record && new TextDecoder().decode(record.value)
}

const write = async (store: BatchStore, name: string, text: string | undefined): Promise<void> => {
  const value = text === undefined ? undefined : new TextEncoder().encode(text)
  await store.append(PLACE, [], { records: [{ key: name, value }] })
}

export const keptKey = async (store: BatchStore, space: string): Promise<OwnKey | undefined> => {
  const kept = await read(store, keyName(space))
  return kept !== undefined && (isSpaceKey(kept) || isInstallationKey(kept)) ? kept : undefined
}

export const keepKey = (store: BatchStore, space: string, key: OwnKey): Promise<void> =>
  write(store, keyName(space), key)

export const forgetKey = (store: BatchStore, space: string): Promise<void> => write(store, keyName(space), undefined)

export const keptInvitation = async (store: BatchStore, space: string): Promise<InvitationCode | undefined> => {
  const kept = await read(store, joiningName(space))
  return kept !== undefined && isInvitationCode(kept) ? kept : undefined
}

/** The person said that it is to be used: who loads the page again needs not say so again. */
export const keepInvitation = (store: BatchStore, space: string, invitation: InvitationCode): Promise<void> =>
  write(store, joiningName(space), invitation)

export const forgetInvitation = (store: BatchStore, space: string): Promise<void> =>
  write(store, joiningName(space), undefined)
