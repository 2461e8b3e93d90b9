import { atomicity } from './atomicity.ts'
import { causality } from './causality.ts'
import type { CheckerFactory } from './checker.ts'
import { clock } from './clock.ts'
import { contiguity } from './contiguity.ts'
import { conflicts } from './conflicts.ts'
import { convergence } from './convergence.ts'
import { durability } from './durability.ts'
import { edits } from './edits.ts'
import { effects } from './effects.ts'
import { laws } from './laws.ts'
import { liveness } from './liveness.ts'
import { noInvention } from './no-invention.ts'
import { noLoss } from './no-loss.ts'
import { patience } from './patience.ts'
import { receipts } from './receipts.ts'
import { refusals } from './refusals.ts'
import { secrecy } from './secrecy.ts'
import { sessions } from './sessions.ts'
import { sql } from './sql.ts'

/** All but determinism, which takes two runs: see `runSchedules`. */
export const allCheckers: readonly CheckerFactory[] = [
  durability,
  noLoss,
  noInvention,
  effects,
  edits,
  laws,
  conflicts,
  contiguity,
  convergence,
  causality,
  sessions,
  clock,
  liveness,
  patience,
  receipts,
  atomicity,
  refusals,
  secrecy,
  sql,
]
