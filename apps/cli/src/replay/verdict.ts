/** Compares what devices show at the end with what the history says (oracle.ts). */
import { formatCount } from '../output.ts'
import type { DeviceOutcome, ShownFile } from './devices.ts'
import type { History } from './history.ts'
import type { Expectation } from './oracle.ts'

export interface Verdict {
  readonly agrees: boolean
  /** The digest of all devices; undefined where they differ. */
  readonly digest: string | undefined
  /** One sentence each, at most MAX_DIFFERENCES. */
  readonly differences: readonly string[]
}

const MAX_DIFFERENCES = 10

export interface Evidence {
  readonly history: History
  /** Ops that every device must show. */
  readonly ops: number
  readonly expectation: Expectation
  readonly devices: readonly DeviceOutcome[]
  /** What some of the devices show, through SQL. */
  readonly shown: readonly (readonly ShownFile[])[]
}

export const judge = (evidence: Evidence): Verdict => {
  const differences = [
    ...deviceDifferences(evidence),
    ...evidence.shown.flatMap((files) => fileDifferences(files, evidence.expectation, evidence.history)),
  ]
  const digests = new Set(evidence.devices.map(({ digest }) => digest))
  return {
    agrees: differences.length === 0,
    digest: digests.size === 1 ? evidence.devices[0].digest : undefined,
    differences: differences.slice(0, MAX_DIFFERENCES),
  }
}

const deviceDifferences = ({ devices, ops, expectation }: Evidence): string[] => {
  const [first] = devices
  const differences = new Map<string, number[]>()
  const note = (what: string, device: number): void => {
    differences.set(what, [...(differences.get(what) ?? []), device])
  }
  for (const { device, digest, ops: shownOps, conflicts, waiting } of devices) {
    if (digest !== first.digest) note(`has another digest than device ${first.device}`, device)
    if (shownOps !== ops) note(`shows ${formatCount(shownOps)} ops of ${formatCount(ops)}`, device)
    if (waiting > 0) note(`holds ${formatCount(waiting)} ops that wait for what they saw`, device)
    if (conflicts !== expectation.conflicts) {
      note(`counts ${conflicts} fields with concurrent values, the history ${expectation.conflicts}`, device)
    }
  }
  // What is wrong everywhere is one thing to be told, not hundreds.
  return [...differences].map(([what, which]) =>
    which.length === 1
      ? `device ${which[0]} ${what}`
      : `${which.length} devices, the first is ${which[0]}: each ${what}`,
  )
}

const fileDifferences = (files: readonly ShownFile[], { files: expected }: Expectation, history: History): string[] => {
  const differences: string[] = []
  const nameOf = (position: number): number => history.commits[position].name
  const shown = new Map(files.map((file) => [file.path, file]))
  if (shown.size !== files.length) differences.push('a path is shown twice')
  for (const path of shown.keys()) if (!expected.has(path)) differences.push(`${path}: shown, and not in the history`)
  for (const [path, want] of expected) {
    const file = shown.get(path)
    if (file === undefined) {
      differences.push(`${path}: not shown`)
      continue
    }
    const last = history.commits[want.lastWriters[want.lastWriters.length - 1]]
    const compare = (what: string, shownValue: number | string, wantedValue: number | string): void => {
      if (shownValue !== wantedValue) differences.push(`${path}: ${what} ${shownValue}, by the history ${wantedValue}`)
    }
    compare('lines', file.lines, want.lines)
    compare('commits', file.commits, want.commits)
    compare('last commit', file.lastCommit, last.name)
    compare('last author', file.lastAuthor, last.author)
    compare('concurrent last commits', file.lastCommits.join(' '), want.lastWriters.map(nameOf).join(' '))
  }
  return differences
}
