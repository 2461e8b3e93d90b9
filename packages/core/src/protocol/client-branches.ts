/**
 * The device's side: where does the server's history part from ours? (SYNC22)
 *
 *     ours    ────▶ 64 ──▶ 128 ──▶ 192 ──▶ 256       1. which of these does the server hold?       64
 *     server  ────────▶ 100'                         2. and of those between 65 and 127?           70: all were named
 *
 * Asked of one branch at a time, and only while no push is under way: its answer could tell more than was known here when
 * the places were named. From the answer c on both sides go on: what the server is known to hold of the branch falls to
 * c, so the outbox starts there, and a pull by vector claims no more than that.
 */
import type { VersionVector } from '../clock/version-vector.ts'
import { byVector, fail, faultOf, opened } from './client-connection.ts'
import { type Asking, type Draft, isForeign, isSetAside, part, setAside } from './client-state.ts'
import type { BranchPoints, ClientInput } from './client-types.ts'
import { finishCatchUp, putOff } from './client-pull.ts'
import type { Located, Refused } from './messages.ts'

export const evaluateBranches = (draft: Draft): void => {
  const { state } = draft
  if (state.asking !== undefined || state.questions.size === 0 || state.timers.has('pullRetry')) return
  if (state.inFlight.length > 0 || state.reading !== undefined) return
  const [branch] = state.questions.keys()
  read(draft, { branch, above: 0, upTo: Number.MAX_SAFE_INTEGER, path: [] })
}

const read = (draft: Draft, asking: Omit<Asking, 'step'>): void => {
  const request = draft.nextId()
  draft.state.asking = { ...asking, step: { kind: 'reading', request } }
  const { branch, above, upTo } = asking
  draft.emit({ kind: 'readPoints', request, branch, above, upTo })
}

export const pointsRead = (draft: Draft, input: ClientInput & { kind: 'pointsRead' }): void => {
  const { state } = draft
  const { asking } = state
  if (asking?.step.kind !== 'reading' || asking.step.request !== input.request) return
  const { device, path, points, isComplete } = input
  state.storeFault = undefined
  state.asking = { ...asking, path }
  if (points.length === 0) {
    partedAt(draft, state.asking, asking.above)
    return
  }
  const id = draft.nextId()
  state.asking = { ...state.asking, step: { kind: 'asked', id, points, isComplete } }
  draft.send({ type: 'locate', id, device, points })
}

export const located = (draft: Draft, { id, seq }: Located): void => {
  const { asking } = draft.state
  if (asking?.step.kind !== 'asked' || asking.step.id !== id) return
  const { points, isComplete } = asking.step
  const index = points.findIndex((point) => point.seq === seq)
  if (seq !== 0 && index < 0) {
    fail(draft, 'PROTOCOL_VIOLATION', 'a place that was not asked for')
    return
  }
  const above = seq === 0 ? asking.above : seq
  // The first of all where none is held.
  const next = index + 1 < points.length ? points[index + 1] : undefined
  const upTo = next === undefined ? asking.upTo : next.seq - 1
  if (isComplete || above >= upTo) partedAt(draft, asking, above)
  else read(draft, { ...asking, above, upTo })
}

/** The server holds the branch up to `common` exactly, or has it forked there. */
const partedAt = (draft: Draft, { branch, path }: Asking, common: number): void => {
  const { state } = draft
  const refusal = state.questions.get(branch)
  state.asking = undefined
  state.questions = new Map([...state.questions].filter(([other]) => other !== branch))
  state.connectionFault = undefined
  state.server = cutAt(state.server, path, common)
  // Whatever was refused was refused although all this was known.
  if (refusal !== undefined && state.parted.get(branch) === common) setAside(draft, refusal)
  state.parted = new Map([...state.parted, [branch, common]])
  state.rewind = true
}

/** The server holds a path up to `common`, and nothing of it above. */
const cutAt = (vector: VersionVector, path: BranchPoints['path'], common: number): VersionVector => {
  const cut = new Map(vector)
  path.forEach(({ branch, base }, index) => {
    const end = index + 1 < path.length ? path[index + 1].base : common
    if (common > base) cut.set(branch, Math.min(end, common))
    else cut.delete(branch)
  })
  return cut
}

/** The local tree has told what the server's tips mean. */
export const placed = (draft: Draft, input: ClientInput & { kind: 'placed' }): void => {
  const { state } = draft
  if (state.placing?.request !== input.request) return
  const { welcome } = state.placing
  state.placing = undefined
  state.storeFault = undefined
  if (welcome !== undefined) {
    opened(draft, welcome, input)
    return
  }
  const news = input.forked.filter((branch) => !state.parted.has(branch) && !isSetAside(state, branch))
  for (const branch of news) part(draft, branch)
  if (news.length > 0) byVector(draft)
  else
    finishCatchUp(
      draft,
      input.unverified.every((branch) => isForeign(state, branch)),
    )
}

export const placingFailed = (draft: Draft, { code, message }: ClientInput & { kind: 'storeFailed' }): void => {
  const { state } = draft
  const isGreeting = state.placing?.welcome !== undefined
  state.placing = undefined
  state.storeFault = { code, message }
  if (isGreeting) fail(draft)
  else putOff(draft)
}

export const pointsFailed = (draft: Draft, { code, message }: ClientInput & { kind: 'storeFailed' }): void => {
  draft.state.asking = undefined
  draft.state.storeFault = { code, message }
  putOff(draft)
}

export const locateRefused = (draft: Draft, { code, message }: Refused): void => {
  if (code !== 'UNAVAILABLE' && code !== 'RATE_LIMITED') {
    fail(draft, code, message)
    return
  }
  draft.state.asking = undefined
  draft.state.connectionFault = faultOf(code, message)
  putOff(draft)
}
