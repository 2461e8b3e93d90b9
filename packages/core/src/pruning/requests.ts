/**
 * What a device asks a server about pruning, and what it is answered: the bodies of `call` and `reply` (PRO). Decoders throw MALFORMED
 * or TOO_LARGE.
 *
 *     standing { from }             ─▶  standing { digest, from, total, … }     what counts now, in pages
 *     state { statement }           ─▶  done
 *     store { digest, index, … }    ─▶  done                                    a chunk of a base that is to be stated
 *     fetch { digest, index }       ─▶  chunk
 */
import { ByteReader, ByteWriter, malformed } from '../codec/bytes.ts'
import { hash, HASH_BYTES } from '../crypto/sodium.ts'
import { MAX_CHUNK_BYTES } from './base-chunks.ts'
import type { Standing } from './pruning.ts'
import { MAX_STATEMENT_BYTES } from './statement.ts'

export type PruningRequest =
  | { readonly kind: 'standing'; readonly from: number }
  | { readonly kind: 'state'; readonly statement: Uint8Array }
  | { readonly kind: 'store'; readonly digest: Uint8Array; readonly index: number; readonly chunk: Uint8Array }
  | { readonly kind: 'fetch'; readonly digest: Uint8Array; readonly index: number }

export interface StandingPage {
  readonly kind: 'standing'
  /** Of the whole. */
  readonly digest: Uint8Array
  readonly bytes: number
  readonly from: number
  readonly part: Uint8Array
}

export type PruningAnswer =
  | StandingPage
  | { readonly kind: 'done' }
  /** undefined: there is none. */
  | { readonly kind: 'chunk'; readonly chunk: Uint8Array | undefined }

const PART_BYTES = 500_000
const MAX_STANDING_BYTES = 16_000_000

export const STANDING_DIGEST_BYTES = 16

export const encodeStanding = ({ items, position, ready, established }: Standing): Uint8Array => {
  const writer = new ByteWriter(4096).varint(position).varint(ready === undefined ? 0 : ready + 1)
  for (const list of [established, items]) {
    writer.varint(list.length)
    for (const item of list) writer.bytes(item)
  }
  return writer.finish()
}

export const decodeStanding = (bytes: Uint8Array): Standing => {
  const reader = new ByteReader(bytes)
  const position = reader.varint()
  const ready = reader.varint()
  const list = (): Uint8Array[] => Array.from({ length: reader.count() }, () => reader.bytes().slice())
  const established = list()
  const items = list()
  reader.expectEnd()
  return { items, position, ready: ready === 0 ? undefined : ready - 1, established }
}

export const standingDigest = (encoded: Uint8Array): Uint8Array => hash(encoded, STANDING_DIGEST_BYTES)

/** What answers `from`. */
export const standingPage = (encoded: Uint8Array, from: number): StandingPage => ({
  kind: 'standing',
  digest: standingDigest(encoded),
  bytes: encoded.length,
  from,
  part: encoded.subarray(from, from + PART_BYTES),
})

export const encodePruningRequest = (request: PruningRequest): Uint8Array => {
  const writer = new ByteWriter(256)
  switch (request.kind) {
    case 'standing':
      return writer.byte(0).varint(request.from).finish()
    case 'state':
      return writer.byte(1).bytes(request.statement).finish()
    case 'store':
      return writer.byte(2).raw(request.digest).varint(request.index).bytes(request.chunk).finish()
    case 'fetch':
      return writer.byte(3).raw(request.digest).varint(request.index).finish()
  }
}

export const decodePruningRequest = (bytes: Uint8Array): PruningRequest => {
  const reader = new ByteReader(bytes)
  const request = readRequest(reader)
  reader.expectEnd()
  return request
}

const readRequest = (reader: ByteReader): PruningRequest => {
  switch (reader.byte()) {
    case 0:
      return { kind: 'standing', from: reader.varint() }
    case 1: {
      const statement = reader.bytes().slice()
      if (statement.length > MAX_STATEMENT_BYTES) throw malformed('a statement')
      return { kind: 'state', statement }
    }
    case 2: {
      const at = { digest: reader.raw(HASH_BYTES).slice(), index: reader.varint() }
      const chunk = reader.bytes().slice()
      if (chunk.length > MAX_CHUNK_BYTES) throw malformed('a chunk')
      return { kind: 'store', ...at, chunk }
    }
    case 3:
      return { kind: 'fetch', digest: reader.raw(HASH_BYTES).slice(), index: reader.varint() }
    default:
      throw malformed('a request that is not known')
  }
}

export const encodePruningAnswer = (answer: PruningAnswer): Uint8Array => {
  const writer = new ByteWriter(256)
  switch (answer.kind) {
    case 'standing':
      return writer.byte(0).raw(answer.digest).varint(answer.bytes).varint(answer.from).bytes(answer.part).finish()
    case 'done':
      return writer.byte(1).finish()
    case 'chunk':
      return answer.chunk === undefined ? writer.byte(2).finish() : writer.byte(3).bytes(answer.chunk).finish()
  }
}

export const decodePruningAnswer = (bytes: Uint8Array): PruningAnswer => {
  const reader = new ByteReader(bytes)
  const answer = readAnswer(reader)
  reader.expectEnd()
  return answer
}

const readAnswer = (reader: ByteReader): PruningAnswer => {
  switch (reader.byte()) {
    case 0: {
      const digest = reader.raw(STANDING_DIGEST_BYTES).slice()
      const size = { bytes: reader.varint(), from: reader.varint() }
      if (size.bytes > MAX_STANDING_BYTES) throw malformed('too many statements')
      return { kind: 'standing', digest, ...size, part: reader.bytes().slice() }
    }
    case 1:
      return { kind: 'done' }
    case 2:
      return { kind: 'chunk', chunk: undefined }
    case 3:
      return { kind: 'chunk', chunk: reader.bytes().slice() }
    default:
      throw malformed('an answer that is not known')
  }
}
