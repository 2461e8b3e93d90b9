/** The branches of a base as bytes, and what is told of their ops after the cut: see base-bytes.ts for the format. */
import { DEVICE_ID_BYTES, type DeviceId, deviceIdFromBytes, deviceIdToBytes } from '../clock/dot.ts'
import { type ByteReader, type ByteWriter, malformed } from '../codec/bytes.ts'
import { HASH_BYTES } from '../crypto/sodium.ts'
import type { KeptRun } from '../log/chain-index.ts'
import type { BaseAfter, BaseBranch } from './base.ts'
import { expectRising, many } from './cell-bytes.ts'

const NEVER = 0

export const readId = (reader: ByteReader): DeviceId => deviceIdFromBytes(reader.raw(DEVICE_ID_BYTES))

export const readFlag = (reader: ByteReader): boolean => {
  const flag = reader.byte()
  if (flag > 1) throw malformed('base: flag')
  return flag === 1
}

/** The next of rising numbers. */
const readNext = (reader: ByteReader, before: number): number => {
  const next = before + reader.varint()
  if (next > Number.MAX_SAFE_INTEGER) throw malformed('base: number')
  return next
}

/** An id, flags, and an op that is kept. */
export const MIN_BRANCH_BYTES = DEVICE_ID_BYTES + 12

/** Numbers of which many in a row are the same. */
const writeSpans = (writer: ByteWriter, numbers: readonly number[]): void => {
  const spans: [length: number, value: number][] = []
  for (const value of numbers) {
    const last = spans.at(-1)
    if (last?.[1] === value) last[0]++
    else spans.push([1, value])
  }
  writer.varint(spans.length)
  for (const [length, value] of spans) writer.varint(length).varint(value)
}

const readSpans = (reader: ByteReader, count: number): number[] => {
  const numbers: number[] = []
  let before: number | undefined
  for (let left = reader.count(2); left > 0; left--) {
    const length = reader.varint()
    const value = reader.varint()
    if (length === 0 || length > count - numbers.length || value === before) throw malformed('base: positions')
    for (let more = length; more > 0; more--) numbers.push(value)
    before = value
  }
  if (numbers.length !== count) throw malformed('base: positions')
  return numbers
}

export const writeBranch = (writer: ByteWriter, branch: BaseBranch): void => {
  const { id, author, parent, base, certificate, start, elasticFrom } = branch
  writer.raw(deviceIdToBytes(id)).byte(author === id ? 0 : 1)
  if (author !== id) writer.raw(deviceIdToBytes(author))
  writer.varint(parent + 1).varint(base)
  if (parent < 0) {
    writer.bytes(certificate!).byte(start === undefined ? 0 : 1)
    if (start !== undefined) writer.raw(start)
  }
  writer
    .varint(branch.lastSeq - base)
    .byte(branch.isHead ? 1 : 0)
    .varint(elasticFrom === Number.POSITIVE_INFINITY ? NEVER : elasticFrom - base)
    .byte(branch.shifted === undefined ? 0 : 1)
  if (branch.shifted !== undefined) writer.varint(branch.shifted.shift).varint(branch.shifted.floor)
  writer.varint(branch.kept.size)
  let before = { seq: base, stamp: 0 }
  for (const [seq, stamp] of branch.kept) {
    writer.varint(seq - before.seq).varint(stamp - before.stamp)
    before = { seq, stamp }
  }
  writeSpans(writer, branch.positions)
  writer.varint(branch.runs.length)
  let end = base
  for (const { fromSeq, toSeq, hash, epoch, position } of branch.runs) {
    writer
      .varint(fromSeq - end)
      .varint(toSeq - fromSeq)
      .raw(hash)
      .varint(epoch)
      .varint(position)
    end = toSeq
  }
  writer.varint(branch.introducedFrom).varint(branch.introduced.length)
  let last = base
  for (const { row, seq } of branch.introduced) {
    writer.varint(row).varint(seq - last)
    last = seq
  }
}

export const readBranch = (reader: ByteReader, before: readonly BaseBranch[]): BaseBranch => {
  const id = readId(reader)
  const author = readFlag(reader) ? readId(reader) : id
  const parent = reader.varint() - 1
  const base = reader.varint()
  // Where a branch goes on, the one before it is at its end.
  if (parent >= before.length || (parent >= 0 ? before[parent].lastSeq : 0) !== base) throw malformed('base: parent')
  if (parent >= 0 && before[parent].author !== author) throw malformed('base: author')
  const certificate = parent < 0 ? reader.bytes().slice() : undefined
  const start = parent < 0 && readFlag(reader) ? reader.raw(HASH_BYTES).slice() : undefined
  const lastSeq = readNext(reader, base)
  const isHead = readFlag(reader)
  const elastic = reader.varint()
  const elasticFrom = elastic === NEVER ? Number.POSITIVE_INFINITY : base + elastic
  const shifted = readFlag(reader) ? { shift: reader.varint(), floor: reader.varint() } : undefined
  const kept = new Map<number, number>()
  for (let left = reader.count(2), seq = base, stamp = 0; left > 0; left--) {
    const next = readNext(reader, seq)
    if (next === seq) throw malformed('base: op')
    seq = next
    kept.set(seq, (stamp = readNext(reader, stamp)))
  }
  // Not Math.max of them all: there may be more than a call takes.
  if (!kept.has(lastSeq) || [...kept.keys()].at(-1) !== lastSeq) throw malformed('base: last op')
  const positions = readSpans(reader, kept.size)
  const runs: KeptRun[] = []
  for (let left = reader.count(HASH_BYTES + 4), end = base; left > 0; left--) {
    const fromSeq = readNext(reader, end)
    const toSeq = readNext(reader, fromSeq)
    if (fromSeq === end || toSeq > lastSeq) throw malformed('base: run')
    runs.push({
      fromSeq,
      toSeq,
      hash: reader.raw(HASH_BYTES).slice(),
      epoch: reader.varint(),
      position: reader.varint(),
    })
    end = toSeq
  }
  const introducedFrom = reader.varint()
  const introduced: { row: number; seq: number }[] = []
  for (let left = reader.count(2), seq = base; left > 0; left--) {
    const row = reader.varint()
    introduced.push({ row, seq: (seq = readNext(reader, seq)) })
  }
  if ((introduced.at(-1)?.seq ?? 0) > lastSeq) throw malformed('base: introduced')
  const own = { id, author, parent, base, certificate, start, lastSeq, isHead, elasticFrom, shifted }
  return { ...own, kept, positions, runs, introducedFrom, introduced }
}

export const writeAfter = (writer: ByteWriter, { branch, voids, wholeFrom, lacks }: BaseAfter): void => {
  writer.raw(deviceIdToBytes(branch)).varint(voids.length)
  let before = 0
  for (const seq of voids) {
    writer.varint(seq - before)
    before = seq
  }
  writer.varint(wholeFrom).varint(lacks.length)
  before = 0
  for (const { seq, seen } of lacks) {
    writer.varint(seq - before).varint(seen.length)
    before = seq
    let last = 0
    for (const [place, upTo] of seen) {
      writer.varint(place - last).varint(upTo)
      last = place
    }
  }
}

export const readAfter = (
  reader: ByteReader,
  branches: readonly BaseBranch[],
  before: DeviceId | undefined,
): BaseAfter => {
  const branch = readId(reader)
  expectRising(before, branch)
  let seq = 0
  const voids = many(reader, () => (seq = readNext(reader, seq)))
  const wholeFrom = reader.varint()
  seq = 0
  const lacks = many(reader, () => {
    seq = readNext(reader, seq)
    let place = 0
    const seen = many(reader, () => {
      place = readNext(reader, place)
      if (place >= branches.length) throw malformed('base: branch')
      return [place, reader.varint()] as const
    })
    return { seq, seen }
  })
  return { branch, voids, wholeFrom, lacks }
}
