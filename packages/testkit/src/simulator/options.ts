/**
 * What a schedule is made of, as plain data: a seed expands into it, it is printed with every failure, and any part of it
 * can be overridden. Swarm testing (Groce et al., 2012): each seed switches on only some of the faults, and in other
 * proportions, for a fault that is always there hides what only happens without it.
 */
import { type FaultKind, faultKinds, forkFaults, rotFaults } from './faults.ts'
import { Random } from './random.ts'

export interface SimulatorOptions {
  readonly seed: number
  /** Machines, each with a disk, a clock and a link of its own. */
  readonly devices: number
  /** Tabs that a machine has at most; each writes as a device of its own. */
  readonly tabs: number
  /** Mutations that are asked for. */
  readonly ops: number
  /** Mutations that are made at a time, at most: they share an append. */
  readonly burst: number
  /** Rows that everyone writes to. */
  readonly rows: number
  /** Faults that are injected. */
  readonly faults: number
  /** Which, and how often against each other. What is not here is off. */
  readonly weights: Partial<Record<FaultKind, number>>
  /** How long the faults last, in virtual milliseconds. */
  readonly faultsMs: number
  /** How long healing may take, in virtual milliseconds. */
  readonly healMs: number
  /** Share of the machines that sync by round trips; the others hold a live connection. */
  readonly roundTrips: number
  /** Share of the machines that run the older version of the schema. */
  readonly olderSchemas: number
  /** Whether some mutations are too large for one op. */
  readonly groups: boolean
  /** Share of the mutations that delete. */
  readonly deletes: number
  /** Share of the mutations that are of sets, lists, JSON, strategies, references, forms, undo and the like. */
  readonly laws: number
  /** One way, in virtual milliseconds; each link has its own between them. */
  readonly latencyMs: readonly [least: number, most: number]
  /** How long a disk takes to make an append durable, in virtual milliseconds. */
  readonly diskMs: readonly [least: number, most: number]
  /** How far a device's clock may be off from the start, in milliseconds either way. */
  readonly skewMs: number
  /** Looks at every replica while faults last: the digests and what is read must fit each other then too. */
  readonly samples: number
  /** Whether the space is. */
  readonly encrypted: boolean
  /** Whether it has members, whose admins are at work; it is encrypted then. */
  readonly members: boolean
  /** New ops after which a replica makes a local snapshot. */
  readonly snapshotAfterOps: number
  /** Reads through SQL at the end. */
  readonly sql: boolean
  /** Ed25519 rather than the cheap signatures of the simulation. */
  readonly realCrypto: boolean
}

/** More ops than any schedule has. */
const NEVER = 1_000_000

export type OptionOverrides = Partial<Omit<SimulatorOptions, 'seed'>>

export const optionsOf = (seed: number, overrides: OptionOverrides = {}): SimulatorOptions => {
  // A stream for each, so that an override does not change the others.
  const root = Random.of(seed).stream('options')
  const of = <T>(name: string, draw: (random: Random) => T): T => draw(root.stream(name))
  const minute = 60_000
  return {
    seed,
    devices: of('devices', (random) => random.between(5, 6)),
    tabs: of('tabs', (random) => random.weighted([15, 4, 1]) + 1),
    ops: of('ops', (random) => random.between(210, 260)),
    burst: of('burst', (random) => random.pick([3, 10, 20, 40, 40])),
    rows: of('rows', (random) => random.pick([2, 5, 12])),
    faults: of('faults', (random) => random.between(30, 45)),
    weights: of('weights', swarm),
    faultsMs: of('faultsMs', (random) => random.pick([1, 2, 5]) * minute),
    healMs: 60 * minute,
    roundTrips: of('roundTrips', (random) => random.pick([0, 0, 0.2, 0.5])),
    olderSchemas: of('olderSchemas', (random) => random.pick([0, 0.3, 0.6])),
    groups: of('groups', (random) => random.chance(0.02)),
    deletes: of('deletes', (random) => random.pick([0, 0.05, 0.2])),
    laws: of('laws', (random) => random.pick([0, 0.3, 0.6])),
    latencyMs: of('latencyMs', (random) => random.pick([[1, 20] as const, [20, 200] as const, [100, 2_000] as const])),
    diskMs: of('diskMs', (random) => random.pick([[0.1, 2] as const, [1, 20] as const, [10, 500] as const])),
    skewMs: of('skewMs', (random) => random.pick([0, 2_000, 50_000])),
    samples: of('samples', (random) => random.pick([0, 0, 1, 3])),
    encrypted: of('encrypted', (random) => random.chance(0.5)),
    members: of('members', (random) => random.chance(0.3)),
    snapshotAfterOps: of('snapshotAfterOps', (random) => random.pick([10, 60, NEVER])),
    sql: false,
    realCrypto: false,
    ...overrides,
  }
}

const swarm = (random: Random): Partial<Record<FaultKind, number>> => {
  const weights: Partial<Record<FaultKind, number>> = {}
  for (const kind of faultKinds) {
    // Drawn in any case, so that a fault more or less in the list of those that fork does not change the others.
    const [isOn, weight] = [random.fraction(), random.pick([1, 1, 3])]
    const rarely = forkFaults.includes(kind) ? 0.15 : rotFaults.includes(kind) ? 0.25 : undefined
    if (isOn < (rarely ?? 0.5)) weights[kind] = rarely === undefined ? weight : 1
  }
  // Without any, a schedule would still be one, but not what its reader expects.
  if (Object.keys(weights).length === 0) weights.cut = 1
  return weights
}
