/** A log projected from scratch, with everything written down that a replica forgets and a report wants to tell. */
import {
  type BatchStore,
  type CellState,
  type DeviceId,
  deviceOfRef,
  hlcToMs,
  Law,
  memoryStore,
  Keyring,
  OpLog,
  Projector,
  startCursor,
} from '@driftlog/core'
import { batchesOf, SPACE } from '../simulator/disk-copy.ts'
import { opKey } from './origins.ts'
import type { Stage } from './stage.ts'

type Apply = CellState['apply']
export type Row = Parameters<Apply>[0]
type DotRef = Parameters<Apply>[2]['ref']

/** An op and its author. */
export interface Author {
  /** Name of the device. */
  readonly device: string
  /** When it was written, in virtual time. */
  readonly at: Date
  /** When by the author's own clock, which is what decides. */
  readonly clock: Date
}

export interface Increment {
  readonly field: string
  readonly by: number
  readonly author: Author
}

export interface History {
  readonly cells: CellState
  readonly digest: string
  /** Its ops, as `opKey` names them. */
  readonly ops: ReadonlySet<string>
  authorOf(ref: DotRef): Author
  /** The device that writes under this id. */
  nameOf(device: DeviceId): string
  /** The names of those who changed a field of a row, whatever its law, in the order in which they did first. */
  writers(row: Row, field: string): readonly string[]
  /** The fields of a row that an op changed. */
  changed(row: Row, ref: DotRef): readonly string[]
  increments(row: Row): readonly Increment[]
}

/** Of everything that any of the stores holds. */
export const openHistory = async (stage: Stage, stores: readonly BatchStore[]): Promise<History> => {
  const merged = memoryStore()
  for (const store of stores) {
    const batches = await batchesOf(store)
    await merged.append(
      SPACE,
      batches.map(({ batch }) => batch),
    )
  }
  const { batches } = await merged.readAfter(SPACE, startCursor, { batches: 1e9, bytes: 1e15 })
  const projector = new Projector()
  const log = new OpLog(Keyring.unencrypted(SPACE), projector)
  const changes = listen(projector)
  // The shifts first: what they concern came before them.
  for (const { batch } of batches) log.addStated(batch)
  const written = new Map<string, number>()
  const keys = new Set<string>()
  for (const { batch, branch } of batches) {
    const opened = log.open(batch)
    for (const { run } of opened.runs ?? []) {
      run.hlc.forEach((hlc, op) => {
        const seq = run.fromSeq + op
        written.set(`${branch}/${seq}`, hlc)
        keys.add(opKey(batch.header.device, seq, hlc))
      })
    }
    log.receive(opened, branch)
  }
  const authorOf = (ref: DotRef): Author => {
    const { ops } = projector
    const { device: branch, seq } = ops.dotOf(ref)
    const clock = new Date(hlcToMs(ops.stamp(ref)))
    const device = ops.authorId(deviceOfRef(ref))
    const origin = stage.origins.of(device, seq, written.get(`${branch}/${seq}`) ?? -1)
    if (origin === undefined) return { device, at: clock, clock }
    const name = stage.hosts[origin.machine].name
    return { device: name, at: origin.atMs === undefined ? clock : new Date(Math.floor(origin.atMs)), clock }
  }
  const names = new Map<string, string>()
  for (const key of projector.projected.keys()) {
    const { ops } = projector
    const ref = ops.refOf({ device: key, seq: 1 })
    const author = ops.authorId(deviceOfRef(ref))
    if (!names.has(author)) names.set(author, authorOf(ref).device)
  }
  return {
    cells: projector.cells,
    ops: keys,
    nameOf: (device) => names.get(device) ?? device,
    writers: (row, field) => {
      const refs = [...(changes.fields.get(row) ?? [])].filter(([, fields]) => fields.has(field)).map(([ref]) => ref)
      const { ops } = projector
      return [...new Set(refs.toSorted((a, b) => ops.compare(a, b)).map((ref) => authorOf(ref).device))]
    },
    digest: Array.from(projector.cells.digest(), (byte) => byte.toString(16).padStart(2, '0')).join(''),
    authorOf,
    changed: (row, ref) => [...(changes.fields.get(row)?.get(ref) ?? [])],
    increments: (row) =>
      (changes.increments.get(row) ?? []).map(({ field, by, ref }) => ({ field, by, author: authorOf(ref) })),
  }
}

interface Changes {
  readonly fields: Map<Row, Map<DotRef, Set<string>>>
  readonly increments: Map<Row, { readonly field: string; readonly by: number; readonly ref: DotRef }[]>
}

/** Hears every change that is applied: cells keep what is shown, not how it came about. */
const listen = (projector: Projector): Changes => {
  const changes: Changes = { fields: new Map(), increments: new Map() }
  projector.onApply = (row, change, op) => {
    const { column, shape, value } = change
    if (column < 0) return
    const field = row.table.columns[column].path.join('.')
    const byOp = entry(changes.fields, row, () => new Map<DotRef, Set<string>>())
    entry(byOp, op.ref, () => new Set<string>()).add(field)
    if (shape.law !== Law.increment && shape.law !== Law.grow) return
    entry(changes.increments, row, () => []).push({ field, by: value as number, ref: op.ref })
  }
  return changes
}

const entry = <K, V>(map: Map<K, V>, key: K, create: () => V): V => {
  const known = map.get(key)
  if (known !== undefined) return known
  const created = create()
  map.set(key, created)
  return created
}
