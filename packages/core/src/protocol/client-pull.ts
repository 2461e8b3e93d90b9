/** The device's side: asking for pages, taking them in, having them stored. */
import { encodeVector, equalVectors, seqOf, type VersionVector } from '../clock/version-vector.ts'
import { DriftlogError, type ErrorCode } from '../errors.ts'
import { type Batch, decodeBatch } from '../log/batch.ts'
import type { ClientInput, RefusedBranch } from './client-types.ts'
import { byVector, fail, faultOf, renamed, saveCursor } from './client-connection.ts'
import { type ClientSession, type Draft, type InboxPage, isSetAside, part, raised, setAside } from './client-state.ts'
import { MAX_VECTOR_BYTES, type Page, type Refused } from './messages.ts'

/** Live pages that wait for the store at most; what comes on top is dropped and pulled later (SYNC12). */
const INBOX_PAGES = 4

/** Pulls, or has stored what has come, where either is possible now. */
export const evaluatePull = (draft: Draft): void => {
  const { state } = draft
  if (state.timers.has('pullRetry')) return
  if (state.ingesting === undefined && state.inbox.length > 0) ingest(draft)
  const isIdle = state.pull === undefined && state.inbox.length === 0
  if (isIdle && !state.pullWanted && state.ingesting === undefined) settle(draft)
  // By vector the next question depends on what the last answer added; by cursor it does not, so it need not wait.
  if (!isIdle || !state.pullWanted || (state.pullBy === 'vector' && state.ingesting !== undefined)) return
  // What is claimed to be held must be held by the same names and contents there (SYNC22).
  if (state.pullBy === 'vector' && state.questions.size > 0) return
  if (state.pullBy === 'cursor') {
    state.pull = draft.nextId()
    state.pullWanted = false
    draft.send({ type: 'pull', id: state.pull, after: state.received })
    return
  }
  const above = encodeVector(claimed(state))
  if (above.length > MAX_VECTOR_BYTES) {
    giveUp(draft, 'TOO_LARGE')
    return
  }
  state.pull = draft.nextId()
  state.pullWanted = false
  draft.send({ type: 'pull', id: state.pull, above })
}

/**
 * What is held here and, as far as is known, there. The tempting mistake is to claim all that is held: where the server
 * holds less of a branch, it may be given another continuation of it at any moment, and would leave that out.
 */
const claimed = ({ held, server }: ClientSession): VersionVector =>
  new Map([...held].map(([branch, seq]) => [branch, Math.min(seq, seqOf(server, branch))]))

/** All that was asked for is stored: look whether it is all that the server promised, and whether to ask again. */
const settle = (draft: Draft): void => {
  const { state } = draft
  if (state.placing !== undefined || state.questions.size > 0) return
  if (state.promised !== undefined) {
    state.placing = { request: draft.nextId() }
    draft.emit({ kind: 'place', request: state.placing.request, tips: state.promised })
    return
  }
  state.pullBy = 'cursor'
  if (state.refreshWanted && state.mode === 'live' && state.pullFault === undefined) {
    state.refreshWanted = false
    state.pullWanted = true
  }
}

/** Refusals of the local store that no other batch from here would mend. */
const KEPT_OUT: ReadonlySet<ErrorCode> = new Set(['FORK', 'KEY_WRONG', 'BELOW_BASE'])

/** A catch-up has come to its end. `isAllHere`: the ends of all that the server had promised were found here. */
export const finishCatchUp = (draft: Draft, isAllHere: boolean): void => {
  const { state } = draft
  if (!isAllHere && !state.triedVector) {
    // SYNC10: the cursor named the right batch in another history, and something below it is missing.
    byVector(draft)
    return
  }
  state.promised = undefined
  // What the local store would not take cannot be found here.
  const isKeptOut = [...state.refused.values()].some(({ code }) => KEPT_OUT.has(code))
  if (!isAllHere && !isKeptOut) giveUp(draft, 'GAP')
}

/** The server has what cannot be had on this connection. What is here stays; the next connection tries again, and after a gap a live one. */
const giveUp = (draft: Draft, code: 'GAP' | 'TOO_LARGE' | 'FORMAT_UNKNOWN', message?: string): void => {
  draft.state.pullFault = faultOf(code, message)
  draft.state.pullWanted = false
  draft.state.pull = undefined
  draft.state.inbox = []
  // A live connection may stay for days, and what the server lacks be brought back by somebody meanwhile.
  if (code === 'GAP' && draft.state.mode === 'live') draft.startTimer('gapRetry', draft.state.timing.backoffMostMs)
}

/** SYNC9: once more, on a connection that gave up. */
export const pullAgain = (draft: Draft): void => {
  if (draft.state.phase !== 'open') return
  draft.state.pullFault = undefined
  byVector(draft)
}

const ingest = (draft: Draft): void => {
  const { state } = draft
  const page: InboxPage = {
    batches: state.inbox.flatMap(({ batches }) => batches),
    cursor: state.inbox[state.inbox.length - 1].cursor,
  }
  state.inbox = []
  if (page.batches.length === 0) {
    saveCursor(draft, page.cursor)
    return
  }
  const request = draft.nextId()
  state.ingesting = { request, page, heldBefore: state.held }
  draft.emit({ kind: 'ingest', request, ...page })
}

export const pageCame = (draft: Draft, page: Page): void => {
  const { state } = draft
  const isAnswer = page.id !== undefined
  if (state.phase !== 'open') {
    // It has overtaken the welcome, and will not come again: what it brought is asked for.
    if (!isAnswer && state.phase === 'greeting') state.refreshWanted = true
    return
  }
  // A duplicate of an answer, or the answer to a question that was dropped.
  if (isAnswer && page.id !== state.pull) return
  if (isAnswer) {
    state.pull = undefined
    state.connectionFault = undefined
  }
  // After giving up, live pages would only move the cursor over what is missing.
  if (state.pullFault !== undefined) return
  const isByVector = isAnswer && state.pullBy === 'vector'
  const isOld = !isByVector && page.cursor.position <= state.received.position
  if (!isOld) {
    if (page.from > state.received.position || (!isAnswer && state.inbox.length >= INBOX_PAGES)) {
      // SYNC12: something between is not here. Never jump over it.
      state.pullWanted = true
      return
    }
    const batches = openBatches(draft, page)
    if (batches === undefined) return
    state.inbox = [...state.inbox, { batches, cursor: page.cursor }]
    state.received = page.cursor
  }
  if (!isAnswer || !page.more) return
  // SYNC20, no loop without progress: a page that says "more" and brings nothing new is against the protocol.
  if (isOld || (isByVector && page.batches.length === 0)) fail(draft, 'PROTOCOL_VIOLATION', 'a page without progress')
  else state.pullWanted = true
}

const openBatches = (draft: Draft, page: Page): Batch[] | undefined => {
  try {
    return page.batches.map((bytes) => {
      const batch = decodeBatch(bytes)
      if (batch.header.space !== draft.state.space) throw new DriftlogError('MALFORMED', 'a batch of another space')
      return batch
    })
  } catch (error) {
    if (!(error instanceof DriftlogError)) throw error
    // A newer format is not skipped: the cursor stays below it, and after an update it is asked for again.
    if (error.code === 'FORMAT_UNKNOWN') giveUp(draft, 'FORMAT_UNKNOWN', error.message)
    else fail(draft, error.code, error.message)
    return undefined
  }
}

export const stored = (draft: Draft, input: ClientInput & { kind: 'stored' }): void => {
  const { state } = draft
  if (state.ingesting?.request !== input.request) return
  const { page, heldBefore } = state.ingesting
  const refused = input.refused ?? []
  state.ingesting = undefined
  state.held = input.held
  state.storeFault = undefined
  // SYNC2: a cursor advances only after what it covers is durable, or cannot be had.
  if (refused.length === 0) state.cursor = page.cursor
  else if (refused.every(({ branch }) => isSetAside(state, branch))) saveCursor(draft, page.cursor)
  const hasGrown = !equalVectors(heldBefore, state.held)
  if (state.phase === 'open') {
    state.server = raised(state.server, input.taken)
    state.sent = raised(state.sent, input.taken)
    if (hasGrown) state.failures = state.pullFailures = 0
    if (!keptOut(draft, refused) && state.pullBy === 'vector' && !hasGrown) {
      // The same question would have the same answer: what is above the vector here cannot be taken in. Go on by cursor.
      state.pullBy = 'cursor'
    }
  }
  if (input.isRenamed) renamed(draft, input.held)
}

/** The local store would not take some in. Answers whether pulling goes on otherwise for it. */
const keptOut = (draft: Draft, all: readonly RefusedBranch[]): boolean => {
  const { state } = draft
  const refused = all.filter(({ branch }) => !isSetAside(state, branch))
  for (const branch of refused) {
    if (branch.code === 'FORK') part(draft, branch.branch, branch)
    else if (branch.code !== 'GAP') setAside(draft, branch)
  }
  if (refused.some(({ code }) => code === 'FORK')) byVector(draft)
  else if (!refused.some(({ code }) => code === 'GAP')) return false
  else if (!state.triedVector) byVector(draft)
  else giveUp(draft, 'GAP')
  return true
}

export const ingestFailed = (draft: Draft, input: ClientInput & { kind: 'storeFailed' }): void => {
  const { state } = draft
  state.ingesting = undefined
  state.storeFault = { code: input.code, message: input.message }
  if (state.phase !== 'open') return
  // What came after it cannot be stored before it. Ask again from what is durable.
  state.inbox = []
  state.pull = undefined
  if (state.pullBy === 'cursor') {
    if (state.cursor !== undefined) state.received = state.cursor
    else byVector(draft)
  }
  putOff(draft)
}

export const pullRefused = (draft: Draft, refused: Refused): void => {
  const { state } = draft
  state.pull = undefined
  switch (refused.code) {
    case 'BASE_MISMATCH':
      // SYNC9: the server has another history than when it gave the cursor.
      if (!state.triedVector) byVector(draft)
      else giveUp(draft, 'GAP')
      break
    case 'UNAVAILABLE':
    case 'RATE_LIMITED':
      state.connectionFault = faultOf(refused.code, refused.message)
      putOff(draft)
      break
    default:
      fail(draft, refused.code, refused.message)
  }
}

export const putOff = (draft: Draft): void => {
  draft.state.pullWanted = true
  draft.state.pullFailures++
  draft.startTimer('pullRetry', draft.backoffMs(draft.state.pullFailures))
}

/** Whether everything that the server had when it was last asked is stored here. */
export const isCaughtUp = (state: ClientSession): boolean =>
  (state.phase === 'open' || (state.phase === 'greeting' && state.isQuietPoll)) &&
  state.promised === undefined &&
  state.questions.size === 0 &&
  !state.pullWanted &&
  !state.refreshWanted &&
  state.pull === undefined &&
  state.inbox.length === 0 &&
  state.ingesting === undefined &&
  state.pullFault === undefined
