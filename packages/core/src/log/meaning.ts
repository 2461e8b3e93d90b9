/**
 * Which branches the names in a run stand for. Its author may not have known of a fork, and called the branch that it had by
 * the name of the stem; the chain hash says which one it was.
 *
 * The hash covers all names at once, so the ways of reading a run are a product. Which of them are tried, and in which order,
 * follows from what the names can stand for and from what the author saw before, never from the order in which it came here.
 */
import type { DeviceId, Dot } from '../clock/dot.ts'
import type { Run } from '../op/run.ts'

export type Meaning = (name: DeviceId) => DeviceId

/** What each name can stand for: the likely first. */
export type Candidates = ReadonlyMap<DeviceId, readonly DeviceId[]>

/** What each name was tried as. */
export type Tried = ReadonlyMap<DeviceId, ReadonlySet<DeviceId>>

/** As many ways of reading one run are tried at once as a welcome can tell of branches (PRO4): all, where one device forked. */
const MAX_MEANINGS = 20_000
/** So many are looked at, those tried before included. */
const MAX_STEPS = 1_000_000
/** Nor is more hashed for it at once. */
const MAX_HASHED_BYTES = 256 * 1024 * 1024

/**
 * The ways to give each name one of its candidates: first all the likely ones, then those in which one name stands for
 * something else, then two. `tried`: what was tried before, of which only what is new beside it is tried. `bytes`: what is
 * hashed for each.
 */
export function* meanings(candidates: Candidates, tried: Tried, bytes: number): Generator<Meaning> {
  const isNew = (name: DeviceId, branch: DeviceId): boolean => tried.get(name)?.has(branch) !== true
  const chosen = new Map<DeviceId, DeviceId>()
  let news = 0
  const choose = (name: DeviceId, branch: DeviceId): void => {
    const before = chosen.get(name)
    if (before !== undefined && isNew(name, before)) news--
    if (isNew(name, branch)) news++
    chosen.set(name, branch)
  }
  for (const [name, [likely]] of candidates) choose(name, likely)
  const open = [...candidates].filter(([, branches]) => branches.length > 1)
  let steps = 0
  let left = Math.min(MAX_MEANINGS, Math.max(1, Math.floor(MAX_HASHED_BYTES / bytes)))
  // Each yields the same function: what it answers changes with the next one.
  const meaning = (name: DeviceId): DeviceId => chosen.get(name) ?? name

  /** `others`: how many names stand for something unlikely, all of them from `start` on. */
  function* vary(start: number, others: number): Generator<Meaning> {
    if (others === 0) {
      if (++steps === MAX_STEPS) left = 0
      if (left === 0 || (tried.size > 0 && news === 0)) return
      left--
      yield meaning
      return
    }
    for (let at = start; at <= open.length - others; at++) {
      const [name, branches] = open[at]
      for (let index = 1; index < branches.length && left > 0; index++) {
        choose(name, branches[index])
        yield* vary(at + 1, others - 1)
      }
      choose(name, branches[0])
      if (left === 0) return
    }
  }
  for (let others = 0; others <= open.length && left > 0; others++) yield* vary(0, others)
}

/** The run with its author and all names in it as branches. The run itself where nothing forked. */
export const withMeaning = (run: Run, branch: DeviceId, meaning: Meaning): Run => {
  const devices = run.devices.map((name) => (name === run.device ? branch : meaning(name)))
  if (branch === run.device && devices.every((device, index) => device === run.devices[index])) return run
  const over = new Map<number, Dot[]>()
  for (const [change, dots] of run.over) {
    over.set(
      change,
      dots.map(({ device, seq }) => ({ device: device === run.device ? branch : meaning(device), seq })),
    )
  }
  return { ...run, device: branch, devices, over }
}
