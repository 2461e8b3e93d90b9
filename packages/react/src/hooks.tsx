import type { Candidate, Replica, Status } from '@driftlog/client'
import type { QueryBuilder, Schema } from '@driftlog/core'
import type { Compilable } from 'kysely'
import { createContext, type DependencyList, type ReactNode, useContext, useMemo, useSyncExternalStore } from 'react'
import { liveValue, type LiveValue } from './live-value.ts'

export interface ReplicaProviderProps<S extends Schema> {
  readonly replica: Replica<S>
  readonly children: ReactNode
}

/** The hooks of one schema. */
export interface ReplicaHooks<S extends Schema> {
  /** Offers an open replica to the hooks below it. Opening and closing it stay with the app. */
  ReplicaProvider(props: ReplicaProviderProps<S>): ReactNode
  useReplica(): Replica<S>
  /**
   * The rows of a live query: undefined until the first result, then after every change that alters them. Rows that did
   * not change keep their identity. `deps` are the values that `query` closes over, as in `useMemo`; other values start
   * another query, undefined at first again. A query that fails throws to the nearest error boundary.
   */
  useQuery<O>(query: (db: QueryBuilder<S>) => Compilable<O>, deps: DependencyList): readonly O[] | undefined
  useStatus(): Status
  /** The concurrent values of a field, the shown one first; one value or none where nobody disagrees. */
  useCandidates<K extends keyof S['tables'] & string>(
    table: K,
    id: string,
    field: keyof S['tables'][K]['fields'] & string,
  ): readonly Candidate[]
}

/**
 * Hooks typed by a schema, made once per app:
 *
 *     export const { ReplicaProvider, useQuery, useReplica, useStatus } = createReplicaHooks<typeof schema>()
 */
export const createReplicaHooks = <S extends Schema>(): ReplicaHooks<S> => {
  const ReplicaContext = createContext<Replica<S> | undefined>(undefined)

  const useReplica = (): Replica<S> => {
    const replica = useContext(ReplicaContext)
    if (replica === undefined) throw new Error('The hooks of a replica work below its ReplicaProvider.')
    return replica
  }

  return {
    ReplicaProvider: ({ replica, children }) => <ReplicaContext value={replica}>{children}</ReplicaContext>,

    useReplica,

    useQuery(query, deps) {
      const replica = useReplica()
      // `query` is a new function at every render; what it closes over is what tells one query from another.
      // oxlint-disable-next-line react-hooks/exhaustive-deps
      const rows = useMemo(() => liveValue(() => replica.watch(query)), [replica, ...deps])
      return useLive(rows)
    },

    useStatus() {
      const replica = useReplica()
      const status = useMemo(() => liveValue(() => replica.status$), [replica])
      return useLive(status) ?? replica.status
    },

    useCandidates(table, id, field) {
      const replica = useReplica()
      const candidates = useMemo(
        () => ({
          // Every op that comes in moves the status, also one that loses to the value that is shown.
          subscribe(onChange: () => void) {
            const subscription = replica.status$.subscribe(onChange)
            return () => subscription.unsubscribe()
          },
          read: keepEqual(() => replica.candidates(table, id, field), equalCandidates),
        }),
        [replica, table, id, field],
      )
      return useSyncExternalStore(candidates.subscribe, candidates.read, candidates.read)
    },
  }
}

const useLive = <T,>(live: LiveValue<T>): T | undefined => {
  const { value, error } = useSyncExternalStore(live.subscribe, live.read, live.read)
  if (error !== undefined) throw error
  return value
}

/** React compares snapshots by identity: an equal answer must be the same object. */
const keepEqual = <T,>(read: () => T, isEqual: (a: T, b: T) => boolean): (() => T) => {
  let kept: { readonly value: T } | undefined
  return () => {
    const value = read()
    if (kept === undefined || !isEqual(kept.value, value)) kept = { value }
    return kept.value
  }
}

const equalCandidates = (a: readonly Candidate[], b: readonly Candidate[]): boolean =>
  a.length === b.length &&
  a.every((candidate, index) => {
    const other = b[index]
    return other !== undefined && candidate.author === other.author && candidate.at.getTime() === other.at.getTime()
  })
