import { availableParallelism, cpus, totalmem } from 'node:os'

/** What the figures depend on. No names: of the host, of people. */
export interface Machine {
  readonly date: string
  readonly node: string
  readonly cpu: string
  readonly cores: number
  readonly memoryGb: number
  readonly platform: string
}

export const describeMachine = (now: Date): Machine => ({
  date: now.toISOString().slice(0, 10),
  node: process.version,
  cpu: cpus()[0]?.model.trim() ?? 'unknown',
  cores: availableParallelism(),
  memoryGb: Math.round(totalmem() / 2 ** 30),
  platform: `${process.platform} ${process.arch}`,
})

export const machineLine = ({ date, node, cpu, cores, memoryGb, platform }: Machine): string =>
  `${date}, Node ${node.slice(1)}, ${platform}, ${cpu}, ${cores} cores, ${memoryGb} GB`
