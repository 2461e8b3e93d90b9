import { certifiedKey, readCertificate } from '../crypto/identity.ts'
import { hash, type SigningKeys, sign, verify } from '../crypto/sodium.ts'
import { ByteWriter, equalBytes, malformed } from '../codec/bytes.ts'
import { DriftlogError } from '../errors.ts'
import { type Batch, type BatchHeader, startTagOf } from './batch.ts'

const domain = new TextEncoder().encode('driftlog/batch/1')

// Ed25519 reads its message twice, so it signs a BLAKE2b-512 of header and body rather than a megabyte.
const digestOf = (headerBytes: Uint8Array, body: Uint8Array): Uint8Array =>
  hash(new ByteWriter(headerBytes.length + body.length + 64).bytes(domain).bytes(headerBytes).raw(body).finish(), 64)

export const signBatch = (headerBytes: Uint8Array, body: Uint8Array, keys: SigningKeys): Uint8Array =>
  sign(digestOf(headerBytes, body), keys)

/**
 * ENV authorship: checks that the device in the header signed the batch. A first batch brings its certificate;
 * `knownCertificate` is the one, checked then, of the device of a later batch. Throws CERTIFICATE_INVALID or
 * SIGNATURE_INVALID, and MALFORMED for a first batch whose chain does not begin with what it brings.
 */
export const verifyBatch = (batch: Batch, knownCertificate: Uint8Array | undefined): void => {
  const { device, space, certificate, fromSeq } = batch.header
  if (!verify(batch.signature, digestOf(batch.headerBytes, batch.body), authorKey())) {
    throw new DriftlogError('SIGNATURE_INVALID', '', { device, fromSeq })
  }
  if (certificate !== undefined) checkStart(batch.header, certificate)

  function authorKey(): Uint8Array {
    if (certificate !== undefined) return readCertificate(certificate, space, device).publicKey
    if (knownCertificate !== undefined) return certifiedKey(knownCertificate, device)
    throw new DriftlogError('CERTIFICATE_INVALID', 'none is known', { device })
  }
}

/**
 * BR2: shifts count from the header alone, so whoever takes them at their word must know that the history with this tag states
 * these shifts: otherwise one envelope could stand for another, and replicas would differ in what they shift.
 */
const checkStart = (header: BatchHeader, certificate: Uint8Array): void => {
  if (!equalBytes(startTagOf(header, certificate), header.tagBefore)) throw malformed('a chain that begins otherwise')
}
