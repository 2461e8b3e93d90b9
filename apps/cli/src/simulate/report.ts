/** What a simulation tells: a table for people, one object for programs. */
import { formatReplay, type OptionOverrides, replayCommand, type Tally, tallied } from '@driftlog/testkit/simulator'
import { formatCount, formatDuration, plural } from '../output.ts'
import type { JobsResult } from './jobs.ts'
import type { FailedSeed } from './worker.ts'

export interface SimulationReport {
  readonly schedules: number
  readonly mutations: number
  /** How often each fault took effect. */
  readonly faults: Tally
  readonly faultCount: number
  readonly jobs: number
  readonly seconds: number
  readonly schedulesPerSecond: number
  readonly schedulesPerSecondAndCore: number
  readonly failures: readonly {
    readonly seed: number
    readonly checker: string
    readonly message: string
    /** Runs it again and tells what happens. */
    readonly command: string
  }[]
}

export const simulationReport = (result: JobsResult, jobs: number, options: OptionOverrides): SimulationReport => {
  const { schedules, mutations, tally, seconds, failures } = result
  const rate = schedules / seconds
  return {
    schedules,
    mutations,
    faults: tally,
    faultCount: tallied(tally),
    jobs,
    seconds: rounded(seconds),
    schedulesPerSecond: rounded(rate),
    schedulesPerSecondAndCore: rounded(rate / jobs),
    failures: failures.map((failure) => failureReport(failure, options)),
  }
}

const failureReport = ({ seed, violations: [{ checker, message }] }: FailedSeed, options: OptionOverrides) => ({
  seed,
  checker,
  message,
  command: replayCommand(formatReplay({ seed, options, kept: undefined })),
})

const rounded = (value: number): number => Math.round(value * 10) / 10

export const simulationTable = (report: SimulationReport): [string, string][] => {
  const { schedules, mutations, faults, faultCount, jobs, seconds } = report
  const each = (count: number): string => formatCount(Math.round(count / schedules))
  return [
    ['schedules', `${formatCount(schedules)} in ${formatDuration(seconds * 1_000)}`],
    [
      'rate',
      `${report.schedulesPerSecond}/s, ${report.schedulesPerSecondAndCore}/s for each of ${plural(jobs, 'job')}`,
    ],
    ['mutations', `${formatCount(mutations)}, ${each(mutations)} a schedule`],
    ['faults', `${formatCount(faultCount)}, ${each(faultCount)} a schedule`],
    ...Object.entries(faults).map(([kind, count]): [string, string] => [`  ${kind}`, formatCount(count)]),
    ['failures', formatCount(report.failures.length)],
  ]
}

/** Two lines a failure: what, and how to see it. */
export const failureLines = ({ failures }: SimulationReport): string[] =>
  failures.flatMap(({ seed, checker, message, command }) => [
    `seed ${seed}: ${checker}: ${message.split('\n')[0]}`,
    `  ${command}`,
  ])
