/**
 * Turns a commit graph into what devices do: who writes which commit, what must have reached it before, and when it
 * syncs. Pure; it looks at the graph alone.
 *
 *     author A   ●───●───────●        device 0: A's first chain
 *                 \         /
 *     author A     ●───●   /          device 1: the same person, concurrently on another branch
 *     author B      \───●─◆           device 2; ◆ is a merge: a sync, which writes nothing unless files changed in it
 *
 * Invariants:
 * - PLAN1 consecutive commits of a device are ancestor and descendant. So all that a device has ever received is in the
 *   past of its next commit, and `seen` of an op can be exactly the commit's ancestors: never more;
 * - PLAN2 before a commit, its device receives the last commit of every other device that is an ancestor, if it has not;
 *   what a commit needs of a device is always a prefix of what that device wrote;
 * - PLAN3 a device pushes right after each commit that is the last one another device needs, and after its own last (a
 *   *boundary*). So no batch joins what somebody needs with what he must not see yet. Between boundaries devices work
 *   offline;
 * - PLAN4 in the order of the sessions, whatever a session receives was pushed by an earlier one.
 */
import type { History } from './history.ts'

/** One stretch of a device's work, in this order: receive, write offline, push. */
export interface Session {
  readonly device: number
  /** Positions of the last commits of other devices that have to arrive before: the ends of earlier sessions. */
  readonly receives: readonly number[]
  /** Positions of the commits to write. Empty where a merge only takes in. */
  readonly writes: readonly number[]
  /** Whether the last of `writes` is a boundary. */
  readonly pushes: boolean
}

export interface PlannedDevice {
  readonly author: number
  /** Positions of the commits that it writes, rising. Empty where its author only merged. */
  readonly writes: readonly number[]
}

export interface Plan {
  readonly devices: readonly PlannedDevice[]
  readonly sessions: readonly Session[]
  /** Commits that change a file: one mutation each. */
  readonly mutations: number
}

export const planReplay = (history: History): Plan => {
  const { devices, steps } = assignCommits(history)
  const boundaries = new Set(steps.flatMap(({ receives }) => receives))
  for (const { lastWrites } of devices) boundaries.add(lastWrites.at(-1) ?? -1)
  const plannedDevices = devices.map(({ author, commits }) => ({
    author,
    writes: commits.filter((position) => history.commits[position].files.length > 0),
  }))
  return {
    devices: plannedDevices,
    sessions: sessionsOf(steps, boundaries),
    mutations: plannedDevices.reduce((sum, { writes }) => sum + writes.length, 0),
  }
}

/** What happens at one commit. */
interface Step {
  readonly commit: number
  readonly device: number
  readonly receives: readonly number[]
  readonly writes: boolean
}

interface Growing {
  readonly author: number
  /** Positions, rising; merges too. */
  readonly commits: number[]
  /** For each prefix of `commits`, the position of the last one that writes; -1 for none. */
  readonly lastWrites: number[]
  /** How many commits of each device have been received. */
  readonly received: Map<number, number>
}

const assignCommits = ({ commits }: History): { devices: Growing[]; steps: Step[] } => {
  const devices: Growing[] = []
  const devicesOfAuthor = new Map<number, number[]>()
  const pasts = new PastWindow(commits.map(({ parents }) => parents))
  const steps = commits.map(({ author, files }, commit): Step => {
    const past = pasts.before(commit)
    const device = chooseDevice(devices, devicesOfAuthor, author, past)
    const own = devices[device]
    const receives: number[] = []
    for (const [other, count] of past) {
      const received = own.received.get(other) ?? 0
      if (other === device || received >= count) continue
      own.received.set(other, count)
      const needed = lastWriteWithin(devices[other], count)
      // Merges alone leave nothing that could be received.
      if (needed !== lastWriteWithin(devices[other], received)) receives.push(needed)
    }
    const writes = files.length > 0
    own.commits.push(commit)
    own.lastWrites.push(writes ? commit : (own.lastWrites.at(-1) ?? -1))
    pasts.add(commit, device, own.commits.length)
    return { commit, device, receives, writes }
  })
  return { devices, steps }
}

const lastWriteWithin = ({ lastWrites }: Growing, count: number): number => (count === 0 ? -1 : lastWrites[count - 1])

/**
 * Steps of one device that follow each other without a sync between them are one session. It stands where its first step
 * stood: whatever it receives was pushed before that, and nobody needs it before its end (PLAN4).
 */
const sessionsOf = (steps: readonly Step[], boundaries: ReadonlySet<number>): Session[] => {
  const sessions: { device: number; receives: readonly number[]; writes: number[]; pushes: boolean }[] = []
  const open = new Map<number, (typeof sessions)[number]>()
  for (const { commit, device, receives, writes } of steps) {
    if (receives.length === 0 && !writes) continue
    let session = receives.length > 0 ? undefined : open.get(device)
    if (session === undefined) {
      session = { device, receives, writes: [], pushes: false }
      sessions.push(session)
      open.set(device, session)
    }
    if (writes) session.writes.push(commit)
    if (boundaries.has(commit)) {
      session.pushes = true
      open.delete(device)
    }
  }
  return sessions
}

/** How many commits of each device are in the past of a commit. */
type Past = ReadonlyMap<number, number>

/** The author's device whose last commit is the latest ancestor (PLAN1); a new one where there is none. */
const chooseDevice = (devices: Growing[], ofAuthor: Map<number, number[]>, author: number, past: Past): number => {
  let candidates = ofAuthor.get(author)
  if (candidates === undefined) {
    candidates = []
    ofAuthor.set(author, candidates)
  }
  let best = -1
  let latest = -1
  for (const candidate of candidates) {
    const { commits } = devices[candidate]
    const last = commits[commits.length - 1]
    if (past.get(candidate) === commits.length && last > latest) {
      best = candidate
      latest = last
    }
  }
  if (best >= 0) return best
  const fresh = devices.push({ author, commits: [], lastWrites: [], received: new Map() }) - 1
  candidates.push(fresh)
  return fresh
}

/** The pasts of the commits that still have children to come; the others are let go, so that long histories fit. */
class PastWindow {
  readonly #parents: readonly (readonly number[])[]
  readonly #childrenLeft: Uint32Array
  /** Each with its commit itself counted. */
  readonly #pasts = new Map<number, Map<number, number>>()
  /** The past of the commit that is looked at: made by `before`, taken over by `add`. */
  #current = new Map<number, number>()

  constructor(parents: readonly (readonly number[])[]) {
    this.#parents = parents
    this.#childrenLeft = new Uint32Array(parents.length)
    for (const list of parents) for (const parent of list) this.#childrenLeft[parent]++
  }

  /** The join of the parents' pasts. */
  before(commit: number): Past {
    let joined: Map<number, number> | undefined
    for (const parent of this.#parents[commit]) {
      const past = this.#pasts.get(parent)
      if (past === undefined) throw new Error('a past was let go too early')
      // The last child may have the map itself.
      const isLast = --this.#childrenLeft[parent] === 0
      if (isLast) this.#pasts.delete(parent)
      if (joined === undefined) joined = isLast ? past : new Map(past)
      else for (const [device, count] of past) if ((joined.get(device) ?? 0) < count) joined.set(device, count)
    }
    this.#current = joined ?? new Map()
    return this.#current
  }

  add(commit: number, device: number, count: number): void {
    this.#current.set(device, count)
    if (this.#childrenLeft[commit] > 0) this.#pasts.set(commit, this.#current)
  }
}
