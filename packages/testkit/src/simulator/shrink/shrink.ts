/**
 * Finds a small schedule that still fails, by trying smaller ones:
 *
 *     options that make a world simpler ─▶ whole kinds of faults ─▶ acts by halves, quarters, … (ddmin; Zeller, 2002)
 *          ▲                                                          │
 *          └──────────────── again, while that helped ◀───────────────┘
 *
 * A smaller one counts only where the same checker complains: else it would wander off to another bug.
 */
import { type OptionOverrides, optionsOf, type SimulatorOptions } from '../options.ts'
import { type Act, planOf } from '../plan.ts'
import { type RunOverrides, runSchedule, type ScheduleResult, type Violation } from '../run.ts'
import { formatReplay, overridesOf, type ReplayCode } from './replay-code.ts'

export interface ShrinkRequest {
  readonly seed: number
  readonly options?: OptionOverrides
  /** Goes on from a schedule that leaves acts out already. */
  readonly kept?: ReadonlySet<number>
  /** Schedules that are run at most. Default 400. */
  readonly runs?: number
  /** Checkers and seams, as they were when it failed. */
  readonly overrides?: Pick<RunOverrides, 'checkers' | 'seams'>
  /** After each smaller schedule that fails. */
  readonly onSmaller?: (found: Shrunk) => void
}

export interface Shrunk {
  readonly replay: ReplayCode
  /** `replay` in one line: see `parseReplay`. */
  readonly code: string
  readonly acts: number
  /** What the smallest schedule breaks. */
  readonly violations: readonly Violation[]
  /** Schedules that were run so far. */
  readonly runs: number
}

/** undefined where the schedule does not fail. */
export const shrink = async (request: ShrinkRequest): Promise<Shrunk | undefined> => {
  const { seed, kept, runs = 400 } = request
  // Which faults there are by default changes from release to release; what was found should stay found.
  const options = { weights: optionsOf(seed, request.options).weights, ...request.options }
  const search = new Search(request, runs)
  const first = await search.run({ seed, options, kept })
  if (first === undefined || first.ok) return undefined
  search.begin({ seed, options, kept }, first)
  for (let before = Number.POSITIVE_INFINITY; search.size < before && !search.isSpent; ) {
    before = search.size
    await search.simplify()
    await search.dropKinds()
    await search.dropActs()
  }
  return search.best
}

/** Simpler values of options, in the order in which they are tried. */
const simpler = (now: SimulatorOptions): OptionOverrides[] => {
  const smaller: OptionOverrides[] = []
  const lower = <K extends keyof OptionOverrides>(name: K, ...values: NonNullable<OptionOverrides[K]>[]): void => {
    for (const value of values) if (JSON.stringify(value) !== JSON.stringify(now[name])) smaller.push({ [name]: value })
  }
  lower('sql', false)
  lower('realCrypto', false)
  lower('encrypted', false)
  lower('snapshotAfterOps', 1_000_000)
  for (const tabs of [1, 2]) if (tabs < now.tabs) lower('tabs', tabs)
  for (const devices of [1, 2, 3]) if (devices < now.devices) lower('devices', devices)
  lower('groups', false)
  lower('olderSchemas', 0)
  lower('deletes', 0)
  lower('roundTrips', 0)
  lower('skewMs', 0)
  lower('latencyMs', [1, 20])
  lower('diskMs', [0.1, 2])
  return smaller
}

class Search {
  best: Shrunk | undefined
  readonly #request: ShrinkRequest
  readonly #most: number
  /** What was tried already, and did not fail. */
  readonly #tried = new Set<string>()
  #runs = 0
  #checker = ''

  constructor(request: ShrinkRequest, most: number) {
    this.#request = request
    this.#most = most
  }

  get isSpent(): boolean {
    return this.#runs >= this.#most
  }

  /** What the smallest one so far counts. */
  get size(): number {
    const { options, kept, seed } = this.#replay
    const { devices, tabs } = optionsOf(seed, options)
    return (kept?.size ?? 0) * 100 + devices * 10 + tabs
  }

  get #replay(): ReplayCode {
    return this.best!.replay
  }

  /** The acts that are kept so far. */
  get #acts(): Act[] {
    const { seed, options, kept } = this.#replay
    return planOf(optionsOf(seed, options)).filter(({ index }) => kept?.has(index) !== false)
  }

  /** undefined where no more may be run. A run that ends with an error fails, too. */
  async run(replay: ReplayCode): Promise<Pick<ScheduleResult, 'ok' | 'violations'> | undefined> {
    if (this.isSpent) return undefined
    this.#runs++
    try {
      return await runSchedule(replay.seed, { ...this.#request.overrides, ...overridesOf(replay) })
    } catch (error) {
      return { ok: false, violations: [{ checker: 'the run itself', message: String(error), atMs: 0 }] }
    }
  }

  begin(replay: ReplayCode, { violations }: Pick<ScheduleResult, 'violations'>): void {
    this.#checker = violations[0].checker
    const kept = replay.kept ?? new Set(planOf(optionsOf(replay.seed, replay.options)).map(({ index }) => index))
    this.#accept({ ...replay, kept }, violations)
  }

  #accept(replay: ReplayCode, violations: readonly Violation[]): void {
    const acts = replay.kept?.size ?? 0
    this.best = { replay, code: formatReplay(replay), acts, violations, runs: this.#runs }
    this.#request.onSmaller?.(this.best)
  }

  /** Takes the smaller schedule if it fails as the first one did. */
  async #try(replay: ReplayCode): Promise<boolean> {
    const code = formatReplay(replay)
    if (this.#tried.has(code)) return false
    this.#tried.add(code)
    const result = await this.run(replay)
    if (result === undefined) return false
    const same = result.violations.filter(({ checker }) => checker === this.#checker)
    if (same.length === 0) return false
    this.#accept(replay, same)
    return true
  }

  async simplify(): Promise<void> {
    const { seed } = this.#replay
    const tried = new Set<string>()
    // Each option may stay as it is: of those that help, all are taken.
    for (;;) {
      const next = simpler(optionsOf(seed, this.#replay.options)).find((one) => !tried.has(JSON.stringify(one)))
      if (next === undefined || this.isSpent) return
      tried.add(JSON.stringify(next))
      const { options, kept } = this.#replay
      await this.#try({ seed, options: { ...options, ...next }, kept })
    }
  }

  async dropKinds(): Promise<void> {
    const kinds = new Set(this.#acts.map(kindOf))
    for (const kind of kinds) await this.#keep(this.#acts.filter((act) => kindOf(act) !== kind))
  }

  async dropActs(): Promise<void> {
    let parts = 2
    for (;;) {
      const acts = this.#acts
      if (acts.length < 2 || this.isSpent) return
      const size = Math.ceil(acts.length / parts)
      let hasShrunk = false
      for (let from = 0; from < acts.length && !this.isSpent; from += size) {
        // Of what is left now: a part that went before is not to come back.
        const part = new Set(acts.slice(from, from + size).map(({ index }) => index))
        if (await this.#keep(this.#acts.filter(({ index }) => !part.has(index)))) hasShrunk = true
      }
      if (size === 1 && !hasShrunk) return
      parts = hasShrunk ? Math.max(2, parts >> 1) : Math.min(acts.length, parts * 2)
    }
  }

  async #keep(acts: readonly Act[]): Promise<boolean> {
    const { seed, options, kept } = this.#replay
    if (acts.length === kept?.size) return false
    return this.#try({ seed, options, kept: new Set(acts.map(({ index }) => index)) })
  }
}

const kindOf = (act: Act): string => (act.kind === 'fault' ? act.fault : act.kind)
