/**
 * The hash chain over runs (SPEC OP3, OP4) and the keyed tags by which plain headers name a place in it (ENV3).
 *
 *     h(0) = H(space, certificate, shifts)      h(k) = H(h(k-1), run k, chain hashes of the foreign ops that run k refers to)
 *
 * A tag is keyed by the epoch of writing, the space and the device, so it survives re-encryption and tells nothing of
 * the contents to who lacks the key. Epoch 0, an unencrypted space, has the key of 32 zero bytes.
 */
import { type DeviceId, deviceIdToBytes } from '../clock/dot.ts'
import { ByteWriter, createScratch } from '../codec/bytes.ts'
import { hash } from './sodium.ts'

const text = new TextEncoder()
const startDomain = text.encode('driftlog/chain/start/1')
const nextDomain = text.encode('driftlog/chain/run/1')
const tagDomain = text.encode('driftlog/chain/tag/1')

export const UNENCRYPTED_EPOCH_KEY = new Uint8Array(32)

const NO_SHIFTS = Uint8Array.of(0)

/** `shifts`: those that the device's first batch states (BR2), as in its header; none by default. */
export const chainStart = (space: string, certificate: Uint8Array, shifts: Uint8Array = NO_SHIFTS): Uint8Array =>
  hash(new ByteWriter(256).bytes(startDomain).string(space).bytes(certificate).bytes(shifts).finish())

const scratch = createScratch()

/** `references`: for each op of another device that the run refers to, in order of appearance, the chain hash covering it. */
export const chainNext = (before: Uint8Array, run: Uint8Array, references: readonly Uint8Array[]): Uint8Array => {
  const writer = scratch(run.length + 128 + references.length * 32)
  writer.bytes(nextDomain).raw(before).bytes(run).varint(references.length)
  for (const reference of references) writer.raw(reference)
  return hash(writer.finish())
}

/** The key for the tags of one device in one space and epoch. Derive it once and keep it. */
export const tagKey = (epochKey: Uint8Array, space: string, device: DeviceId): Uint8Array =>
  hash(new ByteWriter(160).bytes(tagDomain).raw(epochKey).string(space).raw(deviceIdToBytes(device)).finish())

export const chainTag = (chainHash: Uint8Array, key: Uint8Array): Uint8Array => hash(chainHash, 16, key)
