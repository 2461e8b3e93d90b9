import type { Candidate, Replica, Status } from '@driftlog/client'
import { type Conflict, type QueryBuilder, reconcileRows, type Schema } from '@driftlog/core'
import type { Compilable } from 'kysely'
import type { Observable } from 'rxjs'
import { createContext, type DependencyList, type ReactNode, useContext, useMemo, useSyncExternalStore } from 'react'
import { liveValue, type LiveValue } from './live-value.ts'

export interface ReplicaProviderProps<S extends Schema> {
  readonly replica: Replica<S>
  readonly children: ReactNode
}

/** Whose conflicts. */
export interface ConflictFilter<S extends Schema> {
  readonly table?: keyof S['tables'] & string
  readonly rowId?: string
}

/** Taking back and making again what this replica wrote. */
export interface UndoHook {
  undo(): void
  redo(): void
  readonly canUndo: boolean
  readonly canRedo: boolean
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
  /**
   * What is concurrent now: `open` asks for a person, for the rest a rule has chosen. All of it, that of a table, or that of one row. A
   * conflict that did not change keeps its identity, and the array too where none did.
   */
  useConflicts(of?: ConflictFilter<S>): readonly Conflict[]
  /** The concurrent values of a field, the latest first; one value or none where nobody disagrees. */
  useCandidates<K extends keyof S['tables'] & string>(
    table: K,
    id: string,
    field: keyof S['tables'][K]['fields'] & string,
  ): readonly Candidate[]
  useUndo(): UndoHook
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

    useConflicts({ table, rowId } = {}) {
      const replica = useReplica()
      const conflicts = useMemo(() => {
        const isMeant = (conflict: Conflict): boolean =>
          (table === undefined || conflict.table === table) && (rowId === undefined || concerns(conflict, rowId))
        return {
          subscribe: listenTo(() => replica.conflicts$),
          read: keepEqual(() => replica.conflicts.filter(isMeant), equalItems),
        }
      }, [replica, table, rowId])
      return useSyncExternalStore(conflicts.subscribe, conflicts.read, conflicts.read)
    },

    useCandidates(table, id, field) {
      const replica = useReplica()
      const candidates = useMemo(
        () => ({
          subscribe: listenTo(() => replica.changes$),
          read: keepEqual(() => replica.candidates(table, id, field), equalRows),
        }),
        [replica, table, id, field],
      )
      return useSyncExternalStore(candidates.subscribe, candidates.read, candidates.read)
    },

    useUndo() {
      const replica = useReplica()
      const undo = useMemo(
        () => ({
          subscribe: listenTo(() => replica.changes$),
          read: keepEqual(
            () => ({
              undo: () => void replica.undo(),
              redo: () => void replica.redo(),
              canUndo: replica.canUndo,
              canRedo: replica.canRedo,
            }),
            (a, b) => a.canUndo === b.canUndo && a.canRedo === b.canRedo,
          ),
        }),
        [replica],
      )
      return useSyncExternalStore(undo.subscribe, undo.read, undo.read)
    },
  }
}

const listenTo =
  (source: () => Observable<unknown>) =>
  (onChange: () => void): (() => void) => {
    const subscription = source().subscribe(onChange)
    return () => subscription.unsubscribe()
  }

/** The conflict is of the row or, where several show one value, of it too. */
const concerns = ({ kind, rowId, candidates }: Conflict, id: string): boolean =>
  rowId === id || (kind === 'unique' && candidates.some(({ value }) => value === id))

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

const equalItems = (a: readonly unknown[], b: readonly unknown[]): boolean =>
  a.length === b.length && a.every((item, index) => item === b[index])

const equalRows = <T,>(a: readonly T[], b: readonly T[]): boolean => reconcileRows(a, b) === a
