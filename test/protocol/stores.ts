/** What stores hold, looked at from outside: their trees, their contents, and copies of them. */
import {
  type Batch,
  type BatchStore,
  type DeviceId,
  equalBytes,
  firstTagOf,
  isRefusal,
  type LocalBranch,
  type LocalTree,
  memoryStore,
  startCursor,
  type StoredBatch,
} from '@driftlog/core'

export const SPACE = 'home'
export const everything = { batches: 1_000_000, bytes: Number.MAX_SAFE_INTEGER }

export const allOf = async (store: BatchStore): Promise<readonly StoredBatch[]> =>
  (await store.readAfter(SPACE, startCursor, everything)).batches

/** The tree of what a store holds, found out batch by batch. */
export const treeOf = (batches: readonly StoredBatch[]): LocalTree => {
  const held = new Map<DeviceId, Batch[]>()
  for (const { batch, branch } of batches) held.set(branch, [...(held.get(branch) ?? []), batch])
  const branches = new Map<DeviceId, LocalBranch>()
  for (const [name, [{ header }]] of held) {
    const base = header.fromSeq - 1
    const parent = [...held].find(([, list]) => {
      const last = list[list.length - 1].header
      return last.device === header.device && last.toSeq === base && equalBytes(last.tagAfter, header.tagBefore)
    })?.[0]
    const { toSeq } = held.get(name)!.at(-1)!.header
    branches.set(name, { device: header.device, base, parent, seq: toSeq })
  }
  return {
    devices: () => new Set([...branches.values()].map(({ device }) => device)),
    branchesOf: (device) => [...branches].filter(([, branch]) => branch.device === device).map(([name]) => name),
    branch: (name) => branches.get(name),
    tagAt: (name, seq) => held.get(name)?.find(({ header }) => header.toSeq === seq)?.header.tagAfter,
    runAfter: (name, base) => {
      const next = held.get(name)?.find(({ header }) => header.fromSeq === base + 1)?.header
      return next && { tagBefore: next.tagBefore, firstTag: firstTagOf(next) }
    },
    batchEnds: (name, above, upTo) =>
      (held.get(name) ?? []).map(({ header }) => header.toSeq).filter((seq) => seq > above && seq <= upTo),
  }
}

const describeBatch = ({ header }: Batch): string => `${header.fromSeq}-${header.toSeq} ${header.tagAfter.join('.')}`

/** By branch its batches, in order of seq. Two stores hold the same exactly where this is equal. */
export const contents = async (store: BatchStore): Promise<Map<string, string[]>> => {
  const all = new Map<string, string[]>()
  for (const { batch, branch } of await allOf(store))
    all.set(branch, [...(all.get(branch) ?? []), describeBatch(batch)])
  return new Map([...all].sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** A store of these batches, in whatever order they join; those that never do are left out. */
export const storeOf = async (batches: readonly Batch[]): Promise<BatchStore> => {
  const store = memoryStore()
  for (let left = [...batches]; left.length > 0; ) {
    const outcomes = await store.append(SPACE, left)
    const waiting = left.filter((_, index) => isRefusal(outcomes[index]))
    if (waiting.length === left.length) break
    left = waiting
  }
  return store
}

/** All that any of the stores holds. */
export const unionOf = async (stores: readonly BatchStore[]): Promise<BatchStore> => {
  const batches = await Promise.all(stores.map(allOf))
  return storeOf(batches.flat().map(({ batch }) => batch))
}
