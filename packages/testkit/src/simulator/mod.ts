/** The simulator: the production code in one process over virtual time, with everything outside injected and seeded. */
export { type Checker, type CheckerFactory, type Evidence } from './checkers/checker.ts'
export { allCheckers } from './checkers/all.ts'
export type { SimulatorEvent } from './events.ts'
export { addTally, type FaultKind, faultKinds, type Tally, tallied } from './faults.ts'
export { type OptionOverrides, optionsOf, type SimulatorOptions } from './options.ts'
export { type Act, type FaultAct, type MutateAct, planOf, type UserAct } from './plan.ts'
export { Random } from './random.ts'
export type { Seams } from './seams.ts'
export {
  replay,
  type RunOverrides,
  runSchedule,
  runSchedules,
  type ScheduleResult,
  type SchedulesRequest,
  type SchedulesResult,
  type Violation,
} from './run.ts'
export { namedTest, replayCommand } from './shrink/named-test.ts'
export { actCount, formatReplay, overridesOf, parseReplay, type ReplayCode } from './shrink/replay-code.ts'
export { shrink, type Shrunk, type ShrinkRequest } from './shrink/shrink.ts'
