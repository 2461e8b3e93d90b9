/**
 * The parts of the formats that rest on cryptography, written a second time on other libraries (@noble) and on nothing of
 * core: what an implementation in another language would write. Cited by the vectors' test alone.
 */
import { ed25519 } from '@noble/curves/ed25519.js'
import { blake2b } from '@noble/hashes/blake2.js'
import { utf8ToBytes } from '@noble/hashes/utils.js'

export const join = (...parts: readonly Uint8Array[]): Uint8Array => Uint8Array.from(Buffer.concat(parts))
export const fromHex = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, 'hex'))
export const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

export const varint = (value: number): Uint8Array => {
  const bytes: number[] = []
  for (let rest = BigInt(value); ; rest >>= 7n) {
    bytes.push(Number(rest & 127n) | (rest > 127n ? 128 : 0))
    if (rest <= 127n) return Uint8Array.from(bytes)
  }
}

export const prefixed = (bytes: Uint8Array): Uint8Array => join(varint(bytes.length), bytes)
export const text = (value: string): Uint8Array => prefixed(utf8ToBytes(value))
/** A domain is a length-prefixed string too. */
const domain = text

export const deviceBytes = (device: string): Uint8Array => Uint8Array.from(Buffer.from(device, 'base64url'))

export const hash = (message: Uint8Array, length = 32, key?: Uint8Array): Uint8Array =>
  blake2b(message, key === undefined ? { dkLen: length } : { dkLen: length, key })

export const fingerprint = (publicKey: Uint8Array): string =>
  Buffer.from(hash(join(domain('driftlog/device/1'), publicKey), 16)).toString('base64url')

export const publicKeyOf = (seed: Uint8Array): Uint8Array => ed25519.getPublicKey(seed)

export const makeCertificate = (
  space: string,
  deviceKey: Uint8Array,
  installationSeed: Uint8Array,
  replaces: Uint8Array = new Uint8Array(0),
): Uint8Array => {
  const signed = join(deviceKey, publicKeyOf(installationSeed), prefixed(replaces))
  const message = join(domain('driftlog/certificate/1'), text(space), signed)
  return join(signed, ed25519.sign(message, installationSeed))
}

/** `shifts`: as the header has them, counted. */
export const chainStart = (space: string, certificate: Uint8Array, shifts = varint(0)): Uint8Array =>
  hash(join(domain('driftlog/chain/start/1'), text(space), prefixed(certificate), prefixed(shifts)))

export const chainNext = (before: Uint8Array, run: Uint8Array, references: readonly Uint8Array[]): Uint8Array =>
  hash(join(domain('driftlog/chain/run/1'), before, prefixed(run), varint(references.length), ...references))

export const tagKey = (epochKey: Uint8Array, space: string, device: string): Uint8Array =>
  hash(join(domain('driftlog/chain/tag/1'), epochKey, text(space), deviceBytes(device)))

export const tagOf = (chainHash: Uint8Array, key: Uint8Array): Uint8Array => hash(chainHash, 16, key)

/** BR1. */
export const branchOf = (device: string, base: number, tagBefore: Uint8Array, firstTag: Uint8Array): string => {
  const place = join(deviceBytes(device), varint(base), prefixed(tagBefore))
  const named = join(domain('driftlog/branch/1'), place, prefixed(firstTag))
  return Buffer.from(hash(named, 16)).toString('base64url')
}

export interface HeaderJson {
  readonly format: number
  readonly space: string
  readonly device: string
  readonly fromSeq: number
  readonly toSeq: number
  readonly coarseMaxHlc: number
  readonly keyEpoch: number
  readonly flags: number
  readonly tagBefore: string
  readonly tagAfter: string
  readonly innerEnds: readonly { readonly toSeq: number; readonly tag: string }[]
  readonly shifts: readonly {
    readonly device: string
    readonly base: number
    readonly firstTag: string
    readonly shift: number
    readonly floor: number
  }[]
  readonly certificate?: string
}

/** Reads one thing after the other. */
export const readerOf = (bytes: Uint8Array) => {
  let at = 0
  return {
    at: (): number => at,
    take: (length: number): Uint8Array => {
      if (at + length > bytes.length) throw new Error('it ends early')
      at += length
      return bytes.subarray(at - length, at)
    },
    number: (): number => {
      let value = 0
      for (let scale = 1; ; scale *= 128) {
        const byte = bytes[at++]
        value += (byte & 127) * scale
        if (byte < 128) return value
      }
    },
  }
}

/** ENV1: the plain part of a batch. */
export const readHeader = (bytes: Uint8Array): HeaderJson => {
  const { at, take, number } = readerOf(bytes)
  const tag = (): string => toHex(take(16))
  const id = (): string => Buffer.from(take(16)).toString('base64url')
  const list = <Item>(item: () => Item): Item[] => Array.from({ length: number() }, item)

  if (Buffer.from(take(3)).toString() !== 'DLB') throw new Error('not a batch')
  const format = number()
  const space = Buffer.from(take(number())).toString()
  const device = id()
  const [fromSeq, toSeq, coarseMaxHlc, keyEpoch, flags] = [number(), number(), number(), number(), number()]
  const tagBefore = tag()
  // How many ops each run has beyond its first, and where that leads to.
  let next = fromSeq
  const innerEnds = list(() => {
    const end = next + number()
    next = end + 1
    return { toSeq: end, tag: tag() }
  })
  const tagAfter = tag()
  const shift = () => {
    const branch = { device: id(), base: number(), firstTag: tag() }
    return { ...branch, shift: number(), floor: number() }
  }
  const shifts = fromSeq === 1 ? list(shift) : []
  const certificate = fromSeq === 1 ? { certificate: toHex(take(number())) } : {}
  if (at() !== bytes.length) throw new Error('header goes on')
  const seqs = { format, space, device, fromSeq, toSeq, coarseMaxHlc, keyEpoch, flags }
  return { ...seqs, tagBefore, tagAfter, innerEnds, shifts, ...certificate }
}

/** ENV1: the runs of a plain body, not encrypted and not compressed. */
export const runsOf = (body: Uint8Array): Uint8Array[] => {
  const { at, take, number } = readerOf(body)
  const runs = Array.from({ length: number() }, () => take(number()))
  if (at() !== body.length) throw new Error('body goes on')
  return runs
}

/** Splits a batch; checks its signature by the key that its device id is the fingerprint of. */
export const checkBatch = (bytes: Uint8Array, publicKey: Uint8Array): { header: Uint8Array; body: Uint8Array } => {
  const { at, take, number } = readerOf(bytes)
  const header = take(number())
  const body = bytes.subarray(at(), bytes.length - 64)
  const message = hash(join(domain('driftlog/batch/1'), prefixed(header), body), 64)
  // libsodium's rule: no cofactor, no small-order keys. `zip215: false` is noble's nearest.
  if (!ed25519.verify(bytes.subarray(bytes.length - 64), message, publicKey, { zip215: false }))
    throw new Error('signature')
  return { header, body }
}

export type DotJson = readonly [device: string, seq: number, stamp: number]

export interface RowJson {
  readonly table: string
  readonly row: string
  readonly touches: readonly DotJson[]
  readonly deletes: readonly DotJson[]
  readonly created: readonly DotJson[]
  readonly updated: readonly DotJson[]
  readonly registers: readonly {
    readonly path: readonly string[]
    readonly writes: readonly { readonly dot: DotJson; readonly hex: string; readonly isReopened?: boolean }[]
  }[]
  readonly counters: readonly { readonly path: readonly string[]; readonly total: string }[]
  readonly grown?: readonly { readonly path: readonly string[]; readonly total: string }[]
  /** Sets, lists and JSON under deep merge: what their laws write. */
  readonly composed?: readonly { readonly law: number; readonly path: readonly string[]; readonly hex: string }[]
  readonly erased?: readonly DotJson[]
}

/** CELL7, from the cells as they are listed. */
export const digestOf = (rows: readonly RowJson[]): Uint8Array => {
  const sum = new Uint32Array(16)
  const add = (row: RowJson, kind: number, path: readonly string[], content: Uint8Array): void => {
    const name = join(text(row.table), text(row.row), Uint8Array.of(kind), varint(path.length), ...path.map(text))
    const cell = hash(join(name, content), 64)
    const view = new DataView(cell.buffer, cell.byteOffset)
    for (let lane = 0; lane < 16; lane++) sum[lane] += view.getUint32(lane * 4)
  }
  const dot = ([device, seq, stamp]: DotJson): Uint8Array => join(deviceBytes(device), varint(seq), varint(stamp))
  const dots = (list: readonly DotJson[]): Uint8Array => join(varint(list.length), ...list.map(dot))
  for (const row of rows) {
    for (const erasure of row.erased ?? []) add(row, 4, [], dot(erasure))
    if (row.erased !== undefined && row.erased.length > 0) continue
    add(row, 0, [], join(dots(row.touches), dots(row.deletes), dots(row.created), dots(row.updated)))
    if (row.touches.length === 0) continue
    for (const { path, writes } of row.registers) {
      const isReopened = writes.some((write) => write.isReopened)
      const flag = (write: { isReopened?: boolean }): Uint8Array =>
        isReopened ? Uint8Array.of(write.isReopened === true ? 1 : 0) : new Uint8Array(0)
      const parts = writes.flatMap((write) => [dot(write.dot), flag(write), fromHex(write.hex)])
      add(row, isReopened ? 6 : 1, path, join(varint(writes.length), ...parts))
    }
    for (const { path, total } of row.grown ?? []) add(row, 5, path, text(total))
    for (const { law, path, hex } of row.composed ?? []) add(row, 3, path, join(Uint8Array.of(law), fromHex(hex)))
    for (const { path, total } of row.counters) add(row, 2, path, text(total))
  }
  const bytes = new Uint8Array(64)
  sum.forEach((lane, index) => new DataView(bytes.buffer).setUint32(index * 4, lane))
  return bytes
}
