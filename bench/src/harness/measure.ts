import { gzipSync } from 'node:zlib'
import { startProfile } from './profile.ts'
import type { Sample } from './rows.ts'

export interface Spent {
  readonly wallMs: number
  /** User and system time of the whole process, all its threads. */
  readonly cpuMs: number
}

/** Starts to count; the returned function tells what was spent since. */
export const startWatch = (): (() => Spent) => {
  const stopProfile = startProfile()
  const cpu = process.cpuUsage()
  const wall = performance.now()
  return () => {
    const wallMs = performance.now() - wall
    const { user, system } = process.cpuUsage(cpu)
    stopProfile()
    return { wallMs, cpuMs: (user + system) / 1000 }
  }
}

export const timeSamples = ({ wallMs, cpuMs }: Spent): Sample[] => [
  { metric: 'wall_ms', value: wallMs },
  { metric: 'cpu_ms', value: cpuMs },
]

export const rateSamples = (count: number, spent: Spent): Sample[] => [
  { metric: 'per_s', value: (count / spent.wallMs) * 1000 },
  ...timeSamples(spent),
]

/** What was sent or stored, as it is and as gzip of all of it together would make it. Nothing where it is not known. */
export const byteSamples = (parts: readonly Uint8Array[] | undefined): Sample[] =>
  parts === undefined
    ? []
    : [
        { metric: 'bytes', value: parts.reduce((sum, part) => sum + part.length, 0) },
        { metric: 'bytes_gzip', value: gzipSync(Buffer.concat(parts), { level: 6 }).length },
      ]

export const latencySamples = (latenciesMs: readonly number[]): Sample[] => {
  const sorted = latenciesMs.toSorted((a, b) => a - b)
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]
  return [
    { metric: 'p50_ms', value: at(0.5) },
    { metric: 'p99_ms', value: at(0.99) },
  ]
}

/** The most memory that this process held up to now. */
export const peakMemory = (): Sample => ({ metric: 'rss_mb', value: process.resourceUsage().maxRSS / 1024 })
