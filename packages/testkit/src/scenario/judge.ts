/** What an app promises of its rows, and whether it is kept, on every device. */
import type { InferRow, Schema } from '@driftlog/core'
import type { Host } from './host.ts'

/** All rows of a device, by table. */
export type RowsOf<S extends Schema> = {
  readonly [K in keyof S['tables'] & string]: readonly InferRow<S['tables'][K]>[]
}

/** Broken where it returns false or a sentence that says why, or throws. */
export type Invariant<S extends Schema> = (rows: RowsOf<S>) => boolean | string | undefined | void

export interface Violation {
  readonly invariant: string
  /** The device on which it was found; undefined where it concerns them all. */
  readonly device: string | undefined
  readonly message: string
}

/** The host has to be open. */
export const rowsOfAll = async <S extends Schema>(host: Host<S>): Promise<RowsOf<S>> => {
  const rows: Record<string, unknown> = {}
  for (const table of Object.keys(host.schema.tables)) rows[table] = await host.rows(table)
  return rows as RowsOf<S>
}

/** What is the same on every device is told once. */
export const checkInvariants = <S extends Schema>(
  invariants: Readonly<Record<string, Invariant<S>>>,
  rowsByDevice: ReadonlyMap<string, RowsOf<S>>,
): Violation[] => {
  const violations: Violation[] = []
  for (const [invariant, holds] of Object.entries(invariants)) {
    const broken = new Map<string, string[]>()
    for (const [device, rows] of rowsByDevice) {
      const message = broke(holds, rows)
      if (message !== undefined) broken.set(message, [...(broken.get(message) ?? []), device])
    }
    for (const [message, devices] of broken) {
      const device = devices.length === rowsByDevice.size ? undefined : devices.join(', ')
      violations.push({ invariant, device, message })
    }
  }
  return violations
}

const broke = <S extends Schema>(holds: Invariant<S>, rows: RowsOf<S>): string | undefined => {
  try {
    const answer = holds(rows)
    if (answer === false) return 'it does not hold'
    return typeof answer === 'string' ? answer : undefined
  } catch (error) {
    return String(error)
  }
}
