/** The device's side: opening, greeting, losing and giving up a connection. */
import { dominates, type VersionVector } from '../clock/version-vector.ts'
import { type ErrorCode, DriftlogError } from '../errors.ts'
import { type Cursor, startCursor } from '../log/batch-store.ts'
import { type Draft, freshConnection, isForeign, part } from './client-state.ts'
import type { ClientInput } from './client-types.ts'
import { PROTOCOL_VERSION, type Welcome } from './messages.ts'

/** Refusals that waiting a second does not change: asked again only at the slowest rate (SYNC18). */
const lasting: ReadonlySet<ErrorCode> = new Set([
  'PROTOCOL_VERSION',
  'NOT_FOUND',
  'FORBIDDEN',
  'NOT_A_MEMBER',
  'MEMBERS_FORKED',
])

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

/**
 * SYNC23: branches have other names now, so what is known of the server is about names that are gone. A new connection, at
 * once: nothing failed.
 */
export const renamed = (draft: Draft, held: VersionVector): void => {
  const { state } = draft
  state.held = held
  // Under the names of before. What is refused still will be refused again.
  if (state.refused.size > 0) state.refused = new Map()
  if (state.phase !== 'greeting' && state.phase !== 'open') return
  endConnection(draft)
  state.phase = 'waiting'
}

/** SYNC7: a session opens with digests, so that replicas in sync exchange a few bytes. */
export const greet = (draft: Draft): void => {
  const { state } = draft
  state.phase = 'greeting'
  state.greetedWith = state.held
  // Who holds nothing has read everything up to the start, at every server.
  const cursor = state.held.size === 0 ? startCursor : state.cursor
  const hello = { type: 'hello', protocol: PROTOCOL_VERSION, space: state.space } as const
  draft.emit({ kind: 'greet', hello: cursor === undefined ? hello : { ...hello, cursor } })
}

export const welcomed = (draft: Draft, welcome: Welcome): void => {
  const { state } = draft
  if (state.phase !== 'greeting' || state.placing !== undefined) return
  draft.emit({ kind: 'serverTime', serverTimeMs: welcome.serverTimeMs })
  if (welcome.tips !== undefined) {
    // Until it is known what they mean here, nothing is pushed or pulled.
    state.placing = { request: draft.nextId(), welcome }
    draft.emit({ kind: 'place', request: state.placing.request, tips: welcome.tips })
    return
  }
  open(draft, welcome, state.greetedWith)
  adopt(draft, welcome.end)
  // Over a socket only work that got done, or a pong, proves a connection good; a poll is slow enough by itself.
  if (state.mode === 'roundTrip') state.failures = 0
}

/** `server`: what it holds. */
const open = (draft: Draft, welcome: Welcome, server: VersionVector): void => {
  const { state } = draft
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
  state.questions = new Map()
  state.asking = undefined
  state.parted = new Map()
  state.promised = welcome.tips
  state.server = state.sent = server
  state.outboxDirty = !dominates(server, state.held)
}

/** The welcome's tips have been placed. */
export const opened = (draft: Draft, welcome: Welcome, placed: ClientInput & { kind: 'placed' }): void => {
  const { state } = draft
  const sentCursor = state.greetedWith.size === 0 ? startCursor : state.cursor
  open(draft, welcome, placed.vector)
  for (const branch of placed.forked) part(draft, branch)
  if (placed.unverified.every((branch) => isForeign(state, branch))) {
    // Nothing to pull, but a live session begins with the end of a pull (SYNC11).
    state.promised = undefined
    adopt(draft, welcome.end)
    state.pullWanted = state.mode === 'live'
  } else {
    state.pullWanted = true
    if (welcome.cursorValid && sentCursor !== undefined) state.received = sentCursor
    else byVector(draft)
  }
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

/** SYNC9: cursors do not help (another history, or something is missing below one): go by vectors. */
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
