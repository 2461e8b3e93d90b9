import { availableParallelism } from 'node:os'
import process from 'node:process'
import {
  namedTest,
  type OptionOverrides,
  overridesOf,
  parseReplay,
  replay,
  type ReplayCode,
  replayCommand,
  shrink,
} from '@driftlog/testkit/simulator'
import type { Command } from 'commander'
import { CliError, failureOf } from '../errors.ts'
import { wholeNumber } from '../options.ts'
import { formatCount, type Output, plural, terminalOutput } from '../output.ts'
import { runJobs } from '../simulate/jobs.ts'
import { huntPlanted, verdictCells } from '../simulate/planted.ts'
import { failureLines, simulationReport, simulationTable } from '../simulate/report.ts'

const SCHEDULES = 100
/** For each planted bug. */
const PLANTED_SCHEDULES = 400
const SHRINK_RUNS = 400

interface Options {
  readonly seed: number
  readonly schedules?: number
  readonly jobs: number
  readonly sql?: true
  readonly realCrypto?: true
  readonly replay?: string
  readonly shrink?: true
  readonly planted?: true
  readonly json?: true
}

export const addSimulate = (program: Command): void => {
  program
    .command('simulate')
    .summary('run schedules of faults against devices and a server in virtual time, and check what must hold')
    .description(
      'Runs devices and a server in one process over virtual time, breaks what can break, and checks that nothing is ' +
        'lost, doubled or stuck. A seed is a schedule: whatever fails is run again by one command.',
    )
    .option('--seed <number>', 'the first seed', wholeNumber('a seed', 0), 1)
    .option('--schedules <count>', `so many seeds from there on (${SCHEDULES})`, wholeNumber('a count of schedules', 1))
    .option('--jobs <count>', 'in so many processes', wholeNumber('a count of processes', 1), availableParallelism())
    .option('--sql', 'read through SQL, too')
    .option('--real-crypto', 'sign with Ed25519 rather than something cheap')
    .option('--replay <schedule>', 'run one schedule again and tell what happens, such as 17 or 17&keep=0-3,7')
    .option('--shrink', 'find a small schedule that fails as that of the seed, or of --replay, does')
    .option('--planted', 'plant known bugs in the sources, and see that they are found (in the repository only)')
    .option('--json', 'print one JSON object at the end')
    .action(async (options: Options) => {
      const output = terminalOutput(options.json === true)
      if (options.planted === true) await runPlanted(options, output)
      else if (options.shrink === true) await runShrink(options, output)
      else if (options.replay !== undefined) await runReplay(readReplay(options.replay), output)
      else await runMany(options, output)
    })
}

const overridesFor = ({ sql, realCrypto }: Options): OptionOverrides => ({
  ...(sql === true ? { sql } : {}),
  ...(realCrypto === true ? { realCrypto } : {}),
})

const readReplay = (text: string): ReplayCode => {
  try {
    return parseReplay(text)
  } catch (error) {
    throw new CliError('USAGE', `${text} is not a schedule: ${(error as Error).message}`)
  }
}

const fail = (output: Output, message: string): void => {
  const failure = failureOf(new CliError('SIMULATION_FAILED', message))
  output.failure(failure)
  process.exitCode = failure.exitCode
}

const runMany = async (options: Options, output: Output): Promise<void> => {
  const { seed: from, schedules: count = SCHEDULES, jobs } = options
  const overrides = overridesFor(options)
  const progress = output.progress(count, plural(count, 'schedule'))
  const result = await runJobs({
    from,
    count,
    options: overrides,
    jobs,
    onProgress: (step, failures) => progress.advance(step, failures === 0 ? undefined : plural(failures, 'failure')),
  }).catch((error: unknown) => {
    progress.failed('stopped')
    throw error
  })
  progress.done('simulated')
  const report = simulationReport(result, jobs, overrides)
  for (const line of failureLines(report)) output.line(line)
  output.table(simulationTable(report))
  output.result(report)
  if (report.failures.length > 0) fail(output, `${report.failures.length} of ${formatCount(count)} schedules failed`)
}

const runReplay = async (code: ReplayCode, output: Output): Promise<void> => {
  const result = await replay(code.seed, { ...overridesOf(code), onLine: undefined })
  for (const line of result.lines) output.line(line)
  const { ok, traceHash, options, tally, mutations, steps, virtualMs, violations } = result
  output.line()
  for (const [name, value] of Object.entries(options)) output.line(`  ${name} ${JSON.stringify(value)}`)
  output.line()
  for (const { checker, message, atMs } of violations) {
    output.line(`${checker}, at ${(atMs / 1_000).toFixed(3)} s: ${message}`)
  }
  output.line(`trace ${traceHash}`)
  output.result({ ok, traceHash, options, faults: tally, mutations, steps, virtualMs, violations })
  if (!ok) fail(output, violations[0].message.split('\n')[0])
}

const runShrink = async (options: Options, output: Output): Promise<void> => {
  const given = options.replay === undefined ? undefined : readReplay(options.replay)
  const { seed, kept, ...code } = given ?? { seed: options.seed, options: overridesFor(options), kept: undefined }
  const progress = output.progress(SHRINK_RUNS, `seed ${seed}`)
  let shown = 0
  const small = await shrink({
    seed,
    options: code.options,
    kept,
    runs: SHRINK_RUNS,
    onSmaller: ({ acts, runs }) => {
      progress.advance(runs - shown, plural(acts, 'act'))
      shown = runs
    },
  })
  if (small === undefined) {
    progress.done('it does not fail')
    output.line(`Seed ${seed} does not fail.`)
    output.result({ seed, fails: false })
    return
  }
  progress.done(plural(small.acts, 'act'))
  const [{ checker, message }] = small.violations
  const command = replayCommand(small.code)
  const test = namedTest(small.code, small.violations[0])
  for (const line of [`${checker}: ${message}`, '', command, '', test]) output.line(line)
  output.result({
    seed,
    fails: true,
    code: small.code,
    acts: small.acts,
    runs: small.runs,
    checker,
    message,
    command,
    test,
  })
  fail(output, `${checker}: ${message.split('\n')[0]}`)
}

const runPlanted = async (options: Options, output: Output): Promise<void> => {
  let progress = output.progress(1, 'planting')
  const verdicts = await huntPlanted({
    schedules: options.schedules ?? PLANTED_SCHEDULES,
    from: options.seed,
    jobs: options.jobs,
    onBegin: (bugs) => {
      progress.done('planted')
      progress = output.progress(bugs, plural(bugs, 'bug'))
    },
    onVerdict: ({ name }) => progress.advance(1, name),
  })
  progress.done('hunted')
  const missed = verdicts.filter(({ kind }) => kind !== 'caught')
  output.table(verdicts.map(verdictCells))
  output.result({ bugs: verdicts.length, caught: verdicts.length - missed.length, verdicts })
  if (missed.length > 0) fail(output, `not caught: ${missed.map(({ name }) => name).join(', ')}`)
}
