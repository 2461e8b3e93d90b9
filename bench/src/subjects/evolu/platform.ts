/** Evolu put together for Node from its public parts: all of its threads in this one. */
import {
  createBroadcastChannel,
  createConsole,
  createConsoleStoreOutput,
  createEvolu,
  createRun,
  type CreateSqliteDriver,
  type CreateWebSocket,
  type Evolu,
  type SyncState,
  testCreateLockManager,
} from '@evolu/common'
import { createEvoluDeps, initSharedWorker, startDbWorker, syncStateToOwnerSyncStates } from '@evolu/common/local-first'
import { installPolyfills } from '@evolu/common/polyfills'
import { createMessageChannel, createMessagePort, createSharedWorker, createWorker } from './ports.ts'
import { appName, appOwner, schema } from './schema.ts'

installPolyfills()

export interface Opened {
  readonly evolu: Evolu<typeof schema>
  /** Everything is at the relay, and what the relay sent is taken in. */
  isSynced(): boolean
  /** Calls whenever that may have changed. */
  onSyncState(changed: () => void): () => void
  close(): Promise<void>
}

export const openEvolu = async (
  createSqliteDriver: CreateSqliteDriver,
  createWebSocket: CreateWebSocket,
): Promise<Opened> => {
  const console = createConsole({ level: 'error' })
  const shared = {
    console,
    consoleStoreOutputEntry: createConsoleStoreOutput().entry,
    createMessageChannel,
    createMessagePort,
    createBroadcastChannel,
    createWebSocket,
    createSqliteDriver,
    // Devices of one person in one process would wait for each other as tabs do.
    lockManager: testCreateLockManager(),
    reloadApp: () => {},
  }
  const workers = createRun(shared)
  let sharedWorkerStarted!: Promise<AsyncDisposableStack>
  let dbWorkerEnded: Promise<void> | undefined
  const deps = createEvoluDeps({
    ...shared,
    sharedWorker: createSharedWorker((self) => {
      sharedWorkerStarted = workers.ok(initSharedWorker(self))
    }),
    createDbWorker: () =>
      createWorker((self) => {
        dbWorkerEnded = workers.ok(startDbWorker(self))
      }),
  })
  const run = createRun(deps)
  const evolu = await run.ok(createEvolu(schema, { appName, appOwner, transports: [] }))
  const isSynced = (): boolean => {
    const state: SyncState | null = deps.syncState.get()
    const owners = state === null ? [] : syncStateToOwnerSyncStates(state)
    return owners.length > 0 && owners.every(({ status }) => status === 'synced')
  }
  return {
    evolu,
    isSynced,
    onSyncState: (changed) => deps.syncState.subscribe(changed),
    async close() {
      await evolu[Symbol.asyncDispose]()
      // The database closes with its worker, and that one with the shared worker.
      await (await sharedWorkerStarted).disposeAsync()
      await dbWorkerEnded
    },
  }
}
