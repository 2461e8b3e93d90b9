export {
  type ConflictFilter,
  createReplicaHooks,
  type ReplicaHooks,
  type ReplicaProviderProps,
  type UndoHook,
} from './hooks.tsx'
