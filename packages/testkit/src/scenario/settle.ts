/** Bringing devices together: they sync until all of them hold the same, and then show the same. */
import { type Schema, SchemaView } from '@driftlog/core'
import { vectorText } from '../simulator/checkers/checker.ts'
import { openHistory } from './history.ts'
import type { Host } from './host.ts'
import { textOfValue } from './report-text.ts'
import type { Stage } from './stage.ts'

const PROBE_MS = 200
/** Virtual milliseconds. Retries back off to a minute; a clock that is off is let catch up. */
const WITHIN_MS = 3_600_000

type Hosts = readonly Host<Schema>[]

/** Virtual milliseconds that it took; undefined where they do not come to rest within an hour. */
export const settle = async (stage: Stage, hosts: Hosts): Promise<number | undefined> => {
  const fromMs = stage.nowMs
  // One probe may fall between a message and its answer.
  let inARow = 0
  while (stage.nowMs < fromMs + WITHIN_MS) {
    await stage.pass(PROBE_MS)
    inARow = isSettled(hosts) ? inARow + 1 : 0
    if (inARow === 2) return stage.nowMs - fromMs
  }
  return undefined
}

const isSettled = (hosts: Hosts): boolean => {
  if (!hosts.every(({ isAtRest }) => isAtRest)) return false
  const [first, ...others] = hosts.map(({ replica }) => vectorText(replica!.held()))
  return others.every((held) => held === first)
}

/** What is not the same on all of them, in sentences; empty where all is. They have to be open. */
export const differences = async (stage: Stage, hosts: Hosts): Promise<string[]> => {
  const [first, ...others] = hosts
  if (first === undefined) return []
  const found: string[] = []
  for (const other of others) {
    if (first.expectReplica().digest() !== other.expectReplica().digest()) {
      found.push(`${first.name} and ${other.name} hold different states${lackOf(first, other)}${lackOf(other, first)}`)
    }
  }
  for (const table of commonTables(hosts)) {
    const shown = byId(await first.rows(table))
    for (const other of others)
      found.push(...rowDifferences(table, first.name, shown, other.name, byId(await other.rows(table))))
  }
  const history = await openHistory(stage, [first.disk.durable])
  const { unsaved } = first.expectReplica().status
  if (unsaved === 0 && history.digest !== first.expectReplica().digest()) {
    found.push(`${first.name} shows something else than what its log says when it is read from the start`)
  }
  const view = SchemaView.beside(first.schema, history.cells)
  for (const table of Object.values(first.schema.tables)) {
    const { name } = table
    const live = [...history.cells.table(name).rows.values()].filter((row) => view.isShown(row, table)).length
    const shown = (await first.rows(name)).length
    if (unsaved === 0 && live !== shown) found.push(`${first.name} shows ${shown} rows of ${name}, its log has ${live}`)
  }
  return found
}

const lackOf = (one: Host<Schema>, other: Host<Schema>): string => {
  const held = one.expectReplica().held()
  let lacks = 0
  for (const [branch, seq] of other.expectReplica().held()) lacks += Math.max(0, seq - (held.get(branch) ?? 0))
  return lacks === 0 ? '' : `; ${one.name} lacks ${lacks} changes that ${other.name} has`
}

const commonTables = (hosts: Hosts): string[] =>
  Object.keys(hosts[0].schema.tables).filter((table) =>
    hosts.every(({ schema }) => Object.hasOwn(schema.tables, table)),
  )

type Rows = ReadonlyMap<string, Readonly<Record<string, unknown>>>

const byId = (rows: readonly { readonly id: string }[]): Rows => new Map(rows.map((row) => [row.id, { ...row }]))

const rowDifferences = (table: string, name: string, rows: Rows, otherName: string, others: Rows): string[] => {
  const found: string[] = []
  for (const id of new Set([...rows.keys(), ...others.keys()])) {
    const row = rows.get(id)
    const other = others.get(id)
    if (row === undefined || other === undefined) {
      const [has, lacks] = row === undefined ? [otherName, name] : [name, otherName]
      found.push(`${table}/${id}: ${has} shows it, ${lacks} does not`)
      continue
    }
    // Of fields that both versions of the schema have.
    for (const field of Object.keys(row).filter((key) => key in other)) {
      const [value, otherValue] = [textOfValue(row[field]), textOfValue(other[field])]
      if (value !== otherValue)
        found.push(`${table}/${id}.${field}: ${name} shows ${value}, ${otherName} ${otherValue}`)
    }
  }
  return found
}
