/** For tests: a device that signs whatever it is told to, in a history that forks wherever it likes. */
import { chainNext, chainStart } from '../crypto/chain.ts'
import { Keyring } from '../crypto/keyring.ts'
import { type Batch, encodeShifts, type Shift } from '../log/batch.ts'
import { ChainIndex } from '../log/chain-index.ts'
import { sealBatch } from '../log/seal.ts'
import { opCount } from '../op/run.ts'
import { encodeRun } from '../op/run-codec.ts'
import { type ForgedOp, forgeRun, identityOf, plainKeys, SPACE } from './replicas.test-support.ts'

interface Point {
  readonly seq: number
  readonly hash: Uint8Array
}

/** It goes on from any point of its history, with tags that are right for it unless `innerTags` says otherwise. */
export const treeForger = (number: number, space = SPACE) => {
  const identity = identityOf(number, space)
  const { device, certificate, keys } = identity
  const index = new ChainIndex(Keyring.unencrypted(space))
  index.begin(device, chainStart(space, certificate))
  const root: Point = { seq: 0, hash: index.last(device) }
  const tag = (hash: Uint8Array) => index.tag(device, hash, 0)
  const seal = (
    from: Point,
    runs: readonly (readonly ForgedOp[])[],
    {
      references = [],
      shifts = [],
      innerTags,
    }: { references?: readonly Uint8Array[]; shifts?: readonly Shift[]; innerTags?: readonly Uint8Array[] } = {},
  ): { batch: Batch; end: Point } => {
    let { seq, hash } = from
    if (seq === 0) hash = chainStart(space, certificate, encodeShifts(shifts))
    const tagBefore = tag(hash)
    let maxHlc = 0
    const bytes: Uint8Array[] = []
    const ends: { toSeq: number; tag: Uint8Array }[] = []
    for (const ops of runs) {
      const run = forgeRun(device, seq + 1, ops)
      const encoded = encodeRun(run)
      hash = chainNext(hash, encoded, references)
      seq += opCount(run)
      maxHlc = Math.max(maxHlc, ...run.hlc)
      bytes.push(encoded)
      ends.push({ toSeq: seq, tag: innerTags?.[ends.length] ?? tag(hash) })
    }
    const last = ends.pop()!
    const batch = sealBatch(
      {
        space,
        device,
        fromSeq: from.seq + 1,
        toSeq: seq,
        maxHlc,
        tagBefore,
        tagAfter: last.tag,
        innerEnds: ends,
        shifts,
        certificate,
      },
      bytes,
      plainKeys(keys, space),
    )
    return { batch, end: { seq, hash } }
  }
  return { device, root, seal, tag }
}
