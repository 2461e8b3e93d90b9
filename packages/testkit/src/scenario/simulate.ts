/**
 * Random concurrent work of an app's own mutations on its own schema, on devices that are offline, crash and are cut off;
 * then everything is healed, and all of them must show the same, and keep what the app promises.
 */
import type { Schema } from '@driftlog/core'
import { Random } from '../simulator/random.ts'
import { appRandom } from './app-random.ts'
import { momentText } from './duration.ts'
import { inject, simulatedFaults } from './faults.ts'
import { openHistory } from './history.ts'
import { Host, isReadOnly, textOfError } from './host.ts'
import { checkInvariants, type RowsOf, rowsOfAll, type Violation } from './judge.ts'
import { Recorder } from './recorder.ts'
import { type Report, reportOf } from './report.ts'
import { numbered } from './scenario.ts'
import { differences, settle } from './settle.ts'
import { holdCheapSigner } from './signer.ts'
import { type AppMutation, messageOf, type SimulateOptions, type Simulation, SimulationFailed } from './simulation.ts'
import { Stage } from './stage.ts'

const LASTS_MS = 600_000

/**
 * Rejects with `SimulationFailed` where an invariant is broken, devices differ, or it does not come to rest. Signatures are
 * replaced by cheap ones in this whole process while it runs: a scenario must not go on at the same time.
 */
export const simulate = async <S extends Schema>(options: SimulateOptions<S>): Promise<Simulation<S>> => {
  const releaseSigner = holdCheapSigner()
  try {
    const result = await new Run(options).run()
    if (!result.ok && options.throws !== false) throw new SimulationFailed(result.message, result)
    return result
  } finally {
    releaseSigner()
  }
}

class Run<S extends Schema> {
  readonly #options: SimulateOptions<S>
  readonly #stage: Stage
  readonly #hosts: Host<S>[]
  readonly #random: Random
  readonly #recorder = new Recorder<S>()
  readonly #story: string[] = []
  readonly #violations: Violation[] = []
  readonly #mutations: Record<string, number> = {}
  readonly #faults: Record<string, number> = {}

  constructor(options: SimulateOptions<S>) {
    const { schema, devices, seed, onLine } = options
    this.#options = options
    this.#random = Random.of(seed).stream('simulate')
    const latencyMs = this.#random.stream('latency').pick([[1, 20] as const, [20, 200] as const, [100, 2_000] as const])
    this.#stage = new Stage({ seed, simulator: { latencyMs, diskMs: [1, 20] }, onLine })
    const names = typeof devices === 'number' ? numbered(devices) : devices
    const transports = this.#random.stream('transports')
    this.#hosts = names.map((name) => new Host<S>(this.#stage, { name, schema, isRoundTrip: transports.chance(0.2) }))
  }

  async run(): Promise<Simulation<S>> {
    const stage = this.#stage
    const hosts = stage.hosts
    await stage.begin()
    await this.#setUp()
    this.#plan()
    await stage.pass(LASTS_MS)
    await this.#heal()
    if ((await settle(stage, hosts)) === undefined) {
      for (const host of hosts) this.#violated('all devices come to rest within an hour', host.describes, host.name)
    }
    for (const failure of stage.failures) this.#violated('the product reports no error of its own', failure)
    for (const host of hosts) await host.open()
    for (const difference of await differences(stage, hosts)) this.#violated('all devices show the same', difference)
    const rows = new Map<string, RowsOf<S>>()
    for (const host of hosts) rows.set(host.name, (await rowsOfAll(host)) as RowsOf<S>)
    this.#violations.push(...checkInvariants(this.#options.invariants ?? {}, rows))
    const history = await openHistory(stage, [stage.server.disk.durable])
    for (const [machine, count] of stage.origins.missingIn(history.ops)) {
      const { name, wasSetBack } = hosts[machine]
      if (!wasSetBack) this.#violated('nothing that was stored is lost', `${count} changes are gone`, name)
    }
    const [first] = this.#hosts
    const digest = first.expectReplica().digest()
    stage.end()
    return this.#result(reportOf(this.#options.schema, history), rows.get(first.name)!, digest)
  }

  async #setUp(): Promise<void> {
    for (const host of this.#hosts) await host.open()
    const { setup } = this.#options
    if (setup === undefined) return
    this.#stage.tick()
    await this.#stage.settled(this.#hosts[0].mutate((tx) => void this.#recorder.record(tx, setup)).stored, 'the setup')
    await settle(this.#stage, this.#stage.hosts)
  }

  #plan(): void {
    const { time } = this.#stage.kernel
    const { steps = 200 } = this.#options
    const from = time.nowMs
    const mutations = Object.entries(this.#options.mutations).map(([name, given]) =>
      typeof given === 'function' ? { name, weight: 1, run: given } : { name, ...given },
    )
    const works = this.#random.stream('mutations')
    for (let step = 0; step < steps; step++) {
      const host = works.pick(this.#hosts)
      const { name, run } = mutations[works.weighted(mutations.map(({ weight }) => weight))]
      const random = works.stream(`step ${step}`)
      time.at(from + works.below(LASTS_MS), () => this.#mutate(random.pick([host, ...host.clones]), name, run, random))
    }
    const [count, weights] = this.#chosenFaults(steps)
    const faults = this.#random.stream('faults')
    for (let fault = 0; fault < count; fault++) {
      const host = faults.pick(this.#stage.hosts)
      const kind = simulatedFaults[faults.weighted(weights)]
      const random = faults.stream(`fault ${fault}`)
      time.at(from + faults.below(LASTS_MS), () => {
        const words = inject(this.#stage, host, kind, random, LASTS_MS / 4)
        if (words === undefined) return
        this.#faults[kind] = (this.#faults[kind] ?? 0) + 1
        this.#tell(words)
      })
    }
  }

  /** How many, and the weight of each kind. Which are on differs from seed to seed: see the simulator's options. */
  #chosenFaults(steps: number): [count: number, weights: number[]] {
    const { faults } = this.#options
    if (typeof faults === 'object') {
      const weights = simulatedFaults.map((kind) => faults[kind] ?? 0)
      return [weights.some((weight) => weight > 0) ? Math.ceil(steps / 5) : 0, weights]
    }
    const random = this.#random.stream('swarm')
    const weights = simulatedFaults.map((kind) => (kind === 'offline' || random.chance(0.5) ? random.between(1, 3) : 0))
    return [faults ?? Math.ceil(steps / 5), weights]
  }

  #mutate(host: Host<S>, name: string, run: AppMutation<S>, random: Random): void {
    // Its user is not there.
    if (host.replica === undefined) return
    let words = ''
    try {
      host.mutate((tx) => {
        words = this.#recorder.record(tx, (told, rows) => run(told, appRandom(random), rows))
      })
      this.#mutations[name] = (this.#mutations[name] ?? 0) + 1
      this.#tell(`${host.name} ${name}: ${words === '' ? 'does nothing' : words}`)
    } catch (error) {
      // The storage fails, and the app would say so.
      if (isReadOnly(error)) return
      this.#violated(`the mutation ${name} does not throw`, textOfError(error), host.name)
    }
  }

  async #heal(): Promise<void> {
    const { server, hosts } = this.#stage
    this.#tell('everything is healed')
    server.heal()
    for (const host of hosts) {
      host.clock.correct()
      host.disk.heal()
      host.setConnected(true)
      host.launch()
    }
    // Those that could not be opened, or were just closing.
    await this.#stage.pass(5_000)
    for (const host of hosts) await host.open()
  }

  #tell(words: string): void {
    this.#story.push(`${momentText(new Date(Math.floor(this.#stage.nowMs)))} ${words}`)
    this.#stage.kernel.trace.note(words)
  }

  #violated(invariant: string, message: string, device?: string): void {
    this.#violations.push({ invariant, device, message })
  }

  #result(report: Report, rows: RowsOf<S>, digest: string): Simulation<S> {
    const { seed } = this.#options
    const violations = this.#violations
    return {
      ok: violations.length === 0,
      seed,
      violations,
      message: violations.length === 0 ? '' : messageOf(seed, violations, this.#story),
      report,
      conflicts: report.conflicts,
      rows: (table) => rows[table],
      digest,
      traceHash: this.#stage.kernel.trace.hash,
      mutations: this.#mutations,
      faults: this.#faults,
      story: this.#story,
    }
  }
}
