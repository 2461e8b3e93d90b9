/**
 * The cells of a row in a base (SPEC BASE4): what the digest is over, and beside it what of sets, lists and JSON under deep
 * merge an op to come may still bring back. One encoding each: dots in total order, everything else by its key.
 */
import { ABSENT, COMPOSED, COUNTED, SIBLINGS, type Write } from '../cells/row.ts'
import { type ByteReader, type ByteWriter, malformed } from '../codec/bytes.ts'
import type { Compare } from '../laws/composed.ts'
import type { CounterTotal } from '../laws/counter.ts'
import { type Elements, valueKey } from '../laws/elements.ts'
import type { Life } from '../laws/life.ts'
import { isContestedItem, type List, type ListWrite } from '../laws/list.ts'
import { isContested as isContestedTree, type Put, type Tree } from '../laws/tree.ts'
import type { DotRef } from '../op/dot-ref.ts'
import { Law } from '../op/law.ts'
import { MAX_DEPTH, readValue, type Value, writeValue } from '../op/value.ts'

type Node = Tree['root']

/** How refs are written. */
export interface RefWriter {
  /** One that is there. */
  write(ref: DotRef): void
  readonly compare: Compare
}

/** What a cell begins with. */
const NOTHING = 0
const ONE_WRITE = 1
const SEVERAL = 2
const COUNTER = 3
const COMPOSITION = 4

/** More digits than sums of 2^53 increments have. */
const MAX_TOTAL_LENGTH = 40

export const writeCell = (writer: ByteWriter, law: number, ref: DotRef, content: unknown, refs: RefWriter): void => {
  if (ref === ABSENT) {
    writer.byte(NOTHING)
  } else if (ref === COUNTED) {
    writer.byte(COUNTER).string((content as CounterTotal).toString())
  } else if (ref === COMPOSED) {
    writer.byte(COMPOSITION)
    if (law === Law.add) writeElements(writer, content as Elements, refs)
    else if (law === Law.item) writeList(writer, content as List, refs)
    else writeTree(writer, content as Tree, refs)
  } else if (ref === SIBLINGS) {
    const writes = content as readonly Write[]
    writer.byte(SEVERAL).varint(writes.length)
    for (const write of writes) {
      refs.write(write.ref)
      writer.byte(write.isReopened === true ? 1 : 0)
      writeValue(writer, write.value)
    }
  } else {
    writer.byte(ONE_WRITE)
    refs.write(ref)
    writeValue(writer, content as Value)
  }
}

export type ReadRef = () => DotRef

/** Throws MALFORMED for what `writeCell` would not write, as far as it could do harm. */
export const readCell = (
  reader: ByteReader,
  law: number,
  readRef: ReadRef,
): readonly [ref: DotRef, content: unknown] => {
  const kind = reader.byte()
  switch (kind) {
    case NOTHING:
      return [ABSENT, undefined]
    case ONE_WRITE:
      if (law !== Law.set) break
      return [readRef(), value(reader)]
    case SEVERAL:
      if (law !== Law.set) break
      return [SIBLINGS, many(reader, () => readWrite(reader, readRef))]
    case COUNTER:
      if (law !== Law.increment && law !== Law.grow) break
      return [COUNTED, totalOf(reader.string())]
    case COMPOSITION:
      if (law === Law.add) return [COMPOSED, readElements(reader, readRef)]
      if (law === Law.item) return [COMPOSED, readList(reader, readRef)]
      if (law === Law.put) return [COMPOSED, readTree(reader, readRef)]
  }
  throw malformed('base: cell')
}

/** In total order. */
export const writeRefs = (writer: ByteWriter, all: readonly DotRef[], { write, compare }: RefWriter): void => {
  writer.varint(all.length)
  for (const ref of all.length < 2 ? all : all.toSorted(compare)) write(ref)
}

export const readRefs = (reader: ByteReader, readRef: ReadRef): DotRef[] => many(reader, readRef)

export const many = <T>(reader: ByteReader, read: () => T): T[] => {
  const all: T[] = []
  for (let left = reader.count(); left > 0; left--) all.push(read())
  return all
}

export const value = (reader: ByteReader): Value => {
  const read = readValue(reader)
  if (read === undefined) throw malformed('base: a value nests too deep')
  return read
}

/** Rising, each once. */
export const expectRising = (before: string | undefined, text: string): string => {
  if (before !== undefined && !(before < text)) throw malformed('base: not in order')
  return text
}

const readWrite = (reader: ByteReader, readRef: ReadRef): Write => {
  const ref = readRef()
  const isReopened = reader.byte() === 1
  return isReopened ? { ref, value: value(reader), isReopened } : { ref, value: value(reader) }
}

const totalOf = (text: string): CounterTotal => {
  if (text.length > MAX_TOTAL_LENGTH || !/^(?:0|-?[1-9]\d*)$/.test(text)) throw malformed('base: counter')
  const total = Number(text)
  return Number.isSafeInteger(total) ? total : BigInt(text)
}

const writeLife = (writer: ByteWriter, { touches, deletes }: Life, refs: RefWriter): void => {
  writeRefs(writer, touches, refs)
  writeRefs(writer, deletes, refs)
}

const readLife = (reader: ByteReader, readRef: ReadRef): Life => ({
  touches: readRefs(reader, readRef),
  deletes: readRefs(reader, readRef),
})

const sorted = <T>(map: ReadonlyMap<string, T>): [string, T][] => [...map].sort(([a], [b]) => (a < b ? -1 : 1))

const writeElements = (writer: ByteWriter, { byKey }: Elements, refs: RefWriter): void => {
  writer.varint(byKey.size)
  for (const [, element] of sorted(byKey)) {
    writeValue(writer, element.value)
    writeLife(writer, element, refs)
  }
}

const readElements = (reader: ByteReader, readRef: ReadRef): Elements => {
  const elements: Elements = { byKey: new Map(), contested: new Set() }
  let before: string | undefined
  for (let left = reader.count(); left > 0; left--) {
    const of = value(reader)
    const key = (before = expectRising(before, valueKey(of)))
    const element = { value: of, ...readLife(reader, readRef) }
    elements.byKey.set(key, element)
    if (element.touches.length > 0 && element.deletes.length > 0) elements.contested.add(key)
  }
  return elements
}

const writeWrites = (writer: ByteWriter, writes: readonly ListWrite<Value>[], refs: RefWriter): void => {
  writer.varint(writes.length)
  for (const { ref, value: written } of writes.toSorted((a, b) => refs.compare(a.ref, b.ref))) {
    refs.write(ref)
    writeValue(writer, written)
  }
}

// An item that was dropped keeps its registers: a change that the drop has not seen brings it back, maybe with one of them alone.
const writeList = (writer: ByteWriter, { byId }: List, refs: RefWriter): void => {
  writer.varint(byId.size)
  for (const [id, item] of sorted(byId)) {
    writer.string(id)
    writeLife(writer, item, refs)
    writeWrites(writer, item.positions, refs)
    writeWrites(writer, item.values, refs)
  }
}

const readList = (reader: ByteReader, readRef: ReadRef): List => {
  const list: List = { byId: new Map(), contested: new Set() }
  let before: string | undefined
  for (let left = reader.count(); left > 0; left--) {
    const id = (before = expectRising(before, reader.string()))
    const life = readLife(reader, readRef)
    const positions = many(reader, () => {
      const ref = readRef()
      const position = value(reader)
      if (typeof position !== 'string') throw malformed('base: position')
      return { ref, value: position }
    })
    const item = { ...life, positions, values: many(reader, () => ({ ref: readRef(), value: value(reader) })) }
    list.byId.set(id, item)
    if (isContestedItem(item)) list.contested.add(id)
  }
  return list
}

const writeTree = (writer: ByteWriter, tree: Tree, refs: RefWriter): void => {
  // Asked, it is told exactly; otherwise it says only that somebody should look.
  writer.byte(isContestedTree(tree) ? 1 : 0)
  writeNode(writer, tree.root, new Set(), refs)
}

const readTree = (reader: ByteReader, readRef: ReadRef): Tree => {
  const mayCollide = reader.byte() === 1
  return { root: readNode(reader, readRef, 0), mayCollide }
}

/** `above`: what is written at paths above. What was seen above and is there no more depends on the order in which ops came. */
const writeNode = (
  writer: ByteWriter,
  { writes, children }: Node,
  above: ReadonlySet<DotRef>,
  refs: RefWriter,
): void => {
  writer.varint(writes.length)
  for (const { ref, put, sawAbove } of writes.toSorted((a, b) => refs.compare(a.ref, b.ref))) {
    refs.write(ref)
    writeValue(writer, put as Value)
    writeRefs(
      writer,
      [...new Set(sawAbove)].filter((seen) => above.has(seen)),
      refs,
    )
  }
  const own = children === undefined ? [] : sorted(children)
  writer.varint(own.length)
  if (own.length === 0) return
  const aboveChildren = writes.length === 0 ? above : new Set([...above, ...writes.map(({ ref }) => ref)])
  for (const [key, child] of own) {
    writer.string(key)
    writeNode(writer, child, aboveChildren, refs)
  }
}

const readNode = (reader: ByteReader, readRef: ReadRef, depth: number): Node => {
  if (depth > MAX_DEPTH) throw malformed('base: a path is too long')
  const writes = many(reader, () => {
    const ref = readRef()
    const put = value(reader)
    if (!Array.isArray(put) || put.length > 1) throw malformed('base: put')
    return { ref, put: put as Value as Put, sawAbove: readRefs(reader, readRef) }
  })
  const count = reader.count(2)
  if (count === 0) return { writes, children: undefined }
  const children = new Map<string, Node>()
  let before: string | undefined
  for (let left = count; left > 0; left--) {
    const key = (before = expectRising(before, reader.string()))
    children.set(key, readNode(reader, readRef, depth + 1))
  }
  return { writes, children }
}

/** Every ref of a cell. */
export const refsOfCell = (ref: DotRef, content: unknown, visit: (ref: DotRef) => void): void => {
  if (ref > 0) visit(ref)
  else if (ref === SIBLINGS) for (const write of content as readonly Write[]) visit(write.ref)
  else if (ref === COMPOSED) refsOfComposed(content as Elements | List | Tree, visit)
}

const refsOfLife = ({ touches, deletes }: Life, visit: (ref: DotRef) => void): void => {
  touches.forEach(visit)
  deletes.forEach(visit)
}

const refsOfComposed = (state: Elements | List | Tree, visit: (ref: DotRef) => void): void => {
  if ('byKey' in state) {
    for (const element of state.byKey.values()) refsOfLife(element, visit)
  } else if ('byId' in state) {
    for (const item of state.byId.values()) {
      refsOfLife(item, visit)
      for (const { ref } of [...item.positions, ...item.values]) visit(ref)
    }
  } else {
    const next = [state.root]
    for (let node = next.pop(); node !== undefined; node = next.pop()) {
      for (const { ref } of node.writes) visit(ref)
      for (const child of node.children?.values() ?? []) next.push(child)
    }
  }
}
