import { openReplica, type Replica, type Transport, webSocket } from '@driftlog/client'
import type { BatchStore } from '@driftlog/core'
import wasmUrl from 'sql.js/dist/sql-wasm-browser.wasm?url'
import type { OwnKey } from '../keys/kept-key.ts'
import { type Config, fetchConfig } from './config.ts'
import { type AppSchema, schema } from './schema.ts'

/** Tokens expire: each connection asks for the present one, and makes do with the last one known. */
const presentToken = (config: Config) => async (): Promise<string> => {
  try {
    return (await fetchConfig()).token
  } catch {
    return config.token
  }
}

export const serverOf = (config: Config): Transport => webSocket(config.url, { token: presentToken(config) })

export interface AppReplicaOptions {
  readonly space: string
  readonly key: OwnKey
  readonly store: BatchStore
  readonly transport: Transport
}

export const openAppReplica = (options: AppReplicaOptions): Promise<Replica<AppSchema>> =>
  openReplica({ schema, ...options, sqlJs: { locateFile: () => wasmUrl }, online: wantsOnline() })

// The person's wish to be offline holds for one window, through reloads: each window is a device of its own.
const OFFLINE = 'driftlog:offline'

export const wantsOnline = (): boolean => sessionStorage.getItem(OFFLINE) === null

export const setWantsOnline = (replica: Replica<AppSchema>, online: boolean): void => {
  if (online) sessionStorage.removeItem(OFFLINE)
  else sessionStorage.setItem(OFFLINE, '')
  replica.setOnline(online)
}

/** Tries to reach the server now instead of after the pause that follows a failed attempt. */
export const reconnect = (replica: Replica<AppSchema>): void => {
  // How it went is what the status shows.
  replica.sync().catch(() => {})
}

/** The network came back, or the person did: both are reasons not to wait for the next attempt. */
export const reconnectOnReturn = (replica: Replica<AppSchema>): void => {
  addEventListener('online', () => reconnect(replica))
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible') reconnect(replica)
  })
}

/** Asks the browser not to evict the tasks when the disk gets full. Some browsers ask the person: so not at the start. */
export const askToKeepData = async (): Promise<void> => {
  if ((await navigator.storage?.persisted?.()) === false) await navigator.storage.persist()
}
