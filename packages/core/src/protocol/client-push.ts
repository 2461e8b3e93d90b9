/** The device's side: reading the outbox, pushing, and what the answers mean. */
import type { DeviceId } from '../clock/dot.ts'
import { dominates, seqOf } from '../clock/version-vector.ts'
import { MAX_BATCH_BYTES } from '../log/batch.ts'
import { byVector, fail, faultOf } from './client-connection.ts'
import { type BranchRange, type Draft, type InFlight, isSetAside, part, raised, setAside } from './client-state.ts'
import type { ClientInput, OutboxBatch } from './client-types.ts'
import { MAX_PUSH_BATCHES, PUSH_LIMIT, type Pushed, type PushOutcome, type Refused } from './messages.ts'

const MAX_WINDOW = 4
const FIRST_PUSH_BYTES = 65_536

export const evaluatePush = (draft: Draft): void => {
  const { state } = draft
  // SYNC22: what to send is not known while it is asked how much of a branch the server holds.
  if (state.timers.has('pushRetry') || state.questions.size > 0) return
  if (state.rewind) {
    // Answers of pushes before the mistake may still come and must not be taken for answers to what is sent after it.
    if (state.inFlight.length > 0 || state.reading !== undefined) return
    state.rewind = false
    state.sent = state.server
    state.outboxDirty = true
  }
  if (!state.outboxDirty || state.reading !== undefined || state.inFlight.length >= state.window) return
  if (state.role === 'reader') {
    state.outboxDirty = false
    if (!dominates(state.server, state.held)) state.pushFault = faultOf('FORBIDDEN')
    return
  }
  const above = new Map(state.sent)
  const kept = new Map<DeviceId, number>()
  for (const branch of state.refused.keys()) {
    if (!isSetAside(state, branch)) continue
    above.set(branch, Number.MAX_SAFE_INTEGER)
    kept.set(branch, seqOf(state.server, branch))
  }
  const bytes = Math.min(PUSH_LIMIT.bytes, FIRST_PUSH_BYTES * 4 ** (state.window - 1))
  state.reading = draft.nextId()
  state.outboxDirty = false
  const limit = { batches: MAX_PUSH_BATCHES, bytes }
  draft.emit({ kind: 'readOutbox', request: state.reading, above, setAside: kept, limit })
}

export const outboxRead = (draft: Draft, input: ClientInput & { kind: 'outboxRead' }): void => {
  const { state } = draft
  if (state.reading !== input.request) return
  state.reading = undefined
  state.storeFault = undefined
  if (input.more) state.outboxDirty = true
  if (state.rewind) return
  // Refused while this was being read.
  const batches = input.batches.filter(({ branch }) => !isSetAside(state, branch))
  for (let start = 0; start < batches.length; ) {
    let end = start
    let size = 0
    // More than a push holds only where the driver did not keep to the limit.
    while (end < batches.length && end - start < MAX_PUSH_BATCHES) {
      size += batches[end].batch.bytes.length
      if (end > start && size > MAX_BATCH_BYTES) break
      end++
    }
    push(draft, batches.slice(start, end))
    start = end
  }
}

const push = (draft: Draft, batches: readonly OutboxBatch[]): void => {
  const { state } = draft
  const id = draft.nextId()
  const ranges = batches.map(({ batch: { header }, branch }): BranchRange => {
    const { device, fromSeq, toSeq } = header
    return { branch, device, fromSeq, toSeq }
  })
  state.inFlight = [...state.inFlight, { id, ranges }]
  state.sent = raised(state.sent, ranges)
  draft.send({ type: 'push', id, batches: batches.map(({ batch }) => batch.bytes) })
}

export const outboxFailed = (draft: Draft, input: ClientInput & { kind: 'storeFailed' }): void => {
  const { state } = draft
  state.reading = undefined
  state.storeFault = { code: input.code, message: input.message }
  state.outboxDirty = true
  putOff(draft)
}

export const pushAnswered = (draft: Draft, { id, outcomes }: Pushed): void => {
  const push = takeInFlight(draft, id)
  // A duplicate of an answer.
  if (push === undefined) return
  if (outcomes.length !== push.ranges.length) {
    fail(draft, 'PROTOCOL_VIOLATION', 'as many outcomes as batches')
    return
  }
  const takenIn = push.ranges.filter((_, index) => outcomes[index].kind !== 'refused')
  acknowledge(draft, takenIn)
  push.ranges.forEach((range, index) => judge(draft, range, outcomes[index]))
}

/** SYNC14: what is in flight is acknowledged only by its own answer. */
const acknowledge = (draft: Draft, ranges: readonly BranchRange[]): void => {
  const { state } = draft
  const server = raised(state.server, ranges)
  if (server === state.server) return
  state.server = server
  state.failures = state.pushFailures = 0
  state.pushFault = undefined
  state.window = Math.min(MAX_WINDOW, state.window * 2)
  const branches = new Set(ranges.map(({ branch }) => branch))
  // Whoever loses them again is asked anew where the two part: that is another loss, and no want of progress.
  if (state.parted.size > 0) state.parted = new Map([...state.parted].filter(([branch]) => !branches.has(branch)))
  if ([...branches].some((branch) => state.refused.has(branch))) {
    state.refused = new Map([...state.refused].filter(([branch]) => !branches.has(branch)))
    // What saw it may follow now.
    state.outboxDirty = true
  }
}

const judge = (draft: Draft, range: BranchRange, outcome: PushOutcome): void => {
  const { state } = draft
  if (outcome.kind !== 'refused' || state.phase !== 'open') return
  const { branch, device } = range
  const { code, details } = outcome
  const refusal = { branch, device, code, details }
  if (isSetAside(state, branch)) return
  switch (code) {
    case 'GAP':
      // SYNC15: the server lost what it had.
      part(draft, branch, refusal)
      return
    case 'FORK':
      // SYNC22: the server does not hold what the batch goes on from, but something else there, which we may lack too.
      part(draft, branch, refusal)
      byVector(draft)
      return
    case 'UNAVAILABLE':
    case 'RATE_LIMITED':
      state.rewind = true
      state.pushFault = faultOf(code)
      if (!state.timers.has('pushRetry')) putOff(draft)
      return
    case 'UNAUTHORIZED':
    case 'NOT_FOUND':
      fail(draft, code)
      return
    case 'FORBIDDEN':
      // The rights of the pusher, not of a device (SYNC6): nothing more can be pushed with this token.
      state.role = 'reader'
      state.pushFault = faultOf('FORBIDDEN')
      return
    case 'CLOCK_AHEAD':
      // The server's time passes the stamp one day; a clock that is only somewhat fast heals without anyone's doing.
      setAside(draft, refusal)
      return
    default:
      setAside(draft, refusal)
  }
}

/** What was ahead of the server's clock and is there now, by whomever, is refused no more. */
export const forgetAdmitted = ({ state }: Draft): void => {
  if (state.refused.size === 0) return
  // What was refused reaches as far as `sent`: in the store there may be more than this device knows to be durable.
  const lacks = (branch: DeviceId): boolean =>
    seqOf(state.server, branch) < Math.max(seqOf(state.held, branch), seqOf(state.sent, branch))
  const refused = [...state.refused].filter(([branch, { code }]) => code !== 'CLOCK_AHEAD' || lacks(branch))
  if (refused.length === state.refused.size) return
  state.refused = new Map(refused)
  state.outboxDirty = true
}

export const tryRefusedAgain = (draft: Draft, only?: DeviceId): void => {
  const { state } = draft
  if (state.refused.size === 0) return
  state.refused = new Map(
    [...state.refused].map(([branch, refusal]) => [
      branch,
      only === undefined || only === branch ? { ...refusal, isSetAside: false } : refusal,
    ]),
  )
  state.rewind = true
}

export const pushRefused = (draft: Draft, refused: Refused, push: InFlight): void => {
  takeInFlight(draft, push.id)
  switch (refused.code) {
    case 'UNAVAILABLE':
    case 'RATE_LIMITED':
    case 'FORBIDDEN':
      judge(draft, push.ranges[0], { kind: 'refused', code: refused.code, details: refused.details })
      break
    default:
      fail(draft, refused.code, refused.message)
  }
}

const takeInFlight = (draft: Draft, id: number): InFlight | undefined => {
  const push = draft.state.inFlight.find((other) => other.id === id)
  if (push !== undefined) draft.state.inFlight = draft.state.inFlight.filter((other) => other !== push)
  return push
}

const putOff = (draft: Draft): void => {
  draft.state.pushFailures++
  draft.startTimer('pushRetry', draft.backoffMs(draft.state.pushFailures))
}
