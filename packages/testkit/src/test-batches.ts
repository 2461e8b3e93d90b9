/**
 * Valid batches without an engine: real keys, certificates, chains and signatures around a body of any bytes. All of it
 * is a function of its arguments, so a failing test replays. Await core's `cryptoReady` first.
 */
import {
  assembleBatch,
  type Batch,
  BATCH_FORMAT,
  ByteWriter,
  chainNext,
  chainStartOf,
  chainTag,
  concatBytes,
  type DeviceId,
  encodeHeader,
  fingerprint,
  hash,
  makeCertificate,
  type RunEnd,
  type Shift,
  type SigningKeys,
  signBatch,
  signingKeysFromSeed,
  tagKey,
  UNENCRYPTED_EPOCH_KEY,
} from '@driftlog/core'

const text = new TextEncoder()
const seedBytes = (...parts: readonly (string | number)[]): Uint8Array =>
  hash(text.encode(JSON.stringify(['driftlog/testkit', ...parts])))

export interface TestDevice {
  readonly space: string
  readonly device: DeviceId
  readonly keys: SigningKeys
  readonly installation: SigningKeys
  readonly certificate: Uint8Array
  /** For the chain tags of plain headers, epoch 0. */
  readonly tagKey: Uint8Array
}

/** Another `seed` is another device, each with an installation of its own. */
export const makeTestDevice = (space: string, seed: string | number): TestDevice => {
  const keys = signingKeysFromSeed(seedBytes('device', seed))
  const installation = signingKeysFromSeed(seedBytes('installation', seed))
  const device = fingerprint(keys.publicKey)
  return {
    space,
    device,
    keys,
    installation,
    certificate: makeCertificate(space, keys.publicKey, installation),
    tagKey: tagKey(UNENCRYPTED_EPOCH_KEY, space, device),
  }
}

/** A batch that knows its place in the chain, so that another can follow. */
export interface TestBatch extends Batch {
  /** 32 bytes each. */
  readonly chainBefore: Uint8Array
  readonly chainAfter: Uint8Array
}

export interface TestBatchShape {
  /** Where left out, the seq after `previous`, or 1. Anything else makes a gap or an overlap. */
  readonly fromSeq?: number
  /** Where left out, `fromSeq`: a batch of one op. */
  readonly toSeq?: number
  /** The batch whose chain this one continues. */
  readonly previous?: TestBatch
  /** Taken for one run; another body is another history. Where left out, 32 bytes made from device and seqs. */
  readonly body?: Uint8Array
  /** The chain hash to end with, 32 bytes, whatever the body is: as where the same ops were sealed anew. */
  readonly chainAfter?: Uint8Array
  readonly coarseMaxHlc?: number
  /** Where it says that its runs end, true or not. */
  readonly innerEnds?: readonly RunEnd[]
  /** That it states, where it is the first of its device. */
  readonly shifts?: readonly Shift[]
}

export const makeTestBatch = (author: TestDevice, shape: TestBatchShape = {}): TestBatch => {
  const { previous } = shape
  const fromSeq = shape.fromSeq ?? (previous === undefined ? 1 : previous.header.toSeq + 1)
  const toSeq = shape.toSeq ?? fromSeq
  const body = shape.body ?? seedBytes('body', author.device, fromSeq, toSeq)
  const { innerEnds, shifts = [] } = shape
  const chainBefore = previous?.chainAfter ?? chainStartOf({ space: author.space, shifts }, author.certificate)
  const chainAfter = shape.chainAfter ?? chainNext(chainBefore, body, [])
  const coarseMaxHlc = shape.coarseMaxHlc ?? toSeq
  return seal(author, { fromSeq, toSeq, chainBefore, chainAfter, body, coarseMaxHlc, innerEnds, shifts })
}

/** One batch after the other, `lengths[i]` ops in each, after `previous` where given. */
export const makeTestHistory = (
  author: TestDevice,
  lengths: readonly number[],
  previous?: TestBatch,
  bodySeed: string | number = 0,
): TestBatch[] => {
  const history: TestBatch[] = []
  let last = previous
  for (const length of lengths) {
    const fromSeq = last === undefined ? 1 : last.header.toSeq + 1
    const body = seedBytes('history', author.device, fromSeq, length, bodySeed)
    last = makeTestBatch(author, { fromSeq, toSeq: fromSeq + length - 1, previous: last, body })
    history.push(last)
  }
  return history
}

/** The same ops under one envelope (ENV1): consecutive batches of one history, sealed again as a whole. */
export const mergeTestBatches = (author: TestDevice, batches: readonly TestBatch[]): TestBatch => {
  const first = batches[0]
  const last = batches[batches.length - 1]
  return seal(author, {
    fromSeq: first.header.fromSeq,
    toSeq: last.header.toSeq,
    chainBefore: first.chainBefore,
    chainAfter: last.chainAfter,
    body: concatBytes(...batches.map(({ body }) => new ByteWriter(body.length + 8).bytes(body).finish())),
    coarseMaxHlc: Math.max(...batches.map(({ header }) => header.coarseMaxHlc)),
    innerEnds: batches.slice(0, -1).map(({ header }) => ({ toSeq: header.toSeq, tag: header.tagAfter })),
  })
}

interface Sealing {
  readonly fromSeq: number
  readonly toSeq: number
  readonly chainBefore: Uint8Array
  readonly chainAfter: Uint8Array
  readonly body: Uint8Array
  readonly coarseMaxHlc: number
  readonly innerEnds?: readonly RunEnd[]
  readonly shifts?: readonly Shift[]
}

const seal = (author: TestDevice, sealing: Sealing): TestBatch => {
  const { fromSeq, toSeq, chainBefore, chainAfter, body, coarseMaxHlc } = sealing
  const headerBytes = encodeHeader({
    format: BATCH_FORMAT,
    space: author.space,
    device: author.device,
    fromSeq,
    toSeq,
    coarseMaxHlc,
    keyEpoch: 0,
    flags: 0,
    tagBefore: chainTag(chainBefore, author.tagKey),
    tagAfter: chainTag(chainAfter, author.tagKey),
    innerEnds: sealing.innerEnds ?? [],
    shifts: sealing.shifts ?? [],
    certificate: fromSeq === 1 ? author.certificate : undefined,
  })
  const batch = assembleBatch(headerBytes, body, signBatch(headerBytes, body, author.keys))
  return { ...batch, chainBefore, chainAfter }
}
