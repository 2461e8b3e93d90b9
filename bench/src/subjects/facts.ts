/** What is asked of the facts of a subject. */
import { readFileSync } from 'node:fs'
import type { Abilities, Ability, Facts, Subject } from './subject.ts'

const MANIFEST = new URL('../../package.json', import.meta.url)

export const noteOf = ({ brief, notes }: Facts, workload: string): string =>
  `${brief}; ${notes[workload] ?? 'in memory'}`

/** Throws where the subject has neither the ability nor a reason: a cell is never left out silently. */
export const need = <A extends Ability>(subject: Subject, ability: A): Abilities[A] => {
  const found = subject[ability] as Abilities[A] | undefined
  if (found === undefined) throw new Error(`it has no ${ability}, and its facts do not say why`)
  return found
}

/** Package and version, as bench/package.json pins them. */
export const pinned = ({ packages }: Facts): string[] => {
  const { devDependencies } = JSON.parse(readFileSync(MANIFEST, 'utf8')) as { devDependencies: Record<string, string> }
  return packages.map((name) => `${name} ${devDependencies[name]}`)
}
