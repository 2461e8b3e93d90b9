/** Forged histories that fork, and replicas that read them from a store. */
import type { DeviceId } from '../clock/dot.ts'
import { chainNext, chainStart } from '../crypto/chain.ts'
import { Keyring } from '../crypto/keyring.ts'
import { type Batch, firstTagOf } from '../log/batch.ts'
import { branchId } from '../log/branch.ts'
import { ChainIndex } from '../log/chain-index.ts'
import { memoryStore } from '../log/memory-store.ts'
import { sealBatch } from '../log/seal.ts'
import { opCount } from '../op/run.ts'
import { encodeRun } from '../op/run-codec.ts'
import { createReplica, forgeRun, type ForgedOp, identityOf, plainKeys, SPACE } from './replicas.test-support.ts'

/** A place in a forged history, and the chain hash there. */
export interface ForgedPoint {
  readonly seq: number
  readonly hash: Uint8Array
}

/** Signs runs that go on from any point of its history. */
export const createTreeForger = (number: number) => {
  const { device, certificate, keys } = identityOf(number)
  const chain = new ChainIndex(Keyring.unencrypted(SPACE))
  chain.begin(device, chainStart(SPACE, certificate))
  const root: ForgedPoint = { seq: 0, hash: chain.last(device) }
  /** `references`: the chain hashes of what the run refers to. */
  const seal = (from: ForgedPoint, ops: readonly ForgedOp[], references: readonly Uint8Array[] = []) => {
    const run = forgeRun(device, from.seq + 1, ops)
    const bytes = encodeRun(run)
    const end: ForgedPoint = { seq: from.seq + opCount(run), hash: chainNext(from.hash, bytes, references) }
    const tags = { tagBefore: chain.tag(device, from.hash, 0), tagAfter: chain.tag(device, end.hash, 0) }
    const part = { space: SPACE, device, certificate, fromSeq: from.seq + 1, toSeq: end.seq, ...tags }
    return { batch: sealBatch({ ...part, maxHlc: Math.max(...run.hlc) }, [bytes], plainKeys(keys)), end }
  }
  return { device, root, seal }
}

/** The derived id of the branch that begins with a batch. */
export const derivedId = ({ header }: Batch): DeviceId =>
  branchId(header.device, header.fromSeq - 1, header.tagBefore, firstTagOf(header))

/** A replica that reads anew what a store holds after it took in batches in this order. */
export const readIn = async (order: readonly Batch[]) => {
  const store = memoryStore()
  await store.append(SPACE, order)
  const { batches } = await store.readAbove(SPACE, new Map(), { batches: 1_000_000, bytes: Number.MAX_SAFE_INTEGER })
  return createReplica(999_999, SPACE, (log) => {
    for (const { batch, branch } of batches) log.receive(log.open(batch), branch)
  })
}
