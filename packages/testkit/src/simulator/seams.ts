import type { Transport } from '@driftlog/client'
import type { BatchStore, Ports } from '@driftlog/core'

/** Wrappers around what the product is given, for planted bugs. `machine` undefined: the server. */
export interface Seams {
  readonly store?: (store: BatchStore, machine: number | undefined) => BatchStore
  readonly transport?: (transport: Transport, machine: number) => Transport
  readonly ports?: (ports: Ports, machine: number | undefined) => Ports
}
