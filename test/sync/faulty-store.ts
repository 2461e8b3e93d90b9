/** A store whose calls can be made to fail, and are counted. */
import { type BatchStore, DriftlogError, type ErrorCode } from '@driftlog/core'

export interface Fault {
  /** Whether this call fails; `call` counts from 1. */
  fails(call: number, method: string): boolean
  readonly code: ErrorCode
  /** The call does its work and fails all the same, as where a disk does not answer. No port allows it; disks do it. */
  readonly isLate?: boolean
}

export interface FaultyStore {
  readonly store: BatchStore
  readonly calls: string[]
}

/** The port's methods that may reject. */
const methods: ReadonlySet<PropertyKey> = new Set([
  'append',
  'prune',
  'floors',
  'readAbove',
  'readAfter',
  'vector',
  'tips',
  'certificate',
  'common',
  'end',
  'records',
  'claimSlot',
])

export const faultyStore = (inner: BatchStore, fault: Fault): FaultyStore => {
  const calls: string[] = []
  const store = new Proxy(inner, {
    get(target, name) {
      const method: unknown = Reflect.get(target, name)
      if (typeof method !== 'function') return method
      if (!methods.has(name)) return method.bind(target)
      return async (...args: unknown[]) => {
        calls.push(String(name))
        if (!fault.fails(calls.length, String(name))) return Reflect.apply(method, target, args) as unknown
        const error = new DriftlogError(fault.code, `call ${calls.length}`)
        // A slot that nobody knows of would stay claimed.
        if (fault.isLate === true && name !== 'claimSlot') await Reflect.apply(method, target, args)
        throw error
      }
    },
  })
  return { store, calls }
}
