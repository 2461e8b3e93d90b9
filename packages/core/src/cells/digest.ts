/**
 * The digest over cells (SPEC CELL7): a sum, lane by lane modulo 2^32, of one BLAKE2b-512 hash per cell. It is kept
 * incrementally: a row that changes leaves the sum with its old cells and comes back with its new ones when the digest is
 * next asked for. Nothing is hashed before the first question.
 *
 * A tombstone (a row dead under every law) counts with its life alone.
 */
import { deviceIdToBytes } from '../clock/dot.ts'
import { ByteWriter } from '../codec/bytes.ts'
import { hash } from '../crypto/sodium.ts'
import { composedLaw } from '../laws/cell-laws.ts'
import type { CounterTotal } from '../laws/counter.ts'
import { isTombstone } from '../laws/life.ts'
import { Law } from '../op/law.ts'
import { writeValue } from '../op/value.ts'
import type { Value } from '../op/value.ts'
import { type OpIndex } from './ops.ts'
import { deviceOfRef, type DotRef, seqOfRef } from '../op/dot-ref.ts'
import { ABSENT, COMPOSED, COUNTED, type Row, SIBLINGS, type TableCells, type Write } from './row.ts'

const LANES = 16
const LIFE = 0
const REGISTER = 1
const COUNTER = 2
const COMPOSITION = 3
const ERASED = 4
const GROWN = 5
/** A register in which a write stands for several candidates. */
const REOPENED = 6

export class CellDigest {
  readonly #ops: OpIndex
  readonly #sum = new Uint32Array(LANES)
  #asked = false
  #changed: Row[] = []
  readonly #scratch = new ByteWriter(1024)

  readonly #compare = (a: DotRef, b: DotRef): number => this.#ops.compare(a, b)

  constructor(ops: OpIndex) {
    this.#ops = ops
  }

  beforeChange(row: Row): void {
    if (!this.#asked || row.undigested) return
    row.undigested = true
    this.#changed.push(row)
    this.#count(row, -1)
  }

  current(tables: Iterable<TableCells>): Uint8Array {
    if (this.#asked) {
      for (const row of this.#changed) this.#count(row, 1)
      for (const row of this.#changed) row.undigested = false
      this.#changed = []
    } else {
      this.#asked = true
      for (const table of tables) for (const row of table.rows.values()) this.#count(row, 1)
    }
    const bytes = new Uint8Array(LANES * 4)
    const view = new DataView(bytes.buffer)
    this.#sum.forEach((lane, index) => view.setUint32(index * 4, lane))
    return bytes
  }

  #count(row: Row, sign: 1 | -1): void {
    if (row.erased !== ABSENT) {
      this.#addCell(row, ERASED, [], sign, (writer) => this.#writeRef(writer, row.erased))
      return
    }
    if (row.touches.length === 0 && row.deletes.length === 0) return
    this.#addCell(row, LIFE, [], sign, (writer) => {
      this.#writeRefs(writer, row.touches)
      this.#writeRefs(writer, row.deletes)
      this.#writeRefs(writer, row.created === ABSENT ? [] : [row.created])
      this.#writeRefs(writer, row.updated === ABSENT ? [] : [row.updated])
    })
    if (isTombstone(row)) return
    for (let index = 0; index < row.refs.length; index++) {
      const ref = row.refs[index]
      if (ref === ABSENT) continue
      const { path, law } = row.table.columns[index]
      const content = row.values[index]
      if (ref === COUNTED) {
        const kind = law === Law.grow ? GROWN : COUNTER
        this.#addCell(row, kind, path, sign, (writer) => writer.string((content as CounterTotal).toString()))
        continue
      }
      if (ref === COMPOSED) {
        this.#addCell(row, COMPOSITION, path, sign, (writer) => {
          writer.byte(law)
          composedLaw(law)!.write(content, writer, (other) => this.#writeRef(writer, other), this.#compare)
        })
        continue
      }
      const writes: readonly Write[] = ref === SIBLINGS ? (content as Write[]) : [{ ref, value: content as Value }]
      const isReopened = writes.some((write) => write.isReopened)
      this.#addCell(row, isReopened ? REOPENED : REGISTER, path, sign, (writer) => {
        writer.varint(writes.length)
        for (const write of writes) {
          this.#writeRef(writer, write.ref)
          if (isReopened) writer.byte(write.isReopened === true ? 1 : 0)
          writeValue(writer, write.value)
        }
      })
    }
  }

  #addCell(row: Row, kind: number, path: readonly string[], sign: 1 | -1, content: (writer: ByteWriter) => void): void {
    const writer = this.#scratch.reset().string(row.table.name).string(row.id).byte(kind).varint(path.length)
    for (const key of path) writer.string(key)
    content(writer)
    const cell = hash(writer.finish(), LANES * 4)
    const view = new DataView(cell.buffer, cell.byteOffset)
    for (let lane = 0; lane < LANES; lane++) this.#sum[lane] += sign * view.getUint32(lane * 4)
  }

  /** Dots in total order, so that equal sets have equal bytes. */
  #writeRefs(writer: ByteWriter, refs: readonly DotRef[]): void {
    writer.varint(refs.length)
    for (const ref of refs.length < 2 ? refs : refs.toSorted(this.#compare)) this.#writeRef(writer, ref)
  }

  #writeRef(writer: ByteWriter, ref: DotRef): void {
    writer
      .raw(deviceIdToBytes(this.#ops.deviceId(deviceOfRef(ref))))
      .varint(seqOfRef(ref))
      .varint(this.#ops.stamp(ref))
  }
}
