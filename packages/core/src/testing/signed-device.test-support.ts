/** A device whose batches stand a server's checks: really signed, over bodies that nobody opens. */
import type { DeviceId } from '../clock/dot.ts'
import { fingerprint, makeCertificate } from '../crypto/identity.ts'
import { signingKeysFromSeed } from '../crypto/sodium.ts'
import { assembleBatch, type Batch, encodeHeader } from '../log/batch.ts'
import { signBatch } from '../log/signature.ts'

type Header = Parameters<typeof encodeHeader>[0]

export interface SignedDevice {
  readonly device: DeviceId
  readonly certificate: Uint8Array
  /** One op; the header says what it must and what `more` says. */
  readonly batchOf: (seq: number, more?: Partial<Header>) => Batch
}

/** Of the space `home`, always the same one. Await `cryptoReady` first. */
export const signedDevice = (): SignedDevice => {
  const space = 'home'
  const keys = signingKeysFromSeed(new Uint8Array(32).fill(1))
  const device = fingerprint(keys.publicKey)
  const certificate = makeCertificate(space, keys.publicKey, signingKeysFromSeed(new Uint8Array(32).fill(2)))
  const plain = { format: 1, space, device, coarseMaxHlc: 1, keyEpoch: 0, flags: 0, innerEnds: [], shifts: [] }
  const batchOf = (seq: number, more: Partial<Header> = {}): Batch => {
    const [tagBefore, tagAfter] = [new Uint8Array(16), new Uint8Array(16)]
    const own = seq === 1 ? certificate : undefined
    const header = encodeHeader({ ...plain, fromSeq: seq, toSeq: seq, tagBefore, tagAfter, certificate: own, ...more })
    const body = new Uint8Array(3)
    return assembleBatch(header, body, signBatch(header, body, keys))
  }
  return { device, certificate, batchOf }
}
