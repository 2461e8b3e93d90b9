import {
  type Backlog,
  type DeviceId,
  DriftlogError,
  type ErrorCode,
  type SessionStatus,
  type VersionVector,
  type RefusedBranch,
} from '@driftlog/core'

/** What a person wants to know of a replica. Flags can hold together; `summary` is the one word for all of it. */
export interface Status {
  /**
   * `error`: something stands in the way that will not pass by itself. `offline`: not connected. `syncing`: connected, and
   * something is on its way. `conflict`: in sync, and a conflict is open. Else `up-to-date`.
   */
  readonly summary: 'offline' | 'syncing' | 'conflict' | 'up-to-date' | 'error'
  /** The server has answered on the present connection. */
  readonly online: boolean
  readonly syncing: boolean
  /** Ops held here that the server lacks, as far as is known. */
  readonly pending: number
  /** Own ops that are not durable on this device yet. */
  readonly unsaved: number
  /** Ops held here that wait for something that they saw. */
  readonly waiting: number
  /** Ops of a newer format, kept aside until the app is updated. */
  readonly parked: number
  /** Ops that are encrypted with a key that is not here, kept aside until it comes. */
  readonly locked: number
  /** Ops that no key opens, taken in while there was none to try. Nothing can be done about them, and nothing else suffers. */
  readonly unopenable: number
  /**
   * What the server has and the key here does not open, by branch: it was not taken in. An `error` only where nothing of what
   * the server has opens, for then it is the key here that is most likely wrong; else somebody pushed who lacks the key.
   */
  readonly foreign: readonly RefusedBranch[]
  /** Stored batches that rotted and are left out until they were fetched again, with what goes on from them. */
  readonly damaged: number
  /** Open conflicts: what no rule decides, and a person is asked for. See `Replica.conflicts$`. */
  readonly conflicts: number
  /** Somebody writes with a newer version of the schema than this app's: it should be updated. undefined: nobody does. */
  readonly newerSchema: number | undefined
  readonly error: { readonly code: ErrorCode; readonly message: string } | undefined
  /** Mutations are refused until the local storage works again. */
  readonly readOnly: boolean
  /** When this device and the server last had the same ops, as far as was known then; undefined: not since the opening. */
  readonly lastSyncedAt: Date | undefined
}

/** Codes that a later attempt may get past without anyone doing anything: they show as offline, not as an error. */
const PASSING: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['UNAVAILABLE', 'RATE_LIMITED'])

export const statusError = (
  storage: { readonly code: ErrorCode; readonly message: string } | undefined,
  damage: { readonly code: ErrorCode; readonly message: string } | undefined,
  session: SessionStatus,
  aside: DriftlogError | undefined,
): Status['error'] => {
  const refused = session.refused.filter((branch) => !isForeign(branch))
  const found = [storage, damage, session.error, ...refused, aside].find(
    (fault) => fault !== undefined && !PASSING.has(fault.code),
  )
  if (found === undefined) return undefined
  return { code: found.code, message: 'message' in found ? found.message : describeRefusal(found) }
}

/** What is held and will not be shown by itself. `isLocked`: all of it waits for the key, as was asked for. */
export const asideError = ({ parked, locked }: Backlog, isLocked: boolean): DriftlogError | undefined => {
  if (parked > 0) return new DriftlogError('FORMAT_UNKNOWN', `${parked} ops; update this app`)
  return locked > 0 && !isLocked ? new DriftlogError('KEY_MISSING', `${locked} ops`) : undefined
}

/** SPEC KEY7: a branch that the key here does not open. */
export const isForeign = ({ code }: RefusedBranch): boolean => code === 'KEY_WRONG'

const describeRefusal = ({ device, code, details }: RefusedBranch): string => {
  const particulars = Object.entries({ device, ...details }).map(([name, value]) => `${name} ${value}`)
  return new DriftlogError(code, particulars.join(', ')).message
}

export const summarize = (status: Omit<Status, 'summary'>): Status['summary'] => {
  if (status.error !== undefined) return 'error'
  if (!status.online) return 'offline'
  if (status.syncing || status.pending > 0 || status.unsaved > 0 || status.waiting > 0) return 'syncing'
  return status.conflicts > 0 ? 'conflict' : 'up-to-date'
}

/** How many ops `held` has above `known`. `baseOf`: the seq before the first of a branch. */
export const countAbove = (
  held: Iterable<readonly [DeviceId, number]>,
  known: VersionVector,
  baseOf: (branch: DeviceId) => number,
): number => {
  let count = 0
  for (const [branch, seq] of held) {
    const knownSeq = known.get(branch) ?? 0
    if (seq > knownSeq) count += seq - Math.max(knownSeq, baseOf(branch))
  }
  return count
}

export const equalStatus = (a: Status, b: Status): boolean =>
  a.error?.code === b.error?.code &&
  a.error?.message === b.error?.message &&
  a.lastSyncedAt?.getTime() === b.lastSyncedAt?.getTime() &&
  a.foreign.length === b.foreign.length &&
  a.foreign.every(({ branch }, index) => branch === b.foreign[index].branch) &&
  (
    [
      'summary',
      'online',
      'syncing',
      'pending',
      'unsaved',
      'waiting',
      'parked',
      'locked',
      'unopenable',
      'damaged',
      'conflicts',
      'newerSchema',
      'readOnly',
    ] as const
  ).every((key) => a[key] === b[key])
