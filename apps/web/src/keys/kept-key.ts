/**
 * The space's key as this browser keeps it while no passphrase protects it: in the clear, for whoever uses the browser.
 *
 * It lies beside the data, and is as durable as that before the first change is written: localStorage is written seconds later,
 * and a browser that is killed meanwhile would leave what nobody can read.
 */
import { isSpaceKey, type SpaceKey } from '@driftlog/client'
import type { BatchStore } from '@driftlog/core'

/** Where in a store it is: no space that syncs has this name. */
const PLACE = 'driftlog-app'
const nameOf = (space: string): string => `key/${space}`

export const keptKey = async (store: BatchStore, space: string): Promise<SpaceKey | undefined> => {
  const name = nameOf(space)
  const record = (await store.records(PLACE, name)).find(({ key }) => key === name)
  const kept = record && new TextDecoder().decode(record.value)
  return kept !== undefined && isSpaceKey(kept) ? kept : undefined
}

export const keepKey = async (store: BatchStore, space: string, key: SpaceKey): Promise<void> => {
  await store.append(PLACE, [], { records: [{ key: nameOf(space), value: new TextEncoder().encode(key) }] })
}

export const forgetKey = async (store: BatchStore, space: string): Promise<void> => {
  await store.append(PLACE, [], { records: [{ key: nameOf(space), value: undefined }] })
}
