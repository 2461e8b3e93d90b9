/**
 * docs/benchmarks.md: prose that people keep, and a section a family between two markers that a run writes anew.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { subjects } from '../subjects/catalogue.ts'
import { pinned } from '../subjects/facts.ts'
import type { Workload } from '../workloads/workload.ts'
import { type Machine, machineLine } from './machine.ts'
import type { Family, Row } from './rows.ts'
import type { LeftOut } from './run-cells.ts'
import { markdownTable, markdownTables, type OpCounts } from './table.ts'
import { judge } from './targets.ts'

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

export interface Report {
  readonly family: Family
  readonly rows: readonly Row[]
  readonly leftOut: readonly LeftOut[]
  readonly workloads: readonly Workload[]
  /** The subject that the ratios are to. */
  readonly against: string
  readonly machine: Machine
  /** The file's name, below docs/images. */
  readonly plot: string | undefined
}

/** Subject → what makes its figures differ in kind. */
const factsTable = (names: readonly string[]): string =>
  markdownTable([
    ['subject', 'packages', 'durability', 'signed, encrypted', 'history', 'queries', 'sync'],
    ...names.map((name) => {
      const { facts } = subjects[name]
      const versions = pinned(facts).join(', ') || 'this repository'
      return [name, versions, facts.durability, facts.encryption, facts.history, facts.queries, facts.sync]
    }),
  ])

const leftOutLines = (leftOut: readonly LeftOut[]): string[] => {
  const workloadsOf = new Map<string, string[]>()
  for (const { workload, subject, reason } of leftOut) {
    const key = `${subject}: ${reason}`
    workloadsOf.set(key, [...(workloadsOf.get(key) ?? []), workload])
  }
  return [...workloadsOf].map(([key, names]) => `- ${names.join(', ')}, ${key}`)
}

const targetsTable = (family: Family, rows: readonly Row[]): string =>
  markdownTable([
    ['what', 'target', 'figure', ''],
    ...judge(family, rows).map(({ says, target, figure, verdict }) => [says, target, figure, verdict]),
  ])

export const familySection = ({ family, rows, leftOut, workloads, against, machine, plot }: Report): string => {
  const measured = Object.keys(subjects).filter((name) => rows.some(({ subject }) => subject === name))
  const caption = (name: string): string => {
    const workload = workloads.find((one) => one.name === name)
    return `${workload?.measures.replace(/^./, (first) => first.toUpperCase())}.`
  }
  return [
    `Measured ${machineLine(machine)}. Each figure is the median of ${Math.min(...rows.map(({ runs }) => runs))} runs (lowest–highest); "×" is how many times the figure of ${against} it is.`,
    '### Targets',
    targetsTable(family, rows),
    ...(plot === undefined ? [] : [`![Each cell beside ${against}](images/${plot})`]),
    factsTable(measured),
    markdownTables(rows, { opCounts: opCounts(workloads, 1), against }, caption),
    'What makes a figure what it is:',
    notesOf(rows).join('\n'),
    ...(leftOut.length === 0 ? [] : ['Left out:', leftOutLines(leftOut).join('\n')]),
  ].join('\n\n')
}

/** The page with one section replaced. Throws where the page has lost its markers. */
export const withSection = (page: string, family: Family, section: string): string => {
  const from = page.indexOf(startOf(family))
  const to = page.indexOf(endOf(family))
  if (from < 0 || to < from) throw new Error(`docs/benchmarks.md has no section ${startOf(family)}`)
  return `${page.slice(0, from)}${startOf(family)}\n\n${section}\n\n${page.slice(to)}`
}

export const updatePage = (family: Family, section: string): void =>
  writeFileSync(PAGE, withSection(readFileSync(PAGE, 'utf8'), family, section))
