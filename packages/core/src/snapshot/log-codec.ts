/**
 * The log in a local snapshot: branches as far as they are projected, and the chain hashes that were verified. What is held
 * beyond that (it waits, or cannot be opened) is received again from the store.
 */
import { deviceIdFromBytes, deviceIdToBytes, DEVICE_ID_BYTES, type DeviceId } from '../clock/dot.ts'
import { type ByteReader, type ByteWriter, malformed } from '../codec/bytes.ts'
import { HASH_BYTES } from '../crypto/sodium.ts'
import { encodeShifts, readShifts } from '../log/batch.ts'
import type { LogBranch } from '../log/branch-tree.ts'
import type { OpLog } from '../log/op-log.ts'

const NO_ID = new Uint8Array(DEVICE_ID_BYTES)

/** What of a branch is projected. */
const projectedSeq = ({ queue, held }: LogBranch): number => (queue.length === 0 ? held : queue[0].toSeq - queue[0].ops)

/** Whether a log can be saved: what is projected of each branch ends where a batch does, nothing is broken, and it begins with nothing. */
export const isSaveable = (log: OpLog): boolean =>
  log.damage === undefined &&
  !log.saved.branches.some(({ below }) => below !== undefined) &&
  log.saved.branches.every((branch) => branch.queue.length === 0 || !branch.inside.has(projectedSeq(branch)))

export const writeLog = (writer: ByteWriter, log: OpLog): void => {
  const { shifts, stating } = log.saved
  // Of a device of which nothing is projected yet, not even its certificate is settled.
  const branches = log.saved.branches.filter((branch) => projectedSeq(branch) > branch.base)
  writer.raw(encodeShifts(shifts)).varint(branches.length)
  for (const branch of branches) writeBranch(writer, branch, log, stating.has(branch.id))
}

/** Into a log that is empty. */
export const readLog = (reader: ByteReader, log: OpLog): void => {
  log.addShifts(readShifts(reader))
  for (let left = reader.count(); left > 0; left--) readBranch(reader, log)
}

const writeBranch = (writer: ByteWriter, branch: LogBranch, log: OpLog, isStating: boolean): void => {
  const { id, device, parent, base, baseTag, certificate, start, queue } = branch
  const held = projectedSeq(branch)
  const tip = queue.length === 0 ? branch.tip : { seq: held, tag: log.chain.lastTag(id) }
  const inside = [...branch.inside].filter((seq) => seq <= held)
  writer.raw(deviceIdToBytes(id)).raw(deviceIdToBytes(device))
  writer
    .raw(parent === undefined ? NO_ID : deviceIdToBytes(parent.id))
    .varint(base)
    .bytes(baseTag)
  writer
    .bytes(certificate)
    .raw(start)
    .varint(held)
    .byte(isStating ? 1 : 0)
  writer
    .varint(tip?.seq ?? 0)
    .bytes(tip?.tag ?? new Uint8Array(0))
    .varint(inside.length)
  for (const seq of inside) writer.varint(seq)
  const chain = log.chain.saved(id)
  writer.byte(chain === undefined ? 0 : 1)
  if (chain === undefined) return
  writer.varint(chain.ends.length)
  let before = base
  for (const [index, end] of chain.ends.entries()) {
    writer
      .varint(end - before)
      .raw(chain.hashes[index])
      .varint(chain.epochs[index])
      .varint(chain.positions[index])
    before = end
  }
}

const readId = (reader: ByteReader): DeviceId => deviceIdFromBytes(reader.raw(DEVICE_ID_BYTES))

const readBranch = (reader: ByteReader, log: OpLog): void => {
  const id = readId(reader)
  const device = readId(reader)
  const parentId = reader.raw(DEVICE_ID_BYTES)
  const parent = parentId.some((byte) => byte !== 0) ? deviceIdFromBytes(parentId) : undefined
  const base = reader.varint()
  const baseTag = reader.bytes().slice()
  const certificate = reader.bytes().slice()
  const start = reader.raw(HASH_BYTES).slice()
  const held = reader.varint()
  const isStating = reader.byte() === 1
  const tip = { seq: reader.varint(), tag: reader.bytes().slice() }
  const inside = new Set<number>()
  for (let left = reader.count(); left > 0; left--) inside.add(reader.varint())
  const rest = { certificate, start, held, tip: tip.seq === 0 ? undefined : tip, inside }
  log.restore({ id, device, parent, base, baseTag, ...rest }, isStating)
  if (reader.byte() === 0) return
  if (parent === undefined) log.chain.begin(device, start, id)
  else log.chain.beginBranch(id, parent, base)
  let end = base
  for (let left = reader.count(); left > 0; left--) {
    end += reader.varint()
    // A copy, or the whole snapshot would stay in memory.
    const hash = reader.raw(HASH_BYTES).slice()
    const epoch = reader.varint()
    const position = reader.varint()
    // It saw entries that were not stored: what is written on it would name less of them than it saw, and be void (MEM6).
    if (position > (log.members?.length ?? 0)) throw malformed('entries of the log of members are missing')
    log.chain.extend(id, end, hash, epoch, position)
  }
}
