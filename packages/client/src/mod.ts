export type { BackupOptions } from './backup/make-backup.ts'
export {
  type BackupProgress,
  type RestoredBackup,
  restoreBackup,
  type RestoreOptions,
} from './backup/restore-backup.ts'
export type { Receipt } from './mutate/receipts.ts'
export type { Draft, DraftMemory } from './mutate/draft.ts'
export type { DraftOption, TableWriter, Tx } from './mutate/tx.ts'
export { type ReplicaKey } from './keys/load-keys.ts'
export { isSpaceKey, newSpaceKey, type SpaceKey } from './keys/space-key.ts'
export { createVault, hasVault, unlockVault, Vault, type VaultOptions, type VaultSecret } from './keys/vault.ts'
export {
  installationCode,
  type InstallationCode,
  type InstallationKey,
  isInstallationKey,
  newInstallationKey,
} from './keys/installation-key.ts'
export { foundSpace, type FoundSpaceOptions } from './members/found-space.ts'
export { type InvitationCode, isInvitationCode } from './members/invitation-code.ts'
export { hasMembers } from './members/local-members.ts'
export { joinSpace, type JoinSpaceOptions } from './members/join-space.ts'
export type { Guest, InstallationInfo, InvitationInfo, MemberInfo, MemberList, Members } from './members/members.ts'
export { type SpaceCode, writeSpaceCode } from './members/space-code.ts'
export { openReplica, type ReplicaOptions } from './open-replica.ts'
export type { SqlJsOptions } from './query/sql-js.ts'
export type { HistoryChange, HistoryChangeKind, HistoryEntry } from './query/history.ts'
export type { Candidate, MutateOptions, Replica } from './replica.ts'
export type { Status } from './status/status.ts'
export { http, type HttpOptions } from './transport/http.ts'
export type { Connection, Failure, TokenSource, Transport, TransportEvents } from './transport/transport.ts'
export { webSocket, type WebSocketOptions } from './transport/web-socket.ts'
