/** Devices that hand their work to each other when a test says so. */
import { memoryStore, type Ports, type Schema, systemPorts } from '@driftlog/core'
import { expect } from 'vitest'
import { openReplica, type ReplicaOptions } from '../open-replica.ts'
import type { Replica } from '../replica.ts'

const opened: Replica<Schema>[] = []

let nowMs = Date.UTC(2026, 5, 1)
/** Whoever looks at the clock later sees a later time: what is concurrent stands in the order in which it was written. */
const ports: Ports = { ...systemPorts, clock: { now: () => ++nowMs } }

export const device = async <S extends Schema>(
  schema: S,
  options: Partial<Pick<ReplicaOptions<S>, 'store' | 'development'>> & { readonly ports?: Ports } = {},
): Promise<Replica<S>> => {
  const replica = await openReplica({
    schema,
    space: 'home',
    key: 'unencrypted',
    store: memoryStore(),
    ports,
    ...options,
  })
  opened.push(replica as unknown as Replica<Schema>)
  return replica
}

export const closeAll = async (): Promise<void> => {
  for (const replica of opened.splice(0)) await replica.close().catch(() => undefined)
}

interface Traveller {
  export(above?: Uint8Array): Promise<Uint8Array[]>
  import(batches: readonly Uint8Array[]): Promise<readonly unknown[]>
  tips(): Uint8Array
  digest(): string
}

/** All hand all to all. */
export const exchange = async (...replicas: readonly Traveller[]): Promise<void> => {
  for (let round = 0; round < 2; round++) {
    for (const from of replicas) {
      for (const to of replicas) {
        if (from !== to) expect(await to.import(await from.export(to.tips()))).toEqual([])
      }
    }
  }
  for (const replica of replicas) expect(replica.digest()).toBe(replicas[0].digest())
}
