import type { CheckerFactory } from './checker.ts'

export const allCheckers: readonly CheckerFactory[] = []
