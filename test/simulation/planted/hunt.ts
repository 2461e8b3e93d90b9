/** Has child processes hunt planted bugs, several at a time, and collects what they say. */
import { type ChildProcess, fork } from 'node:child_process'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import type { PlantedBug } from './bug.ts'

/** To a child. Seeds `[from, from + schedules)`. */
export interface Order {
  readonly bug: PlantedBug
  readonly from: number
  readonly schedules: number
}

interface Hunted {
  readonly schedules: number
  readonly seconds: number
  /** Seeds that failed with the bug and without it: they prove nothing. */
  readonly alsoSound: readonly number[]
}

/** From a child. */
export type Answer =
  | ({ readonly kind: 'caught'; readonly checker: string; readonly message: string; readonly seed: number } & Hunted)
  | ({ readonly kind: 'survived' } & Hunted)
  /** What it replaces stands so often in its file, and not once. */
  | { readonly kind: 'unplantable'; readonly found: number }
  /** The sources with the bug do not load. */
  | { readonly kind: 'broken'; readonly message: string }
  /** It ran longer than it may: not one of the checkers, but not unnoticed. */
  | { readonly kind: 'hangs'; readonly seconds: number }

export type Verdict = Answer & { readonly bug: PlantedBug }

export interface HuntRequest {
  readonly bugs: readonly PlantedBug[]
  /** For each bug at most. */
  readonly schedules: number
  readonly jobs: number
  readonly from?: number
  /** What one bug may take. */
  readonly limitMs?: number
  readonly onVerdict?: (verdict: Verdict) => void
}

/** In the order of the bugs. */
export const hunt = async (request: HuntRequest): Promise<Verdict[]> => {
  const { bugs, schedules, jobs, from = 1, limitMs = 120_000, onVerdict } = request
  const verdicts: Verdict[] = []
  let next = 0
  const work = async (): Promise<void> => {
    let child: ChildProcess | undefined
    for (let index = next++; index < bugs.length; index = next++) {
      child ??= startChild()
      const bug = bugs[index]
      const answer = await ask(child, { bug, from, schedules }, limitMs)
      // A child that hangs is of no further use, nor is one whose modules did not load.
      if (answer.kind === 'hangs' || answer.kind === 'broken') {
        child.kill('SIGKILL')
        child = undefined
      }
      verdicts[index] = { bug, ...answer }
      onVerdict?.(verdicts[index])
    }
    child?.disconnect()
  }
  await Promise.all(Array.from({ length: Math.min(jobs, bugs.length) }, work))
  return verdicts
}

const startChild = (): ChildProcess =>
  fork(fileURLToPath(new URL('./child.ts', import.meta.url)), {
    execArgv: ['--conditions=driftlog-source', '--disable-warning=ExperimentalWarning'],
    // What a test runner wants of its own processes is not meant for this one.
    env: { ...process.env, NODE_OPTIONS: '' },
  })

const ask = (child: ChildProcess, order: Order, limitMs: number): Promise<Answer> =>
  new Promise((resolve) => {
    const started = performance.now()
    const end = (answer: Answer): void => {
      clearTimeout(timer)
      child.off('message', heard)
      child.off('exit', ended)
      resolve(answer)
    }
    const heard = (answer: unknown): void => end(answer as Answer)
    const ended = (code: number | null): void =>
      end({ kind: 'broken', message: `its process ended with ${String(code)}` })
    const timer = setTimeout(() => end({ kind: 'hangs', seconds: (performance.now() - started) / 1_000 }), limitMs)
    child.on('message', heard)
    child.on('exit', ended)
    child.send(order)
  })

export const isCaught = ({ kind }: Verdict): boolean => kind === 'caught'

/** One line a bug. */
export const sentenceOf = (verdict: Verdict): string => {
  const { bug } = verdict
  const name = `${bug.name} (${bug.rule})`
  switch (verdict.kind) {
    case 'caught': {
      const { checker, schedules, seconds } = verdict
      return `${name}: caught by ${checker} after ${schedules} schedules (${seconds.toFixed(1)} s)`
    }
    case 'survived': {
      const { schedules, alsoSound, seconds } = verdict
      const failing = alsoSound.length === 0 ? '' : `; seeds that fail without it too: ${alsoSound.join(', ')}`
      return `${name}: SURVIVED ${schedules} schedules (${seconds.toFixed(1)} s)${failing}`
    }
    case 'unplantable':
      return `${name}: must be planted anew: what it replaces stands ${verdict.found} times in ${bug.file}, not once`
    case 'broken':
      return `${name}: must be planted anew: ${verdict.message}`
    case 'hangs':
      return `${name}: did not come to an end within ${verdict.seconds.toFixed(0)} s`
  }
}
