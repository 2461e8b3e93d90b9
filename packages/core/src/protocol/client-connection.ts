/** The device's side: opening, greeting, losing and giving up a connection. */
import { decodeVector, dominates } from '../clock/version-vector.ts'
import { type ErrorCode, DriftlogError } from '../errors.ts'
import { type Cursor, startCursor } from '../log/batch-store.ts'
import { type Draft, freshConnection, believed } from './client-state.ts'
import { PROTOCOL_VERSION, type Welcome } from './messages.ts'
import { vectorDigest } from './vector-digest.ts'

/** Refusals that waiting a second does not change: asked again only at the slowest rate (SYNC18). */
const lasting: ReadonlySet<ErrorCode> = new Set(['PROTOCOL_VERSION', 'NOT_FOUND', 'FORBIDDEN'])

export const isConnectedPhase = (phase: string): boolean =>
  phase === 'connecting' || phase === 'greeting' || phase === 'open'

export const faultOf = (code: ErrorCode, message?: string): { code: ErrorCode; message: string } => ({
  code,
  message: message ?? new DriftlogError(code).message,
})

/** Forgets everything that belongs to the connection. What is being stored goes on: its answer still counts. */
const endConnection = (draft: Draft): void => {
  if (isConnectedPhase(draft.state.phase)) draft.emit({ kind: 'disconnect' })
  Object.assign(draft.state, freshConnection)
  for (const name of draft.state.timers) draft.stopTimer(name)
}

export const goOffline = (draft: Draft): void => {
  endConnection(draft)
  draft.state.isWanted = false
  draft.state.phase = 'offline'
  draft.state.connectionFault = undefined
}

/** SYNC18: the connection failed or is given up; the next one comes after a back-off. */
export const fail = (draft: Draft, code?: ErrorCode, message?: string): void => {
  const { state } = draft
  endConnection(draft)
  state.failures++
  state.phase = 'waiting'
  state.connectionFault = code && faultOf(code, message)
  const isLasting = code !== undefined && lasting.has(code)
  draft.startTimer('backoff', isLasting ? state.timing.backoffMostMs : draft.backoffMs(state.failures))
}

/** SYNC7: a session opens with digests, so that replicas in sync exchange a few bytes. */
export const greet = (draft: Draft): void => {
  const { state } = draft
  state.phase = 'greeting'
  state.greetedWith = state.held
  // Who holds nothing has read everything up to the start, at every server.
  const cursor = state.held.size === 0 ? startCursor : state.cursor
  draft.send({
    type: 'hello',
    protocol: PROTOCOL_VERSION,
    space: state.space,
    ...(cursor !== undefined && { cursor }),
    digest: vectorDigest(state.held),
  })
}

export const welcomed = (draft: Draft, welcome: Welcome): void => {
  const { state } = draft
  if (state.phase !== 'greeting') return
  const sentCursor = state.greetedWith.size === 0 ? startCursor : state.cursor
  state.phase = 'open'
  state.role = welcome.role
  state.isWelcomed = true
  state.isQuietPoll = false
  state.connectionFault = undefined
  state.pullFault = undefined
  state.pushFault = undefined
  state.triedVector = false
  state.pullBy = 'cursor'
  state.pullWanted = false
  state.gaps = new Map()
  draft.emit({ kind: 'serverTime', serverTimeMs: welcome.serverTimeMs })
  if (welcome.vector === undefined) {
    state.server = believed(draft, state.greetedWith)
    state.promised = undefined
    adopt(draft, welcome.end)
    // Over a socket only work that got done, or a pong, proves a connection good; a poll is slow enough by itself.
    if (state.mode === 'roundTrip') state.failures = 0
  } else {
    const server = decodeVector(welcome.vector)
    state.server = believed(draft, server)
    state.promised = server
    if (dominates(state.held, server)) {
      // Nothing to pull, but a live session begins with the end of a pull (SYNC11).
      adopt(draft, welcome.end)
      state.pullWanted = state.mode === 'live'
    } else {
      state.pullWanted = true
      if (welcome.cursorValid && sentCursor !== undefined) state.received = sentCursor
      else byVector(draft)
    }
  }
  state.sent = state.server
  state.outboxDirty = !dominates(state.server, state.held)
}

/** SYNC10: everything up to `cursor` is held, so the device may go on from there. */
const adopt = (draft: Draft, cursor: Cursor): void => {
  draft.state.received = cursor
  saveCursor(draft, cursor)
}

/** Only for a cursor all of whose batches are durable here. */
export const saveCursor = (draft: Draft, cursor: Cursor): void => {
  const { state } = draft
  if (state.cursor?.position === cursor.position && state.cursor.tag.join() === cursor.tag.join()) return
  state.cursor = cursor
  draft.emit({ kind: 'saveCursor', cursor })
}

/** SYNC9: cursors do not help (another history, or something is missing below one): go by vectors, once a session. */
export const byVector = (draft: Draft): void => {
  const { state } = draft
  state.triedVector = true
  state.pullBy = 'vector'
  state.pullWanted = true
  // An answer that is still to come was to another question.
  state.pull = undefined
  state.received = startCursor
  state.inbox = []
}
