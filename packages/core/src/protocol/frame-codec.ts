/**
 * Frames: one message each way, as a MessagePack map whose `type` names the message. Sizes are checked before anything
 * is read, and every field after it: a message that comes out of here has the shape that its type says, and no more.
 * Decoders throw MALFORMED, TOO_LARGE or PROTOCOL_VERSION, and nothing else (PRO2).
 *
 *     exchange (HTTP, either way) = frames, each prefixed with its length as a varint
 */
import { deviceIdToBytes } from '../clock/dot.ts'
import { ByteReader, ByteWriter, malformed } from '../codec/bytes.ts'
import { DriftlogError } from '../errors.ts'
import type { Cursor } from '../log/batch-store.ts'
import { clientMessage, type Fields, serverMessage } from './message-reader.ts'
import {
  type ClientMessage,
  type EntryPage,
  MAX_EXCHANGE_BYTES,
  MAX_EXCHANGE_FRAMES,
  MAX_FRAME_BYTES,
  type PushOutcome,
  type RefusalDetails,
  type ServerMessage,
} from './messages.ts'
import { decodeWire, encodeWire } from './wire-value.ts'

/** Throws TOO_LARGE where the message does not fit a frame. */
export const encodeFrame = (message: ClientMessage | ServerMessage): Uint8Array => {
  const frame = encodeWire(toWire(message))
  checkFrameSize(frame)
  return frame
}

export const decodeClientFrame = (frame: Uint8Array): ClientMessage => clientMessage(decodeFields(frame))

export const decodeServerFrame = (frame: Uint8Array): ServerMessage => serverMessage(decodeFields(frame))

/** The body of an HTTP request or answer. */
export const encodeExchange = (messages: readonly (ClientMessage | ServerMessage)[]): Uint8Array => {
  const writer = new ByteWriter(1_024)
  for (const message of messages) writer.bytes(encodeFrame(message))
  return writer.finish()
}

export const decodeClientExchange = (body: Uint8Array): ClientMessage[] => framesOf(body).map(decodeClientFrame)

export const decodeServerExchange = (body: Uint8Array): ServerMessage[] => framesOf(body).map(decodeServerFrame)

const framesOf = (body: Uint8Array): Uint8Array[] => {
  if (body.length > MAX_EXCHANGE_BYTES) {
    throw new DriftlogError('TOO_LARGE', 'exchange', { bytes: body.length, limit: MAX_EXCHANGE_BYTES })
  }
  const reader = new ByteReader(body)
  const frames: Uint8Array[] = []
  while (reader.remaining > 0) {
    if (frames.length >= MAX_EXCHANGE_FRAMES) throw malformed('too many frames')
    frames.push(reader.bytes())
  }
  return frames
}

const checkFrameSize = (frame: Uint8Array): void => {
  if (frame.length <= MAX_FRAME_BYTES) return
  throw new DriftlogError('TOO_LARGE', 'frame', { bytes: frame.length, limit: MAX_FRAME_BYTES })
}

const decodeFields = (frame: Uint8Array): Fields => {
  checkFrameSize(frame)
  const value = decodeWire(frame)
  if (!(value instanceof Map)) throw malformed('a frame is a map')
  return value
}

/** What of an error's evidence may travel: flat scalars. */
export const toRefusalDetails = (details: Readonly<Record<string, unknown>>): RefusalDetails => {
  const flat: Record<string, string | number | boolean> = {}
  for (const [key, value] of Object.entries(details).slice(0, 8)) {
    if (!/^[a-z]\w{0,31}$/i.test(key)) continue
    if (typeof value === 'number' || typeof value === 'boolean') flat[key] = value
    else if (typeof value === 'string') flat[key] = value.toWellFormed().slice(0, 200).toWellFormed()
  }
  return flat
}

// Fields in a fixed order, so that equal messages are equal bytes.
const toWire = (message: ClientMessage | ServerMessage): object => {
  switch (message.type) {
    case 'hello': {
      const { type, protocol, space, token, pass, cursor, digest } = message
      return {
        type,
        protocol,
        space,
        ...(token !== undefined && { token }),
        ...(pass !== undefined && { pass }),
        ...(cursor !== undefined && { cursor: wireCursor(cursor) }),
        ...(digest !== undefined && { digest }),
      }
    }
    case 'push':
      return { type: message.type, id: message.id, batches: message.batches }
    case 'pull': {
      const { type, id, after, above } = message
      return {
        type,
        id,
        ...(after !== undefined && { after: wireCursor(after) }),
        ...(above !== undefined && { above }),
      }
    }
    case 'locate': {
      const { type, id, device, points } = message
      return { type, id, device: deviceIdToBytes(device), points: points.map(({ seq, tag }) => [seq, tag]) }
    }
    case 'welcome': {
      const { type, protocol, serverTimeMs, role, inSync, cursorValid, end, tips, members, pruning } = message
      const common = { type, protocol, serverTimeMs, role, inSync, cursorValid, end: wireCursor(end) }
      return {
        ...common,
        ...(tips !== undefined && { tips }),
        ...(members !== undefined && { members: [members.length, members.head] }),
        ...(pruning !== undefined && { pruning }),
      }
    }
    case 'located':
      return { type: message.type, id: message.id, seq: message.seq }
    case 'entries':
      return 'entries' in message ? wireEntries(message) : { type: message.type, id: message.id, after: message.after }
    case 'propose':
      return { type: message.type, id: message.id, entry: message.entry }
    case 'proposed':
      return { type: message.type, id: message.id, position: message.position }
    case 'call':
      return { type: message.type, id: message.id, body: message.body }
    case 'reply':
      return { type: message.type, ...(message.id !== undefined && { id: message.id }), body: message.body }
    case 'pushed':
      return { type: message.type, id: message.id, outcomes: message.outcomes.map(wireOutcome) }
    case 'page': {
      const { type, id, from, batches, cursor, more } = message
      return { type, ...(id !== undefined && { id }), from, batches, cursor: wireCursor(cursor), more }
    }
    case 'refused': {
      const { type, id, code, message: sentence, details } = message
      return { type, ...(id !== undefined && { id }), code, message: sentence, details }
    }
    case 'ping':
      return { type: message.type }
    case 'pong':
      return { type: message.type, ...(message.members !== undefined && { members: message.members }) }
  }
}

const wireEntries = ({ type, id, after, entries, more }: EntryPage): object => ({
  type,
  ...(id !== undefined && { id }),
  after,
  entries,
  more,
})

const wireCursor = ({ position, tag }: Cursor): object => [position, tag]

const wireOutcome = (outcome: PushOutcome): number | object => {
  if (outcome.kind === 'appended') return 0
  if (outcome.kind === 'duplicate') return 1
  return { code: outcome.code, details: outcome.details }
}
