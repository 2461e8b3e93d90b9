/**
 * A log and a projection that go on from a base. What is asked for and cannot be told any more has these answers:
 *
 * - the history of a row, a past state: from the base on. Nothing of what is below it is told (HIST1);
 * - `OpLog.runEnds`, `runAfter`, `tagAt`, `branchAt`, `holder` below the place where the last run ends that is below the base
 *   whole: nothing is held there. A batch that goes on from there is a GAP, one that begins there too a fork that cannot be joined;
 * - `held` is up to that place, `projected` up to the last op of the base: of a run that the cut divides, the rest comes with its
 *   batch, and until then nothing is written under that id;
 * - `OpIndex.stamp` of an op that nothing names any more: 0; `sawBeyond`: not known; `seenOf`: its own branch alone; `saw`: only of
 *   the changes and deletions of one row is it known;
 * - a reference to a run that is not kept (no honest device makes one, CUT7): CHAIN_BROKEN; other devices go on;
 * - an op that the vector of the base does not have counts as having seen all that is below (CUT1), whatever its stamp;
 * - to take back a mutation that is below the base: what still stands of it is in the cells, so it is taken back as ever;
 * - a name of a stretch (BR1) that begins below the base: not known, who uses it waits;
 * - no local snapshot is made (SNAP2).
 */
import { SIBLINGS, ABSENT, columnIndex, COMPOSED, type Row } from '../cells/row.ts'
import type { SeenBelow } from '../cells/ops.ts'
import type { DeviceId } from '../clock/dot.ts'
import { nothingSeen, seenJust, type SeenVector } from '../clock/seen.ts'
import { equalBytes, malformed } from '../codec/bytes.ts'
import { chainStart, chainTag } from '../crypto/chain.ts'
import type { Keyring } from '../crypto/keyring.ts'
import { hash } from '../crypto/sodium.ts'
import type { Members } from '../log/chain-index.ts'
import { OpLog, type ProjectionTarget } from '../log/op-log.ts'
import { deviceOfRef, type DotRef, seqOfRef } from '../op/dot-ref.ts'
import { Law } from '../op/law.ts'
import { Projector } from '../projection/projector.ts'
import { isContested as isContestedElements, type Elements } from '../laws/elements.ts'
import { isContested as isContestedList, type List } from '../laws/list.ts'
import type { Tree } from '../laws/tree.ts'
import type { Base, BaseBranch, BaseRow } from './base.ts'
import { decodeBase } from './base-bytes.ts'

export interface OpenedBase {
  readonly base: Base
  readonly log: OpLog
  readonly projector: Projector
}

export interface OpenOptions {
  /** What the bytes must have. */
  readonly digest: Uint8Array
  /** Undefined in a space without members. */
  readonly members?: Members
  /** One that has projected nothing yet. */
  readonly projector?: Projector
}

/**
 * The log has nothing but the base: it is to be given what its store has after that, as ever; batches that begin before it too.
 * Throws MALFORMED for bytes that are not those of the digest, or of no base of this space; KEY_MISSING.
 */
export const openBase = (bytes: Uint8Array, keyring: Keyring, options: OpenOptions): OpenedBase => {
  if (!equalBytes(hash(bytes), options.digest)) throw malformed('base: not the bytes of this digest')
  const base = decodeBase(bytes)
  const projector = options.projector ?? new Projector()
  return { base, projector, log: logOf(base, { keyring, members: options.members }, projector) }
}

/** `target`: what the log hands runs to, the projector by default. */
export const logOf = (
  base: Base,
  { keyring, members }: { readonly keyring: Keyring; readonly members: Members | undefined },
  projector: Projector,
  target: ProjectionTarget = projector,
): OpLog => {
  if (base.space !== keyring.space) throw malformed('a base of another space')
  const log = new OpLog(keyring, target, members)
  log.goOnFrom(base.cut)
  log.addShifts(base.shifts)
  base.branches.forEach((branch, place) => {
    addToOps(projector, branch)
    addToLog(log, branch, base)
    if (branch.shifted !== undefined) projector.saved.shifts[place] = [{ fromSeq: 0, ...branch.shifted }]
  })
  projector.schemaVersion = base.schemaVersion
  projector.voidCount = base.voidCount
  projector.ops.seenBelow = seenBelowOf(base)
  fillCells(base, projector)
  return log
}

const addToOps = (projector: Projector, branch: BaseBranch): void => {
  const { id, lastSeq } = branch
  projector.ops.restoreBelow({ ...branch, below: lastSeq })
  projector.projected.set(id, lastSeq)
  if (branch.isHead) projector.frontier.set(id, lastSeq)
  projector.highest = Math.max(projector.highest, branch.kept.get(lastSeq)!)
}

const addToLog = (log: OpLog, branch: BaseBranch, { space, branches }: Base): void => {
  const { id, author, base, runs, lastSeq, shifted } = branch
  let root = branch
  while (root.parent >= 0) root = branches[root.parent]
  const certificate = root.certificate!
  const start = root.start ?? chainStart(space, certificate)
  const parent = branch.parent < 0 ? undefined : branches[branch.parent].id
  if (parent === undefined) log.chain.begin(author, start, id)
  else if (!log.chain.beginBranch(id, parent, base)) throw malformed('base: a branch goes on from inside of a run')
  const baseTag = parent === undefined ? chainTag(start, log.keyring.tagKey(0, author)) : log.chain.lastTag(parent)
  log.chain.restoreBelow(id, runs, new Map([...branch.kept.keys()].map((seq, index) => [seq, branch.positions[index]])))
  const held = runs.at(-1)?.toSeq ?? base
  const tag = log.chain.lastTag(id)
  const below = { seq: held, tag, lastSeq, shift: shifted?.shift ?? 0 }
  const tip = held > base ? { seq: held, tag } : undefined
  const own = { id, device: author, parent, base, baseTag, certificate, start, below, held, tip }
  log.restore({ ...own, inside: new Set() }, branch.start !== undefined)
}

const seenBelowOf = ({ branches, after, vector, tables }: Base): SeenBelow => {
  let whole = nothingSeen
  branches.forEach(({ lastSeq }, place) => (whole = seenJust(whole, place, lastSeq)))
  const known = new Map(after.map((one) => [one.branch, one]))
  const lacking = new Map<DeviceId, Map<number, SeenVector>>()
  const voids = new Map<DeviceId, Set<number>>()
  for (const { branch, lacks, voids: seqs } of after) {
    let seen = whole
    const vectors = new Map<number, SeenVector>()
    for (const one of lacks) {
      for (const [place, seq] of one.seen) seen = seenJust(seen, place, seq)
      vectors.set(one.seq, seen)
    }
    lacking.set(branch, vectors)
    if (seqs.length > 0) voids.set(branch, new Set(seqs))
  }
  const pairs = new Map<DotRef, Set<DotRef>>()
  for (const { rows } of tables) for (const row of rows) addPairs(pairs, row)
  return {
    whole,
    at: (branch, seq) =>
      seq > (vector.get(branch) ?? 0) || seq >= (known.get(branch)?.wholeFrom ?? 0)
        ? whole
        : lacking.get(branch)?.get(seq),
    mayName: (branch, seq, head) => {
      if (seq <= (vector.get(branch) ?? 0)) return true
      const { isHead, lastSeq } = branches[deviceOfRef(head)]
      return isHead && lastSeq === seqOfRef(head)
    },
    isVoid: (branch, seq) => voids.get(branch)?.has(seq) === true,
    saw: (op, other) => pairs.get(op)?.has(other) === true,
  }
}

const addPairs = (pairs: Map<DotRef, Set<DotRef>>, { touches, deletes, saw }: BaseRow): void => {
  if (saw.length === 0) return
  touches.forEach((touch, index) => {
    const seen = deletes.filter((_, at) => saw[index * deletes.length + at])
    pairs.set(touch, new Set([...(pairs.get(touch) ?? []), ...seen]))
  })
}

const fillCells = ({ branches, tables, settled }: Base, projector: Projector): void => {
  const { cells } = projector
  const rows: Row[] = []
  for (const { name, columns, rows: own } of tables) {
    const table = cells.table(name)
    for (const { law, path } of columns) columnIndex(table, law, path)
    for (const { id, erased, created, updated, touches, deletes, refs, values } of own) {
      const row = cells.row(table, id)
      Object.assign(row, { erased, created, updated, touches, deletes, refs, values })
      rows.push(row)
      if (isMaybeContested(row)) cells.contested.add(row)
    }
  }
  branches.forEach(({ introducedFrom, introduced }, place) => {
    const of = {
      from: introducedFrom,
      rows: introduced.map(({ row }) => rows[row]),
      seqs: introduced.map(({ seq }) => seq),
    }
    projector.saved.introduced[place] = of
    of.rows.forEach((row, index) => {
      if (row.introducer >= 0) return
      row.introducer = place
      row.ordinal = introducedFrom + index
    })
  })
  for (const { row: place, ...one } of settled) {
    const row = rows[place]
    if (one.column === undefined) cells.settled.add({ ...one, row })
    else cells.settled.add({ ...one, row, column: columnIndex(row.table, one.column.law, one.column.path) })
  }
  cells.markAllDirty()
}

const isMaybeContested = (row: Row): boolean =>
  row.touches.length > 1 ||
  (row.touches.length > 0 && row.deletes.length > 0) ||
  row.refs.some((ref, column) => ref !== ABSENT && isContestedCell(row, ref, column))

const isContestedCell = (row: Row, ref: DotRef, column: number): boolean => {
  if (ref !== COMPOSED) return ref === SIBLINGS
  const content = row.values[column]
  const { law } = row.table.columns[column]
  if (law === Law.add) return isContestedElements(content as Elements)
  return law === Law.item ? isContestedList(content as List) : (content as Tree).mayCollide
}
