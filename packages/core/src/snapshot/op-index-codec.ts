/** The op index in a local snapshot: branches, stamps, and what ops had seen, with what these tries share. */
import { deviceIdFromBytes, deviceIdToBytes, DEVICE_ID_BYTES } from '../clock/dot.ts'
import type { SeenNode, SeenVector } from '../clock/seen.ts'
import type { ByteReader, ByteWriter } from '../codec/bytes.ts'
import type { OpIndex, SavedBranch } from '../cells/ops.ts'

const NEVER = 0

export const writeOps = (writer: ByteWriter, ops: OpIndex): void => {
  const branches = ops.saved
  const tries = new TrieWriter(writer)
  writer.varint(branches.length)
  for (const { id, author, parent, base, stamps, elasticFrom, seen } of branches) {
    writer
      .raw(deviceIdToBytes(id))
      .raw(deviceIdToBytes(author))
      .varint(parent + 1)
      .varint(base)
    writer.varint(elasticFrom === Number.POSITIVE_INFINITY ? NEVER : elasticFrom).varint(stamps.length)
    let before = 0
    for (const stamp of stamps) {
      writer.zigzag(stamp - before)
      before = stamp
    }
    writer.varint(seen.seqs.length)
    for (const [index, seq] of seen.seqs.entries()) {
      writer.varint(seq)
      tries.write(seen.vectors[index])
    }
  }
}

/** Into an index that is empty. */
export const readOps = (reader: ByteReader, ops: OpIndex): void => {
  const tries = new TrieReader(reader)
  for (let left = reader.count(); left > 0; left--) {
    const id = deviceIdFromBytes(reader.raw(DEVICE_ID_BYTES))
    const author = deviceIdFromBytes(reader.raw(DEVICE_ID_BYTES))
    const parent = reader.varint() - 1
    const base = reader.varint()
    const elasticFrom = reader.varint() || Number.POSITIVE_INFINITY
    const stamps: number[] = []
    let stamp = 0
    for (let ops = reader.count(); ops > 0; ops--) stamps.push((stamp += reader.zigzag()))
    const branch: SavedBranch = { id, author, parent, base, stamps, elasticFrom, seen: { seqs: [], vectors: [] } }
    for (let vectors = reader.count(); vectors > 0; vectors--) {
      branch.seen.seqs.push(reader.varint())
      branch.seen.vectors.push(tries.read())
    }
    ops.restore(branch)
  }
}

/** Nodes are written where they are first met, and named by their number from then on: what is shared stays shared. */
class TrieWriter {
  readonly #writer: ByteWriter
  readonly #numbers = new Map<SeenNode, number>()

  constructor(writer: ByteWriter) {
    this.#writer = writer
  }

  write({ height, root }: SeenVector): void {
    this.#writer.varint(height)
    this.#node(root, height)
  }

  #node(node: SeenNode, height: number): void {
    const known = this.#numbers.get(node)
    if (known !== undefined) {
      this.#writer.varint(known)
      return
    }
    this.#writer.varint(0).varint(node.length)
    for (const entry of node) {
      if (height === 0) this.#writer.varint(entry as number)
      else this.#node(entry as SeenNode, height - 1)
    }
    this.#numbers.set(node, this.#numbers.size + 1)
  }
}

class TrieReader {
  readonly #reader: ByteReader
  readonly #nodes: SeenNode[] = []

  constructor(reader: ByteReader) {
    this.#reader = reader
  }

  read(): SeenVector {
    const height = this.#reader.varint()
    return { height, root: this.#node(height) }
  }

  #node(height: number): SeenNode {
    const number = this.#reader.varint()
    if (number > 0) return this.#nodes[number - 1]
    const node: (SeenNode | number)[] = []
    for (let left = this.#reader.count(); left > 0; left--)
      node.push(height === 0 ? this.#reader.varint() : this.#node(height - 1))
    this.#nodes.push(node)
    return node
  }
}
