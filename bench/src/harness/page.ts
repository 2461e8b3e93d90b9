/**
 * docs/benchmarks.md: prose that people keep, and a section a family between two markers that a run writes anew.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import type { Workload } from '../workloads/workload.ts'
import { type Machine, machineLine } from './machine.ts'
import type { Family, Row } from './rows.ts'
import { markdownTable, type OpCounts } from './table.ts'

const PAGE = new URL('../../../docs/benchmarks.md', import.meta.url)

const startOf = (family: Family): string => `<!-- generated: ${family} -->`
const endOf = (family: Family): string => `<!-- end: ${family} -->`

const notesOf = (rows: readonly Row[]): string[] => {
  const notes = new Map<string, Set<string>>()
  for (const { subject, workload, note } of rows) {
    const key = `${subject}: ${note}`
    notes.set(key, (notes.get(key) ?? new Set()).add(workload))
  }
  return [...notes].map(([note, names]) => `- ${[...names].join(', ')}, ${note}`)
}

export const opCounts = (workloads: readonly Workload[], scale: number): OpCounts =>
  new Map(workloads.flatMap(({ name, ops }) => (ops === undefined ? [] : [[name, ops * scale]])))

export const familySection = (rows: readonly Row[], workloads: readonly Workload[], machine: Machine): string =>
  [
    `Measured ${machineLine(machine)}.`,
    markdownTable(rows, opCounts(workloads, 1)),
    'What the clock covers:',
    workloads.map(({ name, measures }) => `- **${name}**: ${measures}.`).join('\n'),
    'Durability, encryption and what else makes a figure what it is:',
    notesOf(rows).join('\n'),
  ].join('\n\n')

/** The page with one section replaced. Throws where the page has lost its markers. */
export const withSection = (page: string, family: Family, section: string): string => {
  const from = page.indexOf(startOf(family))
  const to = page.indexOf(endOf(family))
  if (from < 0 || to < from) throw new Error(`docs/benchmarks.md has no section ${startOf(family)}`)
  return `${page.slice(0, from)}${startOf(family)}\n\n${section}\n\n${page.slice(to)}`
}

export const updatePage = (family: Family, section: string): void =>
  writeFileSync(PAGE, withSection(readFileSync(PAGE, 'utf8'), family, section))
