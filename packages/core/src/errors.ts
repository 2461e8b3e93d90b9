/**
 * Every refusal that a caller can meet, by stable code. Expected failures are data: a code, a sentence that says what
 * happened, what was kept and what to do, and `details` as evidence. Bugs are plain `Error`s.
 */
const catalogue = {
  // The caller's input.
  VALUE_INVALID: 'A value cannot be represented in the log; the mutation was refused whole and nothing was written.',
  SCHEMA_INVALID: 'The schema definition is not usable; nothing was opened.',
  ROW_NOT_FOUND: 'The row does not exist or is deleted; the mutation was refused whole.',
  ITEM_NOT_FOUND: 'The list has no such item, or not any more; the mutation was refused whole.',
  ROW_ERASED: 'The row was erased for good; nothing can be written to it any more. The mutation was refused whole.',
  VALUE_TAKEN: 'Another row has this value in a field that is to be unique; the mutation was refused whole.',
  CONFLICT_GONE: 'The conflict is not there any more, or not as it was shown; nothing was written.',
  STRATEGY_FAILED: 'A strategy of the schema failed to choose; the latest value is shown, and nothing is lost.',
  QUERY_INVALID: 'The query was refused or failed; no data was changed.',
  OPTION_INVALID: 'An option has a value that cannot be used; nothing was done.',
  // This device.
  CLOSED: 'The replica is closed; what was stored is kept.',
  READ_ONLY: 'Writing is stopped until the local storage works again; what was written before is kept.',
  STORAGE_FULL: 'The local storage is full; unsaved mutations are kept in memory and retried.',
  STORAGE_FAILED: 'The local storage failed; unsaved mutations are kept in memory and retried.',
  STORAGE_DAMAGED:
    'A stored record does not check out; it was left in place and not used, and is fetched again where another copy exists.',
  SLOT_TAKEN: 'Another tab or process is writing under this device slot.',
  RECORD_EXISTS: 'A record that was not to be there yet is there; nothing of the call was stored.',
  // Bytes.
  MALFORMED: 'Bytes do not decode; they were refused as if they had not come.',
  TOO_LARGE: 'Something is larger than its limit; it was refused before it was parsed.',
  FORMAT_UNKNOWN: 'Written by a newer format; it is kept aside until this app is updated.',
  CERTIFICATE_INVALID: "A device's certificate does not check out; its batch was refused.",
  SIGNATURE_INVALID: 'A batch is not signed by the device that it names; it was refused.',
  KEY_MISSING: 'No key of that epoch of the space is here; what needs it is kept, and opened when the key comes.',
  KEY_WRONG: 'It is encrypted with another key than the one that is here; nothing was changed.',
  KEYS_DAMAGED:
    'Keys that are stored on this device do not check out, whatever opens them; what they protect is left in place.',
  BACKUP_DAMAGED: 'The file is no backup, or not as it was written; nothing of it was taken.',
  // Members.
  NOT_A_MEMBER: 'This device is not, or no longer, a member of the space; what it wrote and holds is kept here.',
  MEMBERS_REFUSED: 'The entry is not allowed where it would stand in the log of members; nothing was changed.',
  MEMBERS_FORKED:
    'The server has another log of members than this device has checked; nothing is synced until that is cleared up.',
  PRUNING_REFUSED: 'The statement about pruning does not hold where it would stand; nothing was changed.',
  BASE_DISPUTED:
    'Two devices made different bases of the same history; nothing is pruned, and everything is kept, until that is cleared up.',
  INVITATION_INVALID: 'The invitation is not one, or was used, withdrawn or has expired; nothing was changed.',
  CHAIN_BROKEN: 'A batch does not continue the chain that its header names; it was refused.',
  // Admission by a server.
  GAP: 'The batch starts after a gap; send from `have + 1`.',
  FORK: 'Another history is known under this device id; nothing was overwritten.',
  BELOW_BASE:
    'The batch goes on from history that was pruned, or is part of it, and cannot be judged any more; it is kept on the device.',
  CLOCK_AHEAD: "The batch is stamped further ahead of the server's clock than the bound; it is kept on the device.",
  BASE_MISMATCH: 'A cursor does not name the batch at its position; continue by vectors.',
  UNAUTHORIZED: 'No valid token was presented.',
  FORBIDDEN: 'The token does not allow this.',
  NOT_FOUND: 'There is no such space for this token.',
  PROTOCOL_VERSION: 'The other side speaks another protocol version; update the older one. The outbox is kept.',
  PROTOCOL_VIOLATION: 'A message came that is not allowed here; the session was closed.',
  RATE_LIMITED: 'Too many requests; slow down and try again.',
  UNAVAILABLE: 'The server cannot store right now; nothing was acknowledged. Try again.',
} as const

export type ErrorCode = keyof typeof catalogue

/** An expected failure. `message` is the catalogue's sentence followed by the particulars. */
export class DriftlogError extends Error {
  readonly code: ErrorCode
  readonly details: Readonly<Record<string, unknown>>

  constructor(code: ErrorCode, particulars = '', details: Record<string, unknown> = {}, options?: { cause?: unknown }) {
    super(particulars === '' ? catalogue[code] : `${catalogue[code]} (${particulars})`, options)
    this.name = 'DriftlogError'
    this.code = code
    this.details = details
  }
}

export const isErrorCode = (code: unknown): code is ErrorCode =>
  typeof code === 'string' && Object.hasOwn(catalogue, code)
