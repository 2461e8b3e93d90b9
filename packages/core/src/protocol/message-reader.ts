/**
 * From the fields of a frame to a message: every field is checked, none is passed on unread. Throws MALFORMED, TOO_LARGE
 * or PROTOCOL_VERSION.
 */
import { DEVICE_ID_BYTES, deviceIdFromBytes } from '../clock/dot.ts'
import { decodeVector } from '../clock/version-vector.ts'
import { malformed } from '../codec/bytes.ts'
import { HASH_BYTES } from '../crypto/sodium.ts'
import { DriftlogError, isErrorCode } from '../errors.ts'
import { MAX_ENTRY_BYTES } from '../membership/entry.ts'
import { MAX_PASS_BYTES } from '../membership/pass.ts'
import { isSpaceId, MAX_BATCH_BYTES, TAG_BYTES } from '../log/batch.ts'
import type { Cursor, Point } from '../log/batch-store.ts'
import {
  type ClientMessage,
  DIGEST_BYTES,
  ENTRIES_LIMIT,
  MAX_BODY_BYTES,
  MAX_MESSAGE_LENGTH,
  MAX_PAGE_BATCHES,
  MAX_POINTS,
  MAX_PUSH_BATCHES,
  MAX_TIPS_BYTES,
  MAX_TOKEN_LENGTH,
  MAX_VECTOR_BYTES,
  type MembersHead,
  PROTOCOL_VERSION,
  type PushOutcome,
  type Refused,
  type Role,
  type ServerMessage,
} from './messages.ts'
import { decodeTips } from './tip-codec.ts'
import type { WireValue } from './wire-value.ts'

export type Fields = ReadonlyMap<string, WireValue>

export const clientMessage = (fields: Fields): ClientMessage => {
  switch (fields.get('type')) {
    case 'hello': {
      // First of all: a hello of another version may well have other fields.
      checkVersion(fields)
      only(fields, 'protocol', 'space', 'token', 'pass', 'cursor', 'digest')
      const space = text(fields, 'space', MAX_TOKEN_LENGTH)
      if (!isSpaceId(space)) throw malformed('space')
      return {
        type: 'hello',
        protocol: PROTOCOL_VERSION,
        space,
        ...(fields.has('token') && { token: text(fields, 'token', MAX_TOKEN_LENGTH) }),
        ...(fields.has('pass') && { pass: bytes(fields, 'pass', 1, MAX_PASS_BYTES) }),
        ...(fields.has('cursor') && { cursor: cursor(fields, 'cursor') }),
        ...(fields.has('digest') && { digest: bytes(fields, 'digest', DIGEST_BYTES, DIGEST_BYTES) }),
      }
    }
    case 'push':
      only(fields, 'id', 'batches')
      return { type: 'push', id: integer(fields, 'id'), batches: batches(fields, 1, MAX_PUSH_BATCHES) }
    case 'pull': {
      only(fields, 'id', 'after', 'above')
      if (fields.has('after') === fields.has('above')) throw malformed('either after or above')
      const id = integer(fields, 'id')
      if (fields.has('after')) return { type: 'pull', id, after: cursor(fields, 'after') }
      return { type: 'pull', id, above: vector(fields, 'above') }
    }
    case 'locate':
      only(fields, 'id', 'device', 'points')
      return {
        type: 'locate',
        id: integer(fields, 'id'),
        device: deviceIdFromBytes(bytes(fields, 'device', DEVICE_ID_BYTES, DEVICE_ID_BYTES)),
        points: points(fields),
      }
    case 'entries':
      only(fields, 'id', 'after')
      return { type: 'entries', id: integer(fields, 'id'), after: integer(fields, 'after') }
    case 'propose':
      only(fields, 'id', 'entry')
      return { type: 'propose', id: integer(fields, 'id'), entry: bytes(fields, 'entry', 1, MAX_ENTRY_BYTES) }
    case 'call':
      only(fields, 'id', 'body')
      return { type: 'call', id: integer(fields, 'id'), body: bytes(fields, 'body', 1, MAX_BODY_BYTES) }
    case 'ping':
      only(fields)
      return { type: 'ping' }
    default:
      throw malformed('unknown message type')
  }
}

export const serverMessage = (fields: Fields): ServerMessage => {
  switch (fields.get('type')) {
    case 'welcome':
      checkVersion(fields)
      only(fields, 'protocol', 'serverTimeMs', 'role', 'inSync', 'cursorValid', 'end', 'tips', 'members', 'pruning')
      if (fields.has('tips') === flag(fields, 'inSync')) throw malformed('tips exactly where out of sync')
      return {
        type: 'welcome',
        protocol: PROTOCOL_VERSION,
        serverTimeMs: integer(fields, 'serverTimeMs'),
        role: role(fields),
        inSync: flag(fields, 'inSync'),
        cursorValid: flag(fields, 'cursorValid'),
        end: cursor(fields, 'end'),
        ...(fields.has('tips') && { tips: tips(fields) }),
        ...(fields.has('members') && { members: membersHead(fields) }),
        ...(fields.has('pruning') && { pruning: bytes(fields, 'pruning', DIGEST_BYTES, DIGEST_BYTES) }),
      }
    case 'pushed':
      only(fields, 'id', 'outcomes')
      return {
        type: 'pushed',
        id: integer(fields, 'id'),
        outcomes: list(fields, 'outcomes', 1, MAX_PUSH_BATCHES).map(outcome),
      }
    case 'page':
      only(fields, 'id', 'from', 'batches', 'cursor', 'more')
      return {
        type: 'page',
        ...(fields.has('id') && { id: integer(fields, 'id') }),
        from: integer(fields, 'from'),
        batches: batches(fields, 0, MAX_PAGE_BATCHES),
        cursor: cursor(fields, 'cursor'),
        more: flag(fields, 'more'),
      }
    case 'entries':
      only(fields, 'id', 'after', 'entries', 'more')
      return {
        type: 'entries',
        ...(fields.has('id') && { id: integer(fields, 'id') }),
        after: integer(fields, 'after'),
        entries: entries(fields),
        more: flag(fields, 'more'),
      }
    case 'proposed':
      only(fields, 'id', 'position')
      return { type: 'proposed', id: integer(fields, 'id'), position: integer(fields, 'position') }
    case 'located':
      only(fields, 'id', 'seq')
      return { type: 'located', id: integer(fields, 'id'), seq: integer(fields, 'seq') }
    case 'reply':
      only(fields, 'id', 'body')
      return {
        type: 'reply',
        ...(fields.has('id') && { id: integer(fields, 'id') }),
        body: bytes(fields, 'body', 0, MAX_BODY_BYTES),
      }
    case 'refused':
      only(fields, 'id', 'code', 'message', 'details')
      return {
        type: 'refused',
        ...(fields.has('id') && { id: integer(fields, 'id') }),
        ...refusal(fields),
        message: text(fields, 'message', MAX_MESSAGE_LENGTH),
      }
    case 'pong':
      only(fields, 'members')
      return { type: 'pong', ...(fields.has('members') && { members: integer(fields, 'members') }) }
    default:
      throw malformed('unknown message type')
  }
}

const checkVersion = (fields: Fields): void => {
  const theirs = integer(fields, 'protocol')
  if (theirs === PROTOCOL_VERSION) return
  throw new DriftlogError('PROTOCOL_VERSION', '', { theirs, ours: PROTOCOL_VERSION })
}

const only = (fields: Fields, ...names: readonly string[]): void => {
  for (const name of fields.keys()) if (name !== 'type' && !names.includes(name)) throw malformed('unknown field')
}

const integer = (fields: Fields, name: string): number => {
  const value = fields.get(name)
  // Object.is: a negative zero is not an integer that we write.
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0 || Object.is(value, -0)) {
    throw malformed(name)
  }
  return value
}

const flag = (fields: Fields, name: string): boolean => {
  const value = fields.get(name)
  if (typeof value !== 'boolean') throw malformed(name)
  return value
}

const text = (fields: Fields, name: string, maxLength: number): string => {
  const value = fields.get(name)
  if (typeof value !== 'string' || value.length > maxLength) throw malformed(name)
  return value
}

const bytes = (fields: Fields, name: string, minLength: number, maxLength: number): Uint8Array => {
  const value = fields.get(name)
  if (!(value instanceof Uint8Array) || value.length < minLength || value.length > maxLength) throw malformed(name)
  return value
}

const list = (fields: Fields, name: string, minLength: number, maxLength: number): readonly WireValue[] => {
  const value = fields.get(name)
  if (!Array.isArray(value) || value.length < minLength || value.length > maxLength) throw malformed(name)
  return value
}

const batches = (fields: Fields, minLength: number, maxLength: number): Uint8Array[] =>
  list(fields, 'batches', minLength, maxLength).map((value) => {
    if (!(value instanceof Uint8Array)) throw malformed('batches')
    if (value.length > MAX_BATCH_BYTES) {
      throw new DriftlogError('TOO_LARGE', 'batch', { bytes: value.length, limit: MAX_BATCH_BYTES })
    }
    return value
  })

const entries = (fields: Fields): Uint8Array[] =>
  list(fields, 'entries', 0, ENTRIES_LIMIT.entries).map((value) => {
    if (!(value instanceof Uint8Array) || value.length > MAX_ENTRY_BYTES) throw malformed('entries')
    return value
  })

const membersHead = (fields: Fields): MembersHead => {
  const value = fields.get('members')
  if (!Array.isArray(value) || value.length !== 2) throw malformed('members')
  const parts = new Map<string, WireValue>([
    ['length', value[0]],
    ['head', value[1]],
  ])
  return { length: integer(parts, 'length'), head: bytes(parts, 'head', HASH_BYTES, HASH_BYTES) }
}

const vector = (fields: Fields, name: string): Uint8Array => {
  const encoded = bytes(fields, name, 1, MAX_VECTOR_BYTES)
  decodeVector(encoded)
  return encoded
}

const tips = (fields: Fields): Uint8Array => {
  const encoded = bytes(fields, 'tips', 1, MAX_TIPS_BYTES)
  decodeTips(encoded)
  return encoded
}

const points = (fields: Fields): Point[] => {
  let previous = 0
  return list(fields, 'points', 1, MAX_POINTS).map((value) => {
    if (!Array.isArray(value) || value.length !== 2) throw malformed('points')
    const parts = new Map<string, WireValue>([
      ['seq', value[0]],
      ['tag', value[1]],
    ])
    const seq = integer(parts, 'seq')
    if (seq <= previous) throw malformed('points do not rise')
    previous = seq
    return { seq, tag: bytes(parts, 'tag', TAG_BYTES, TAG_BYTES) }
  })
}

const cursor = (fields: Fields, name: string): Cursor => {
  const value = fields.get(name)
  if (!Array.isArray(value) || value.length !== 2) throw malformed(name)
  const parts = new Map<string, WireValue>([
    ['position', value[0]],
    ['tag', value[1]],
  ])
  const position = integer(parts, 'position')
  const length = position === 0 ? 0 : TAG_BYTES
  return { position, tag: bytes(parts, 'tag', length, length) }
}

const role = (fields: Fields): Role => {
  const value = fields.get('role')
  if (value !== 'reader' && value !== 'writer' && value !== 'admin') throw malformed('role')
  return value
}

const outcome = (value: WireValue): PushOutcome => {
  if (value === 0) return { kind: 'appended' }
  if (value === 1) return { kind: 'duplicate' }
  if (!(value instanceof Map)) throw malformed('outcome')
  only(value, 'code', 'details')
  return { kind: 'refused', ...refusal(value) }
}

const refusal = (fields: Fields): Pick<Refused, 'code' | 'details'> => {
  const code = text(fields, 'code', 40)
  const given = fields.get('details')
  if (!(given instanceof Map) || given.size > 8) throw malformed('details')
  const details: Record<string, string | number | boolean> = {}
  for (const [key, value] of given) {
    if (!/^[a-z]\w*$/i.test(key)) throw malformed('details')
    if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean') throw malformed('details')
    details[key] = value
  }
  // PRO3: a newer server may know more codes. What it means is "not now" either way, and nothing is lost by asking later.
  return isErrorCode(code) ? { code, details } : { code: 'UNAVAILABLE', details: { code } }
}
