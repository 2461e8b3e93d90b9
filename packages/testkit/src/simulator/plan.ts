/**
 * A schedule as a list of acts: what is done and what goes wrong, to whom and when. It is a pure function of the options;
 * each act carries a seed of its own, so that leaving one out (as shrinking does) changes nothing about the others.
 */
import type { FaultKind } from './faults.ts'
import type { SimulatorOptions } from './options.ts'
import { Random } from './random.ts'

export interface MutateAct {
  readonly kind: 'mutate'
  readonly index: number
  readonly atMs: number
  readonly device: number
  readonly tab: number
  /** How many mutations, one after the other. */
  readonly count: number
  readonly seed: number
}

/** The user opens a tab, goes offline or online, or closes the app in good order: nothing wrong with that. */
export interface UserAct {
  readonly kind: 'openTab' | 'closeTab' | 'goOffline' | 'goOnline'
  readonly index: number
  readonly atMs: number
  readonly device: number
  readonly tab: number
}

/** Somebody does something about the members of the space. */
export interface MembersAct {
  readonly kind: 'members'
  readonly index: number
  readonly atMs: number
  readonly device: number
  readonly tab: number
  readonly seed: number
}

export interface FaultAct {
  readonly kind: 'fault'
  readonly fault: FaultKind
  readonly index: number
  readonly atMs: number
  readonly device: number
  readonly tab: number
  readonly seed: number
}

export type Act = MutateAct | UserAct | FaultAct | MembersAct

export const planOf = (options: SimulatorOptions): Act[] => {
  const root = Random.of(options.seed).stream('plan')
  const acts: Omit<Act, 'index'>[] = [
    ...mutations(options, root.stream('mutations')),
    ...userActs(options, root.stream('user')),
    ...faults(options, root.stream('faults')),
    ...memberActs(options, root.stream('members')),
  ]
  return acts.map((act, index) => ({ ...act, index }) as Act)
}

const whoAndWhen = (options: SimulatorOptions, random: Random) => ({
  atMs: Math.floor(random.fraction() * options.faultsMs),
  device: random.below(options.devices),
  tab: random.below(options.tabs),
  seed: random.next(),
})

const mutations = (options: SimulatorOptions, random: Random): Omit<MutateAct, 'index'>[] => {
  const acts: Omit<MutateAct, 'index'>[] = []
  for (let left = options.ops; left > 0; ) {
    const count = Math.min(left, random.between(1, options.burst))
    acts.push({ kind: 'mutate', ...whoAndWhen(options, random), count })
    left -= count
  }
  return acts
}

const userActs = (options: SimulatorOptions, random: Random): Omit<UserAct, 'index'>[] => {
  const acts: Omit<UserAct, 'index'>[] = []
  for (let left = options.devices; left > 0; left--) {
    const { atMs, device, tab } = whoAndWhen(options, random)
    const backMs = atMs + random.below(options.faultsMs / 4)
    if (random.chance(0.5)) {
      acts.push({ kind: 'goOffline', atMs, device, tab }, { kind: 'goOnline', atMs: backMs, device, tab })
    } else {
      acts.push({ kind: 'closeTab', atMs, device, tab }, { kind: 'openTab', atMs: backMs, device, tab })
    }
  }
  return acts
}

const MEMBER_ACTS = 30

/**
 * None where the server is set back: an entry that nobody relayed yet, and another one in its place, are two logs of members, and
 * no rule can tell which one is right (MEM9).
 */
const memberActs = (options: SimulatorOptions, random: Random): Omit<MembersAct, 'index'>[] =>
  options.members && options.weights.serverRollback === undefined
    ? Array.from({ length: MEMBER_ACTS }, () => ({ kind: 'members', ...whoAndWhen(options, random) }))
    : []

const faults = (options: SimulatorOptions, random: Random): Omit<FaultAct, 'index'>[] => {
  const kinds = Object.entries(options.weights) as [FaultKind, number][]
  if (kinds.length === 0) return []
  const weights = kinds.map(([, weight]) => weight)
  return Array.from({ length: options.faults }, () => {
    const fault = kinds[random.weighted(weights)][0]
    return { kind: 'fault', fault, ...whoAndWhen(options, random) }
  })
}
