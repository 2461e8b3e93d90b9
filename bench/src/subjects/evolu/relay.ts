/** A relay of Evolu: its protocol and its storage for relays, as its package for Node puts them together. */
import { timingSafeEqual } from 'node:crypto'
import { createRun, createSqlite, Name, type OwnerId } from '@evolu/common'
import {
  applyProtocolMessageAsRelay,
  createBaseSqliteStorageTables,
  createRelaySqliteStorage,
  createRelayStorageTables,
} from '@evolu/common/local-first'
import { installPolyfills } from '@evolu/common/polyfills'
import { sqliteDriver } from './driver.ts'

installPolyfills()

/** What the relay knows a connection by. */
export type Send = (message: Uint8Array) => void

export interface Relay {
  /** Resolves when the answer is on its way. */
  take(message: Uint8Array, from: Send): Promise<void>
  leave(gone: Send): void
  close(): Promise<void>
}

/** In memory unless there is a path. `isNew`: there are no tables yet. */
export const openRelay = async ({ path, isNew = true }: { path?: string; isNew?: boolean } = {}): Promise<Relay> => {
  const setUp = createRun({ createSqliteDriver: sqliteDriver(path) })
  const sqlite = await setUp.ok(createSqlite(Name.orThrow('relay')))
  const deps = { ...setUp.deps, sqlite, timingSafeEqual }
  if (isNew) {
    createBaseSqliteStorageTables(deps)
    createRelayStorageTables(deps)
  }
  const run = createRun({ storage: createRelaySqliteStorage(deps)({ isOwnerWithinQuota: () => true }) })
  const subscribers = new Map<OwnerId, Set<Send>>()
  return {
    async take(message, from) {
      const answer = await run.orThrow(
        applyProtocolMessageAsRelay(message, {
          subscribe: (owner) => void subscribers.set(owner, (subscribers.get(owner) ?? new Set()).add(from)),
          unsubscribe: (owner) => void subscribers.get(owner)?.delete(from),
          broadcast: (owner, passedOn) => {
            for (const send of subscribers.get(owner) ?? []) if (send !== from) send(passedOn)
          },
        }),
      )
      from(answer.message)
    },
    leave(gone) {
      for (const sends of subscribers.values()) sends.delete(gone)
    },
    async close() {
      await sqlite[Symbol.asyncDispose]()
    },
  }
}
