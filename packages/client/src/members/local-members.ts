/**
 * The log of members as this device has it: checked, kept in the local store beside the batches, and the keys that it brings.
 *
 *     "member/0000000001", … = the entries, as the server has them     "pass" = what a locked replica shows the server
 */
import {
  type BatchStore,
  DriftlogError,
  type Entry,
  equalBytes,
  type Keyring,
  makePass,
  type MemberSecrets,
  Membership,
  openEpochKeys,
  type RecordChange,
  type Role,
} from '@driftlog/core'
import { Subject } from 'rxjs'

const ENTRIES = 'member/'
const PASS = 'pass'
const entryKey = (position: number): string => `${ENTRIES}${String(position).padStart(10, '0')}`

/** A session's pass; the next connection has another one. */
const PASS_MS = 24 * 60 * 60 * 1_000
/** The pass of a replica that is locked: so long it can go on, once it was locked. */
const LOCKED_PASS_MS = 30 * PASS_MS

export const entryRecord = (position: number, value: Uint8Array): RecordChange => ({ key: entryKey(position), value })

/** Entries of a store after a position; those that were checked before they were stored. */
const storedEntries = async (store: BatchStore, space: string, after: number): Promise<Uint8Array[]> => {
  const first = entryKey(after + 1)
  return (await store.records(space, ENTRIES)).filter(({ key }) => key >= first).map(({ value }) => value)
}

export interface LocalMembersParts {
  readonly membership: Membership
  readonly keyring: Keyring
  /** undefined: locked. */
  readonly secrets: MemberSecrets | undefined
  /** What a locked replica shows the server, if there is such a pass. */
  readonly storedPass: Uint8Array | undefined
  /** The secret of this installation; undefined: locked. */
  readonly secret: Uint8Array | undefined
  /** The keys of the space, for the local store. */
  readonly keysRecord: ((keys: ReadonlyMap<number, Uint8Array>) => RecordChange) | undefined
}

export class LocalMembers {
  readonly #parts: LocalMembersParts
  /** After entries were taken in. */
  readonly changes = new Subject<void>()

  constructor(parts: LocalMembersParts) {
    this.#parts = parts
  }

  get membership(): Membership {
    return this.#parts.membership
  }

  get keyring(): Keyring {
    return this.#parts.keyring
  }

  /** undefined: locked. */
  get secrets(): MemberSecrets | undefined {
    return this.#parts.secrets
  }

  /** What `secrets` are made of. */
  get secret(): Uint8Array | undefined {
    return this.#parts.secret
  }

  /** What this installation may do now; undefined where it is no member's any more, or locked. */
  get role(): Role | undefined {
    const { membership, secrets } = this.#parts
    return secrets && membership.roleOf(secrets.signing.publicKey)
  }

  /** undefined where the replica is locked, and never was opened before. */
  pass(nowMs: number): Uint8Array | undefined {
    const { membership, secrets, storedPass } = this.#parts
    return secrets === undefined ? storedPass : makePass(membership.space, secrets.signing, nowMs + PASS_MS)
  }

  /** For when the replica is locked one day. */
  passRecord(nowMs: number): RecordChange | undefined {
    const { membership, secrets } = this.#parts
    return secrets && { key: PASS, value: makePass(membership.space, secrets.signing, nowMs + LOCKED_PASS_MS) }
  }

  /**
   * Takes in what comes next. Answers what is to be stored before anything that depends on it. Throws as `Membership.append` does
   * for the first entry that does not check out; so who cannot be sure takes in one at a time.
   */
  take(entries: readonly Uint8Array[]): RecordChange[] {
    const { membership, secrets, keyring, keysRecord } = this.#parts
    const records: RecordChange[] = []
    const before = membership.epoch
    for (const bytes of entries) {
      const { position }: Entry = membership.append(bytes)
      records.push(entryRecord(position, bytes.slice()))
    }
    if (secrets !== undefined && (membership.epoch > before || keyring.epoch < membership.epoch)) {
      // The newest may be missing, where who rotated sealed something else: then nothing is written (MEM10), and all the rest goes on.
      for (const [epoch, key] of openEpochKeys(membership, secrets).keys) keyring.add(epoch, key)
      if (keysRecord !== undefined) records.push(keysRecord(keyring.keys()))
    }
    if (records.length > 0) this.changes.next()
    return records
  }

  /** Takes in what another tab has stored. */
  async reload(store: BatchStore): Promise<void> {
    const { membership } = this.#parts
    const entries = await storedEntries(store, membership.space, membership.length)
    this.take(entries)
  }

  /** Whether an entry is in the log. */
  has(bytes: Uint8Array, position: number): boolean {
    const [entry] = this.#parts.membership.entriesAfter(position - 1, 1)
    return entry !== undefined && equalBytes(entry, bytes)
  }
}

/** The log of members of a store: empty where the space has none there. Rejects with STORAGE_DAMAGED. */
export const loadMembership = async (store: BatchStore, space: string): Promise<Membership> => {
  const membership = new Membership(space)
  const entries = await storedEntries(store, space, 0)
  try {
    // They were checked before they were stored, and each is bound by the next one's hash: so the signature of the last is enough.
    for (const [index, entry] of entries.entries()) membership.append(entry, index < entries.length - 1)
  } catch (cause) {
    if (!(cause instanceof DriftlogError)) throw cause
    const details = { space, position: membership.length + 1 }
    throw new DriftlogError('STORAGE_DAMAGED', 'the log of members', details, { cause })
  }
  return membership
}

/** Whether a space was founded or joined in this store: it opens with the key of an installation then, and with no other. */
export const hasMembers = async (store: BatchStore, space: string): Promise<boolean> =>
  (await store.records(space, entryKey(1))).length > 0

export const loadPass = async (store: BatchStore, space: string): Promise<Uint8Array | undefined> =>
  (await store.records(space, PASS)).find(({ key }) => key === PASS)?.value
