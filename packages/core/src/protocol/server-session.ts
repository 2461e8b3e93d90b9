/**
 * The server's side of a session, sans I/O: `(state, input) → { state, effects }`. The server is a replica that never
 * writes: it authorizes, takes in, hands out, and opens nothing.
 *
 *     message ─▶ queue ─▶ job: authorize ─┬─ hello ─▶ look ─────────────▶ welcome
 *                                         ├─ push  ─▶ (admit ─▶ append)*─▶ pushed
 *                                         ├─ locate ─▶ find common ─────▶ located
 *                                         ├─ entries, propose, call ─────▶ entries, proposed, reply
 *     changed ─▶ job: authorize ──────────┼─ pull  ─▶ read ─────────────▶ page, and live from its end
 *                                         └─ live  ─▶ read after `live` ─▶ page without id
 *
 * Invariants:
 * - ING5 one job at a time, each authorized afresh (SYNC6): rights that are taken away end the session at the next step;
 * - ING6 `appended` and `duplicate` are told only after the store said so: nothing is acknowledged that is not durable;
 * - ING7 before a hello is authorized nothing of the space is read;
 * - SYNC11 live pages go on exactly where the last answer with `more: false` ended, so the stream has no gap;
 * - SYNC12 an own push is not echoed, and the cursor passes over it all the same: `told` is at most UNTOLD - 1 positions behind
 *   `live`, and all between them was pushed by this session;
 * - what waits is bounded: MAX_QUEUE messages, one page, and MAX_OWN remembered positions (beyond: echoes, harmless).
 */
import { decodeVector } from '../clock/version-vector.ts'
import { equalBytes } from '../codec/bytes.ts'
import { DriftlogError, type ErrorCode } from '../errors.ts'
import type { AppendOutcome, BatchPage, Cursor } from '../log/batch-store.ts'
import {
  admit,
  type AdmissionAnswer,
  aheadOf,
  devicesOf,
  isByDoor,
  isRefused,
  openCandidate,
  outcomesOf,
  shiftRecords,
} from './admission.ts'
import {
  type AskEntries,
  type ClientMessage,
  MAX_TIPS_BYTES,
  PROTOCOL_VERSION,
  PULL_LIMIT,
  type Pull,
  type Push,
  type PushOutcome,
  type RefusalDetails,
  type Role,
  type ServerMessage,
} from './messages.ts'
import type { Admission, Draft, Job, Request, ServerSession } from './server-state.ts'
import type { ServerEffect, ServerInput, SessionRole } from './server-types.ts'
import { encodeTips, tipsDigest } from './tip-codec.ts'

const MAX_QUEUE = 64
const MAX_OWN = 10_000
/** A page that brings nothing but a cursor waits until it passes over so many positions: whoever only writes is spared most. */
const UNTOLD = 64

export interface ServerStep {
  readonly state: ServerSession
  readonly effects: readonly ServerEffect[]
}

export const stepServerSession = (before: ServerSession, input: ServerInput): ServerStep => {
  const draft: Draft = { state: { ...before }, effects: [] }
  if (before.phase !== 'closed') {
    apply(draft, input)
    evaluate(draft)
  }
  return draft
}

const apply = (draft: Draft, input: ServerInput): void => {
  const { state } = draft
  const { job } = state
  switch (input.kind) {
    case 'message':
      if (state.queue.length >= MAX_QUEUE) close(draft, 'RATE_LIMITED')
      else state.queue = [...state.queue, input.message]
      break
    case 'authorized':
      if (job?.kind === 'authorizing') authorized(draft, job.request, input)
      break
    case 'denied':
      if (job?.kind === 'authorizing') close(draft, input.code, input.details)
      break
    case 'looked':
      if (job?.kind === 'greeting') welcome(draft, job, input)
      break
    case 'admissionRead':
      if (job?.kind === 'admitting') admitStretch(draft, job, input)
      break
    case 'commonFound':
      if (job?.kind === 'locating') finish(draft, { type: 'located', id: job.request.id, seq: input.seq })
      break
    case 'appended':
      if (job?.kind === 'appending') appended(draft, job, input.outcomes)
      break
    case 'entriesRead':
      if (job?.kind === 'readingEntries') entriesRead(draft, job, input)
      break
    case 'proposed':
      if (job?.kind === 'proposing') {
        finish(draft, { type: 'proposed', id: job.request.id, position: input.position })
      }
      break
    case 'proposalRefused':
      if (job?.kind === 'proposing') finish(draft, refusal(input.code, input.details, job.request.id))
      break
    case 'called':
      if (job?.kind === 'calling') finish(draft, { type: 'reply', id: job.request.id, body: input.body })
      break
    case 'callRefused':
      if (job?.kind === 'calling') finish(draft, refusal(input.code, input.details, job.request.id))
      break
    case 'news':
      state.hasNews = true
      break
    case 'membersGrew':
      state.haveMembersGrown = true
      break
    case 'pageRead':
      if (job?.kind === 'reading') pageRead(draft, job.request, input.page)
      break
    case 'storeFailed':
      if (job !== undefined && job.kind !== 'authorizing') storeFailed(draft, job, input.code)
      break
    case 'changed':
      state.hasChanged = true
      break
    case 'congested':
      state.isCongested = true
      break
    case 'drained':
      state.isCongested = false
      break
  }
}

/** Begins the next job where none is under way. */
const evaluate = (draft: Draft): void => {
  const { state } = draft
  while (state.phase !== 'closed' && state.job === undefined && !state.isCongested) {
    const message = state.queue[0]
    if (state.live !== undefined && state.toldMembers !== undefined && state.haveMembersGrown) {
      state.haveMembersGrown = false
      begin(draft, 'liveEntries')
      return
    }
    if (state.live !== undefined && state.toldMembers !== undefined && state.hasNews) {
      state.hasNews = false
      begin(draft, 'news')
      return
    }
    const wantsLive = state.live !== undefined && state.hasChanged
    if (wantsLive && (message === undefined || !state.wasLive)) {
      state.wasLive = true
      begin(draft, 'live')
      return
    }
    if (message === undefined) return
    state.wasLive = false
    state.queue = state.queue.slice(1)
    take(draft, message)
  }
}

const take = (draft: Draft, message: ClientMessage): void => {
  const { state } = draft
  if ((message.type === 'hello') !== (state.phase === 'new')) {
    close(draft, 'PROTOCOL_VIOLATION')
    return
  }
  if (message.type === 'ping') {
    const { toldMembers: members } = state
    send(draft, members === undefined || members === 0 ? { type: 'pong' } : { type: 'pong', members })
    return
  }
  if (message.type === 'hello') {
    // PRO1. Frames have been checked already; a driver that passes messages as they are has not.
    if (message.protocol !== PROTOCOL_VERSION) {
      close(draft, 'PROTOCOL_VERSION', { theirs: message.protocol, ours: PROTOCOL_VERSION })
      return
    }
    if (message.space !== state.space) {
      close(draft, 'PROTOCOL_VIOLATION')
      return
    }
    state.token = message.token
    state.pass = message.pass
  }
  begin(draft, message)
}

const begin = (draft: Draft, request: Request): void => {
  draft.state.job = { kind: 'authorizing', request }
  draft.effects.push({ kind: 'authorize', token: draft.state.token, pass: draft.state.pass })
}

const authorized = (
  draft: Draft,
  request: Request,
  { role, serverTimeMs, members }: ServerInput & { kind: 'authorized' },
): void => {
  const { state, effects } = draft
  if (!isMember(role) && !isForGuests(request, role)) {
    close(draft, 'NOT_A_MEMBER')
    return
  }
  if (request === 'liveEntries') {
    readEntries(draft, request, state.toldMembers ?? 0)
    return
  }
  if (request === 'news') {
    finish(draft, { type: 'reply', body: new Uint8Array(0) })
    return
  }
  if (request === 'live') {
    if (state.live === undefined) {
      finish(draft)
      return
    }
    // Before the read: what arrives while it runs must be looked at again.
    state.hasChanged = false
    state.job = { kind: 'reading', request }
    effects.push({ kind: 'readAfter', cursor: state.live, limit: PULL_LIMIT })
    return
  }
  switch (request.type) {
    case 'hello':
      state.phase = 'open'
      state.job = undefined
      if (request.digest === undefined) return
      if (serverTimeMs === undefined) {
        close(draft, 'UNAVAILABLE')
        return
      }
      if (!isMember(role)) return
      state.job = { kind: 'greeting', hello: request, role, serverTimeMs, members }
      effects.push({ kind: 'look', cursor: request.cursor })
      break
    case 'locate':
      state.job = { kind: 'locating', request }
      effects.push({ kind: 'findCommon', device: request.device, points: request.points })
      break
    case 'push':
      authorizedPush(draft, request, role, { serverTimeMs, members })
      break
    case 'entries':
      readEntries(draft, request, request.after)
      break
    case 'propose':
      state.job = { kind: 'proposing', request }
      effects.push({ kind: 'propose', entry: request.entry })
      break
    case 'call':
      if (members === undefined) {
        finish(draft, refusal('NOT_FOUND', {}, request.id))
        return
      }
      state.job = { kind: 'calling', request }
      effects.push({ kind: 'call', body: request.body, pass: state.pass })
      break
    case 'pull':
      state.job = { kind: 'reading', request }
      if (request.above !== undefined) {
        effects.push({ kind: 'readAbove', vector: decodeVector(request.above), limit: PULL_LIMIT })
      } else if (request.after !== undefined) {
        effects.push({ kind: 'readAfter', cursor: request.after, limit: PULL_LIMIT })
      } else close(draft, 'PROTOCOL_VIOLATION')
      break
  }
}

/** MEM8. Who founds the space, or was invited, is not a member yet. */
const isForGuests = (request: Request, role: 'guest' | 'stranger'): boolean => {
  if (typeof request === 'string') return false
  if (request.type === 'hello') return request.digest === undefined
  return request.type === 'propose' || (request.type === 'entries' && role === 'guest')
}

const isMember = (role: SessionRole): role is Role => role !== 'guest' && role !== 'stranger'

const readEntries = (draft: Draft, request: AskEntries | 'liveEntries', after: number): void => {
  draft.state.job = { kind: 'readingEntries', request, after }
  draft.effects.push({ kind: 'readEntries', after })
}

const entriesRead = (
  draft: Draft,
  { request, after }: Job & { kind: 'readingEntries' },
  { entries, more }: ServerInput & { kind: 'entriesRead' },
): void => {
  const { state } = draft
  if (request !== 'liveEntries') {
    finish(draft, { type: 'entries', id: request.id, after, entries, more })
    return
  }
  state.toldMembers = after + entries.length
  state.haveMembersGrown ||= more
  if (entries.length === 0) finish(draft)
  else finish(draft, { type: 'entries', after, entries, more })
}

const authorizedPush = (
  draft: Draft,
  push: Push,
  role: SessionRole,
  { serverTimeMs, members }: Pick<ServerInput & { kind: 'authorized' }, 'serverTimeMs' | 'members'>,
): void => {
  const { state } = draft
  if (role !== 'writer' && role !== 'admin') {
    finish(draft, pushed(push, refuseAll(push, 'FORBIDDEN')))
  } else if (serverTimeMs === undefined) {
    // ING2 cannot be judged without a clock.
    finish(draft, pushed(push, refuseAll(push, 'UNAVAILABLE')))
  } else {
    const rest = push.batches.map((bytes) => openCandidate(state.space, bytes))
    admitNext(draft, { push, serverTimeMs, members, outcomes: [], rest, certificates: undefined })
  }
}

const admitNext = (draft: Draft, admission: Admission): void => {
  const { push, serverTimeMs, outcomes, rest } = admission
  if (rest.length === 0) {
    finish(draft, pushed(push, outcomes))
    return
  }
  const devices = admission.certificates === undefined ? devicesOf(rest) : []
  const ahead = aheadOf(rest, serverTimeMs)
  if (devices.length === 0 && ahead === undefined) {
    admitStretch(draft, admission, { certificates: new Map(), shift: 0 })
  } else {
    draft.state.job = { ...admission, kind: 'admitting' }
    draft.effects.push({ kind: 'readAdmission', devices, ahead })
  }
}

const admitStretch = (draft: Draft, admission: Admission, answer: AdmissionAnswer): void => {
  const { rest, serverTimeMs, outcomes, members } = admission
  const known = new Map([...(admission.certificates ?? []), ...answer.certificates])
  const { judged, certificates } = admit(rest, { certificates: known, shift: answer.shift }, serverTimeMs, members)
  const next = { ...admission, certificates, rest: rest.slice(judged.length) }
  const batches = judged.filter((candidate) => !isRefused(candidate))
  if (batches.length === 0) {
    admitNext(draft, { ...next, outcomes: [...outcomes, ...outcomesOf(judged, [])] })
    return
  }
  draft.state.job = { ...next, kind: 'appending', judged }
  const records = shiftRecords(batches)
  // Shifts count only if the batch that states them is here: whoever pulls from here must come to know them too.
  const absent = members !== undefined && isByDoor(batches, certificates, members) ? [members.door] : []
  draft.effects.push({ kind: 'append', batches, records, allOrNothing: records.length > 0, absent })
}

const appended = (draft: Draft, job: Job & { kind: 'appending' }, outcomes: readonly AppendOutcome[]): void => {
  const { state } = draft
  const positions = outcomes.flatMap((outcome) => (outcome.kind === 'appended' ? [outcome.position] : []))
  if (state.mode === 'live') state.own = new Set([...state.own, ...positions].slice(-MAX_OWN))
  admitNext(draft, { ...job, outcomes: [...job.outcomes, ...outcomesOf(job.judged, outcomes)] })
}

const welcome = (
  draft: Draft,
  { hello, role, serverTimeMs, members }: Job & { kind: 'greeting' },
  { end, tips, cursorValid }: ServerInput & { kind: 'looked' },
): void => {
  const inSync = hello.digest !== undefined && equalBytes(hello.digest, tipsDigest(tips))
  const common = {
    type: 'welcome',
    protocol: PROTOCOL_VERSION,
    serverTimeMs,
    role,
    inSync,
    cursorValid,
    end,
    ...(members !== undefined && {
      members: { length: members.length, head: members.head },
      pruning: members.pruning,
    }),
  } as const
  draft.state.toldMembers = members?.length ?? 0
  if (inSync) {
    finish(draft, common)
    goLive(draft, end)
    return
  }
  const encoded = encodeTips(tips)
  if (encoded.length > MAX_TIPS_BYTES) close(draft, 'TOO_LARGE', { branches: tips.size })
  else finish(draft, { ...common, tips: encoded })
}

const goLive = (draft: Draft, cursor: Cursor): void => {
  const { state } = draft
  if (state.mode !== 'live') return
  state.live = cursor
  tell(draft, cursor)
  // Between the answer and the watch something may have come in.
  state.hasChanged = true
  state.haveMembersGrown = state.toldMembers !== undefined && state.toldMembers > 0
  if (state.isWatching) return
  state.isWatching = true
  draft.effects.push({ kind: 'watch' })
}

const pageRead = (draft: Draft, request: Pull | 'live', page: BatchPage): void => {
  const { state } = draft
  const { cursor, more } = page
  if (request === 'live') {
    state.live = cursor
    if (more) state.hasChanged = true
    const batches = withoutOwn(state.own, page)
    const from = state.told
    if (page.batches.length === 0 || (batches.length === 0 && cursor.position < from + UNTOLD)) {
      finish(draft)
      return
    }
    tell(draft, cursor)
    finish(draft, { type: 'page', from, batches, cursor, more })
    return
  }
  const { id, after } = request
  // An answer to `above` leaves nothing out: an empty page that says "more" would look like no progress.
  const batches = after === undefined ? page.batches.map(({ batch }) => batch.bytes) : withoutOwn(state.own, page)
  finish(draft, { type: 'page', id, from: after?.position ?? 0, batches, cursor, more })
  if (!more) goLive(draft, cursor)
}

const withoutOwn = (own: ReadonlySet<number>, { batches }: BatchPage): Uint8Array[] =>
  batches.filter(({ position }) => !own.has(position)).map(({ batch }) => batch.bytes)

/** The device comes to know this cursor. What it pushed up to there nothing asks for any more. */
const tell = ({ state }: Draft, { position }: Cursor): void => {
  state.told = position
  if (state.own.size > 0) state.own = new Set([...state.own].filter((own) => own > position))
}

const storeFailed = (draft: Draft, job: Exclude<Job, { kind: 'authorizing' }>, code: ErrorCode): void => {
  switch (job.kind) {
    case 'greeting':
      close(draft, 'UNAVAILABLE')
      break
    case 'admitting':
    case 'appending':
      // ING6: nothing of the push is acknowledged. What of it is stored will be a duplicate.
      finish(draft, pushed(job.push, refuseAll(job.push, 'UNAVAILABLE')))
      break
    case 'locating':
    case 'proposing':
    case 'calling':
      finish(draft, refusal('UNAVAILABLE', {}, job.request.id))
      break
    case 'readingEntries':
      if (job.request === 'liveEntries') close(draft, 'UNAVAILABLE')
      else finish(draft, refusal('UNAVAILABLE', {}, job.request.id))
      break
    case 'reading':
      if (job.request === 'live') close(draft, 'UNAVAILABLE')
      else finish(draft, refusal(code === 'BASE_MISMATCH' ? code : 'UNAVAILABLE', {}, job.request.id))
      break
  }
}

const refuseAll = (push: Push, code: ErrorCode): PushOutcome[] =>
  push.batches.map(() => ({ kind: 'refused', code, details: {} }))

const pushed = ({ id }: Push, outcomes: readonly PushOutcome[]): ServerMessage => ({ type: 'pushed', id, outcomes })

/** A refusal as the client is told of it: the catalogue's sentence, and of the evidence only what is meant for it. */
export const refusal = (code: ErrorCode, details: RefusalDetails = {}, id?: number): ServerMessage => {
  const { message } = new DriftlogError(code)
  return id === undefined
    ? { type: 'refused', code, message, details }
    : { type: 'refused', id, code, message, details }
}

const send = (draft: Draft, message: ServerMessage): void => {
  draft.effects.push({ kind: 'send', message })
}

const finish = (draft: Draft, answer?: ServerMessage): void => {
  draft.state.job = undefined
  if (answer !== undefined) send(draft, answer)
}

const close = (draft: Draft, code: ErrorCode, details: RefusalDetails = {}): void => {
  const { state } = draft
  state.phase = 'closed'
  state.job = undefined
  state.queue = []
  send(draft, refusal(code, details))
  draft.effects.push({ kind: 'close', code })
}
