/** Sets, lists and JSON under deep merge in a local snapshot, as they lie in memory: with what their digest leaves out, too. */
import type { ByteReader, ByteWriter } from '../codec/bytes.ts'
import type { Elements } from '../laws/elements.ts'
import type { Life } from '../laws/life.ts'
import type { List, ListWrite } from '../laws/list.ts'
import type { Tree } from '../laws/tree.ts'
import { Law } from '../op/law.ts'
import { readValue, type Value, writeValue } from '../op/value.ts'
import { readRef, readRefs, writeRef, writeRefs } from './ref-codec.ts'

type Node = Tree['root']

/** `law`: the one that the cell is filed under. */
export const writeComposed = (writer: ByteWriter, law: number, state: unknown): void => {
  if (law === Law.add) writeElements(writer, state as Elements)
  else if (law === Law.item) writeList(writer, state as List)
  else writeTree(writer, state as Tree)
}

export const readComposed = (reader: ByteReader, law: number): object =>
  law === Law.add ? readElements(reader) : law === Law.item ? readList(reader) : readTree(reader)

const times = (reader: ByteReader, read: () => void): void => {
  for (let left = reader.count(); left > 0; left--) read()
}

const readSet = (reader: ByteReader): Set<string> => {
  const texts = new Set<string>()
  times(reader, () => texts.add(reader.string()))
  return texts
}

const writeSet = (writer: ByteWriter, texts: ReadonlySet<string>): void => {
  writer.varint(texts.size)
  for (const text of texts) writer.string(text)
}

const writeLife = (writer: ByteWriter, { touches, deletes }: Life): void => {
  writeRefs(writer, touches)
  writeRefs(writer, deletes)
}

const writeElements = (writer: ByteWriter, { byKey, contested }: Elements): void => {
  writer.varint(byKey.size)
  for (const [key, element] of byKey) {
    writer.string(key)
    writeValue(writer, element.value)
    writeLife(writer, element)
  }
  writeSet(writer, contested)
}

const readElements = (reader: ByteReader): Elements => {
  const byKey: Elements['byKey'] = new Map()
  times(reader, () => {
    const key = reader.string()
    byKey.set(key, { value: readValue(reader)!, touches: readRefs(reader), deletes: readRefs(reader) })
  })
  return { byKey, contested: readSet(reader) }
}

const writeWrites = (writer: ByteWriter, writes: readonly ListWrite<Value>[]): void => {
  writer.varint(writes.length)
  for (const { ref, value } of writes) {
    writeRef(writer, ref)
    writeValue(writer, value)
  }
}

const readWrites = <Content extends Value>(reader: ByteReader): ListWrite<Content>[] => {
  const writes: ListWrite<Content>[] = []
  times(reader, () => writes.push({ ref: readRef(reader), value: readValue(reader) as Content }))
  return writes
}

const writeList = (writer: ByteWriter, { byId, contested }: List): void => {
  writer.varint(byId.size)
  for (const [id, item] of byId) {
    writer.string(id)
    writeLife(writer, item)
    writeWrites(writer, item.positions)
    writeWrites(writer, item.values)
  }
  writeSet(writer, contested)
}

const readList = (reader: ByteReader): List => {
  const byId: List['byId'] = new Map()
  times(reader, () => {
    const id = reader.string()
    const life = { touches: readRefs(reader), deletes: readRefs(reader) }
    byId.set(id, { ...life, positions: readWrites<string>(reader), values: readWrites(reader) })
  })
  return { byId, contested: readSet(reader) }
}

const writeTree = (writer: ByteWriter, { root, mayCollide }: Tree): void => {
  writer.byte(mayCollide ? 1 : 0)
  writeNode(writer, root)
}

const readTree = (reader: ByteReader): Tree => {
  const mayCollide = reader.byte() === 1
  return { root: readNode(reader), mayCollide }
}

/** Paths are at most 64 keys deep (CELL4). */
const writeNode = (writer: ByteWriter, { writes, children }: Node): void => {
  writer.varint(writes.length)
  for (const { ref, put, sawAbove } of writes) {
    writeRef(writer, ref)
    writeValue(writer, put as Value)
    writeRefs(writer, sawAbove)
  }
  writer.varint(children === undefined ? 0 : children.size + 1)
  for (const [key, child] of children ?? []) {
    writer.string(key)
    writeNode(writer, child)
  }
}

const readNode = (reader: ByteReader): Node => {
  const node: Node = { writes: [], children: undefined }
  times(reader, () => {
    const ref = readRef(reader)
    const put = readValue(reader) as Node['writes'][number]['put']
    node.writes.push({ ref, put, sawAbove: readRefs(reader) })
  })
  const children = reader.varint()
  if (children === 0) return node
  node.children = new Map()
  for (let left = children - 1; left > 0; left--) {
    const key = reader.string()
    node.children.set(key, readNode(reader))
  }
  return node
}
