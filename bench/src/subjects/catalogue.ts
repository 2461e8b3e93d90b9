import type { Subject } from './subject.ts'

/** Name → loader, so that a process loads only the subject that it measures. */
export const subjects: Readonly<Record<string, () => Promise<Subject>>> = {
  driftlog: async () => (await import('./driftlog/subject.ts')).driftlog,
}
