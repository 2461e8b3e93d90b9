import { forkFaults } from '../faults.ts'
import type { SimulatorOptions } from '../options.ts'

/**
 * Whether one (device, seq) may come to name two ops in this schedule, or an op may be known by another id than it was
 * written under. What holds of markers holds all the same; what is said of seqs does not.
 */
export const mayFork = ({ weights }: SimulatorOptions): boolean => forkFaults.some((fault) => (weights[fault] ?? 0) > 0)
