export { createReplicaHooks, type ReplicaHooks, type ReplicaProviderProps } from './hooks.tsx'
