/** What a device's batches add up to, worked out anew from all of them: slow, and without a look at how stores do it. */
import { type Batch, branchId, type DeviceId, firstTagOf, type Tip } from '@driftlog/core'

export interface NaiveTree {
  /** Of each batch, in the order given. */
  readonly names: readonly DeviceId[]
  readonly tips: ReadonlyMap<DeviceId, Tip>
  readonly vector: ReadonlyMap<DeviceId, number>
}

const place = (device: DeviceId, seq: number, tag: Uint8Array): string =>
  // Whatever the tag before it, the first op of a device begins at its start.
  seq === 0 ? device : `${device} ${seq} ${tag.join()}`

export const beginningOf = ({ header }: Batch): string => place(header.device, header.fromSeq - 1, header.tagBefore)
export const endOf = ({ header }: Batch): string => place(header.device, header.toSeq, header.tagAfter)

/** The name that a branch has where its first batch has siblings. */
export const siblingName = ({ header }: Batch): DeviceId =>
  branchId(header.device, header.fromSeq - 1, header.tagBefore, firstTagOf(header))

/** `held`: batches of any devices, none twice, of which each begins where another one ends, or at the start. */
export const naiveTree = (held: readonly Batch[]): NaiveTree => {
  const nameOf = (batch: Batch): DeviceId => {
    const isAlone = held.every((other) => other === batch || beginningOf(other) !== beginningOf(batch))
    if (!isAlone) return siblingName(batch)
    const parent = held.find((other) => endOf(other) === beginningOf(batch))
    return parent === undefined ? batch.header.device : nameOf(parent)
  }
  const names = held.map(nameOf)
  const tips = new Map<DeviceId, Tip>()
  for (const [index, { header }] of held.entries()) {
    if ((tips.get(names[index])?.seq ?? 0) >= header.toSeq) continue
    tips.set(names[index], { seq: header.toSeq, tag: header.tagAfter })
  }
  return { names, tips, vector: new Map([...tips].map(([name, { seq }]) => [name, seq] as const)) }
}
