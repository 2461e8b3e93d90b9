/**
 * The device's side of a session, sans I/O: `(state, input) → { state, effects }`. It decides; a driver connects, sends,
 * stores and waits (client-types has the vocabulary).
 *
 *                goOnline                connected              welcome
 *     offline ────────────▶ connecting ───────────▶ greeting ───────────▶ open ─┐ roundTrip: poll
 *        ▲                    ▲     │                 │   ▲                 │   │
 *        │ goOffline          │     │ fails           │   └─────────────────┼───┘
 *        └── from any ──   waiting ◀┴─────────────────┴─────────────────────┘ fails: back-off
 *
 *     open, two halves that know nothing of each other:
 *       pull   wanted ─▶ asked ─▶ inbox ─▶ ingesting ─▶ wanted again while there is more ─▶ caught up (live pages)
 *       push   dirty ─▶ reading the outbox ─▶ in flight (a window) ─▶ acknowledged, set aside, or rewind
 *
 * After every input one function, `evaluate`, starts whatever can be started. Invariants:
 * - SYNC1 only what is in `held`, which is durable here, is ever digested, named in a vector or pushed;
 * - SYNC2 `cursor` moves only when what it covers is durable; `received` runs before it and dies with the connection;
 * - SYNC4 the outbox is read above what the server holds: `server` ≤ `sent` ≤ `server` joined with all in flight;
 * - SYNC13 at most one pull, one ingest and one outbox reading are under way, and at most MAX_WINDOW pushes;
 * - SYNC14 `server` rises only by the server's own word: a welcome, an outcome, a page;
 * - SYNC17 while something is outstanding at the server the watchdog runs; every wait ends by an answer or a timer;
 * - SYNC18 whatever fails is tried again only by a timer, and the delays grow until something gets done.
 */
import { equalVectors } from '../clock/version-vector.ts'
import {
  evaluateBranches,
  located,
  placed,
  placingFailed,
  pointsFailed,
  pointsRead,
  locateRefused,
} from './client-branches.ts'
import { evaluatePull, ingestFailed, isCaughtUp, pageCame, pullAgain, pullRefused, stored } from './client-pull.ts'
import {
  evaluatePush,
  forgetAdmitted,
  outboxFailed,
  outboxRead,
  pushAnswered,
  pushRefused,
  tryRefusedAgain,
} from './client-push.ts'
import { fail, faultOf, goOffline, greet, isConnectedPhase, renamed, welcomed } from './client-connection.ts'
import { type ClientSession, Draft, MENDING } from './client-state.ts'
import type { ClientEffect, ClientInput, SessionStatus, TimerName } from './client-types.ts'
import type { Refused, ServerMessage } from './messages.ts'

export interface ClientStep {
  readonly state: ClientSession
  readonly effects: readonly ClientEffect[]
}

export const stepClientSession = (before: ClientSession, input: ClientInput): ClientStep => {
  const draft = new Draft(before)
  apply(draft, input)
  forgetAdmitted(draft)
  evaluate(draft)
  keepTime(draft, input.kind === 'message' || input.kind === 'connected')
  const { state } = draft
  if (state.server !== before.server && !equalVectors(state.server, before.server)) {
    draft.emit({ kind: 'acknowledged', vector: state.server })
  }
  const status = sessionStatus(state)
  if (!sameStatus(sessionStatus(before), status) || before.refused !== state.refused) {
    draft.emit({ kind: 'status', status })
  }
  return { state, effects: draft.effects }
}

const apply = (draft: Draft, input: ClientInput): void => {
  const { state } = draft
  switch (input.kind) {
    case 'goOnline':
      state.isWanted = true
      if (state.phase === 'offline') state.phase = 'waiting'
      draft.stopTimer('backoff')
      // "The network is back": a connection from before may be dead without knowing it.
      if (state.phase === 'open' && state.mode === 'live') ping(draft)
      break
    case 'goOffline':
      goOffline(draft)
      break
    case 'connected':
      if (state.phase !== 'connecting') break
      tryRefusedAgain(draft)
      greet(draft)
      break
    case 'disconnected':
      if (isConnectedPhase(state.phase)) fail(draft, input.code, input.message)
      break
    case 'message':
      if (!isConnectedPhase(state.phase)) break
      state.pinged = false
      hear(draft, input.message)
      break
    case 'localAppended':
      state.held = input.held
      state.outboxDirty = true
      break
    case 'renamed':
      renamed(draft, input.held)
      break
    case 'placed':
      placed(draft, input)
      break
    case 'pointsRead':
      pointsRead(draft, input)
      break
    case 'outboxRead':
      outboxRead(draft, input)
      break
    case 'stored':
      stored(draft, input)
      break
    case 'storeFailed':
      if (state.ingesting?.request === input.request) ingestFailed(draft, input)
      else if (state.reading === input.request) outboxFailed(draft, input)
      else if (state.placing?.request === input.request) placingFailed(draft, input)
      else if (state.asking?.step.kind === 'reading' && state.asking.step.request === input.request) {
        pointsFailed(draft, input)
      }
      break
    case 'timer':
      if (draft.dropTimer(input.name)) timerFired(draft, input.name)
      break
    case 'refresh':
      // A connection that is not there yet asks by its hello.
      if (state.isWelcomed) state.refreshWanted = true
      else if (state.phase === 'waiting') draft.stopTimer('backoff')
      break
    case 'retryRefused':
      tryRefusedAgain(draft, input.branch)
      break
  }
}

const hear = (draft: Draft, message: ServerMessage): void => {
  switch (message.type) {
    case 'welcome':
      welcomed(draft, message)
      break
    case 'pushed':
      pushAnswered(draft, message)
      break
    case 'page':
      pageCame(draft, message)
      break
    case 'located':
      located(draft, message)
      break
    case 'refused':
      refused(draft, message)
      break
    case 'pong':
      draft.state.failures = 0
      break
    case 'entries':
    case 'proposed':
    case 'reply':
      // The log of members, and what counts about pruning, are kept beside the session, by who drives it (MEM9).
      break
  }
}

const refused = (draft: Draft, message: Refused): void => {
  const { state } = draft
  if (message.id === undefined) {
    fail(draft, message.code, faultOf(message.code).message)
    return
  }
  const push = state.inFlight.find(({ id }) => id === message.id)
  if (push !== undefined) pushRefused(draft, message, push)
  else if (message.id === state.pull) pullRefused(draft, message)
  else if (state.asking?.step.kind === 'asked' && message.id === state.asking.step.id) locateRefused(draft, message)
}

const timerFired = (draft: Draft, name: TimerName): void => {
  switch (name) {
    case 'watchdog':
      fail(draft)
      break
    case 'ping':
      ping(draft)
      break
    case 'poll':
      draft.state.pollDue = true
      break
    case 'gapRetry':
      pullAgain(draft)
      break
    case 'asideRetry':
      for (const { branch, code } of draft.state.refused.values()) {
        if (MENDING.has(code)) tryRefusedAgain(draft, branch)
      }
      break
    case 'backoff':
    case 'pushRetry':
    case 'pullRetry':
      // That it does not run any more is all that `evaluate` waits for.
      break
  }
}

const ping = (draft: Draft): void => {
  draft.state.pinged = true
  draft.send({ type: 'ping' })
}

const evaluate = (draft: Draft): void => {
  const { state } = draft
  // Not before the store has answered: what it is storing belongs into the hello.
  if (state.phase === 'waiting' && state.isWanted && !state.timers.has('backoff') && state.ingesting === undefined) {
    state.phase = 'connecting'
    draft.emit({ kind: 'connect' })
  }
  if (state.phase !== 'open') return
  evaluatePull(draft)
  evaluateBranches(draft)
  if (state.mode === 'roundTrip' && (state.pollDue || state.refreshWanted) && isQuiet(state)) {
    state.isQuietPoll = !state.refreshWanted && isCaughtUp(state)
    state.pollDue = false
    state.refreshWanted = false
    greet(draft)
    return
  }
  evaluatePush(draft)
  // What was put off has been done by now, or need not be done any more: another tab or device may have done it.
  const isRetrying = state.timers.has('pushRetry') || state.timers.has('pullRetry')
  if (!isQuiet(state) || isRetrying || state.outboxDirty || state.rewind) return
  state.storeFault = undefined
  if (state.pushFault?.code !== 'FORBIDDEN') state.pushFault = undefined
}

/** Nothing is under way that a new hello could contradict. */
const isQuiet = (state: ClientSession): boolean =>
  state.inFlight.length === 0 &&
  state.reading === undefined &&
  state.questions.size === 0 &&
  state.placing === undefined &&
  state.pull === undefined &&
  !state.pullWanted &&
  state.inbox.length === 0 &&
  state.ingesting === undefined

/** SYNC17. `heard`: the server has just given a sign of life. */
const keepTime = (draft: Draft, heard: boolean): void => {
  const { state } = draft
  const { watchdogMs, pingMs, pollMs, backoffMostMs } = state.timing
  const isOpen = state.phase === 'open'
  const isOutstanding =
    state.phase === 'connecting' ||
    state.phase === 'greeting' ||
    (isOpen &&
      (state.pull !== undefined || state.inFlight.length > 0 || state.asking?.step.kind === 'asked' || state.pinged))
  if (!isOutstanding) draft.stopTimer('watchdog')
  else if (heard || !state.timers.has('watchdog')) {
    // Twice as patient after each failure: a slow network must not be taken for a dead one for ever.
    draft.startTimer('watchdog', watchdogMs * 2 ** Math.min(state.failures, 3))
  }
  if (!isOpen || isOutstanding || state.mode !== 'live') draft.stopTimer('ping')
  else if (heard || !state.timers.has('ping')) draft.startTimer('ping', pingMs)
  const canPoll = isOpen && state.mode === 'roundTrip' && !state.pollDue && !state.timers.has('poll')
  if (canPoll && state.pullFault !== undefined) draft.startTimer('poll', Math.max(pollMs, backoffMostMs))
  else if (canPoll && isCaughtUp(state)) draft.startTimer('poll', pollMs)
}

export const sessionStatus = (state: ClientSession): SessionStatus => {
  const caughtUp = isCaughtUp(state)
  const isPushing =
    state.inFlight.length > 0 ||
    state.reading !== undefined ||
    state.questions.size > 0 ||
    state.outboxDirty ||
    state.rewind
  const isPulling = !caughtUp && state.pullFault === undefined
  const isAlive = state.phase === 'greeting' || state.phase === 'open'
  // What somebody without the key pushed is no fault of this session: whether the key here is wrong it cannot tell (KEY7).
  const branch = [...state.refused.values()].find(({ code }) => code !== 'KEY_WRONG')
  const error =
    state.storeFault ?? state.connectionFault ?? state.pullFault ?? state.pushFault ?? (branch && faultOf(branch.code))
  return {
    phase: state.phase === 'greeting' && state.isWelcomed ? 'open' : state.phase,
    online: state.isWelcomed,
    syncing: isAlive && (isPulling || isPushing),
    caughtUp,
    error,
    refused: [...state.refused.values()].map(({ branch, device, code, details }) => ({
      branch,
      device,
      code,
      details,
    })),
  }
}

const sameStatus = (a: SessionStatus, b: SessionStatus): boolean =>
  a.phase === b.phase &&
  a.online === b.online &&
  a.syncing === b.syncing &&
  a.caughtUp === b.caughtUp &&
  a.error?.code === b.error?.code &&
  a.error?.message === b.error?.message
