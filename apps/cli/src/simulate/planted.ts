/**
 * The planted bugs are patches of Driftlog's sources, and lie with its tests: they are hunted by a script of the repository,
 * which prints a JSON object a line.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { CliError } from '../errors.ts'

/** What became of one bug: see `test/simulation/planted/hunt.ts`. */
export interface PlantedVerdict {
  readonly name: string
  /** The rule that is forgotten. */
  readonly rule: string
  readonly kind: 'caught' | 'survived' | 'unplantable' | 'broken' | 'hangs'
  readonly checker?: string
  readonly message?: string
  readonly seed?: number
  readonly schedules?: number
  readonly seconds?: number
}

export interface PlantedRequest {
  /** For each bug at most. */
  readonly schedules: number
  readonly from: number
  readonly jobs: number
  readonly onBegin: (bugs: number) => void
  readonly onVerdict: (verdict: PlantedVerdict) => void
}

// As far away from src/simulate as from dist/simulate.
const repository = resolve(import.meta.dirname, '..', '..', '..', '..')
const script = join(repository, 'test', 'simulation', 'planted', 'main.ts')

export const huntPlanted = async (request: PlantedRequest): Promise<PlantedVerdict[]> => {
  if (!existsSync(script)) {
    throw new CliError(
      'NOT_A_CHECKOUT',
      'planted bugs are put into the sources of Driftlog, which an installed package does not have; run this in its repository',
    )
  }
  const { schedules, from, jobs, onBegin, onVerdict } = request
  const options = [`--schedules=${schedules}`, `--seed=${from}`, `--jobs=${jobs}`]
  const child = spawn(process.execPath, ['--conditions=driftlog-source', script, ...options], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'exit')
  const verdicts: PlantedVerdict[] = []
  for await (const line of createInterface({ input: child.stdout })) {
    const said = JSON.parse(line) as PlantedVerdict | { readonly bugs: number }
    if ('bugs' in said) onBegin(said.bugs)
    else {
      verdicts.push(said)
      onVerdict(said)
    }
  }
  const [code] = (await ended) as [number | null]
  if (code !== 0) throw new CliError('SIMULATION_BROKEN', `the hunt ended with ${String(code)}`)
  return verdicts
}

export const verdictCells = (verdict: PlantedVerdict): [string, string] => {
  const { name, rule, kind, checker, schedules = 0, seconds = 0 } = verdict
  const what = {
    caught: `caught by ${checker} after ${schedules} schedules (${seconds.toFixed(1)} s)`,
    survived: `SURVIVED ${schedules} schedules (${seconds.toFixed(1)} s)`,
    unplantable: 'must be planted anew: what it replaces does not stand once in its file',
    broken: `must be planted anew: ${verdict.message}`,
    hangs: `did not come to an end within ${seconds.toFixed(0)} s`,
  }[kind]
  return [name, `${rule.padEnd(11)} ${what}`]
}
