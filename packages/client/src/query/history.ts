/** What was ever done to a row, deleted or not: the log read once more, by the rules that show it. */
import {
  type DeviceId,
  decodeField,
  type Dot,
  type Field,
  type Hlc,
  hlcToMs,
  Law,
  Projector,
  type OpLog,
  type QuarantiningStore,
  reopenedCandidates,
  shownValue,
  type Table,
  type Value,
} from '@driftlog/core'
import { readStore } from '../storage/read-store.ts'

export type HistoryChangeKind = keyof typeof Law

/** One change of an op to a row. */
export interface HistoryChange {
  readonly kind: HistoryChangeKind
  /** undefined: the row itself. */
  readonly field: string | undefined
  /** Keys inside of JSON; empty otherwise. */
  readonly path: readonly string[]
  /**
   * `set`: the value. `increment`, `grow`: by how much. `add`, `remove`: the element. `put`: what is at the path then, undefined
   * where nothing is. `item`: `{ id, position, value }`, of which those that do not change are undefined. `drop`: the item's id.
   * `reopen`: `{ author, at, value }` of each candidate. `resolve`: the reason. What does not fit the field as this app knows it is
   * as the log has it.
   */
  readonly value: unknown
}

/** What one op did to a row. */
export interface HistoryEntry {
  readonly dot: Dot
  readonly author: DeviceId
  readonly at: Date
  readonly stamp: Hlc
  /** In the order in which they were made. */
  readonly changes: readonly HistoryChange[]
}

const kindOf = new Map<number, HistoryChangeKind>(
  Object.entries(Law).map(([name, law]) => [law, name as HistoryChangeKind]),
)

/** In total order: by time, then author, then seq. Of a row that was erased, only that it was. */
export const readHistory = async (
  store: QuarantiningStore,
  { keyring, members }: Pick<OpLog, 'keyring' | 'members'>,
  { name: table, fields }: Table,
  id: string,
): Promise<HistoryEntry[]> => {
  const projector = new Projector()
  const changes = new Map<number, HistoryChange[]>()
  projector.onApply = (row, { shape, value }, { ref }) => {
    if (row.id !== id || row.table.name !== table) return
    const [field, ...path] = shape.path
    const kind = kindOf.get(shape.law)!
    const isOfRow = field === undefined || field === ''
    const change = {
      kind,
      field: isOfRow ? undefined : field,
      path,
      value: shown(fields[field], shape.law, value, projector.stampOf(ref)),
    }
    const known = changes.get(ref)
    if (known === undefined) changes.set(ref, [change])
    else known.push(change)
  }
  await readStore(store, keyring, members, projector)
  const { ops } = projector
  const { erased } = projector.cells.table(table).rows.get(id) ?? { erased: 0 }
  return [...changes]
    .filter(([, made]) => erased === 0 || made.some(({ kind }) => kind === 'erase'))
    .sort(([a], [b]) => ops.compare(a, b))
    .map(([ref, made]): HistoryEntry => {
      const dot = ops.dotOf(ref)
      return {
        dot,
        author: ops.authorId(ops.deviceIndex(dot.device)),
        at: new Date(hlcToMs(ops.stamp(ref))),
        stamp: ops.stamp(ref),
        changes: erased === 0 ? made : made.filter(({ kind }) => kind === 'erase'),
      }
    })
}

const shown = (field: Field | undefined, law: number, value: Value, written: Hlc): unknown => {
  switch (law) {
    case Law.set:
      return fitting(field, value)
    case Law.add:
    case Law.remove: {
      const [element] = field?.kind === 'set' ? (decodeField(field, [value]) as unknown[]) : []
      return element ?? value
    }
    case Law.put:
      return (value as readonly Value[])[0]
    case Law.item: {
      const [id, position, content] = value as readonly [string, string | null, Value?]
      const [item] =
        field?.kind === 'list' && content !== undefined
          ? (decodeField(field, [{ id, value: content }]) as { value: unknown }[])
          : []
      return { id, position: position ?? undefined, value: item?.value ?? content }
    }
    case Law.reopen:
      return reopenedCandidates(value, written).map(({ author, stamp, value: candidate }) => ({
        author,
        at: new Date(hlcToMs(stamp)),
        value: fitting(field, candidate),
      }))
    case Law.resolve:
      return Array.isArray(value) ? value[0] : value
    case Law.insert:
    case Law.delete:
    case Law.erase:
      return undefined
    default:
      return value
  }
}

const fitting = (field: Field | undefined, value: Value): unknown =>
  field !== undefined && shownValue(field, value) === value ? decodeField(field, value) : value
