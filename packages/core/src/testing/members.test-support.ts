/** Logs of members for tests: whoever is told to does whatever it is told to, with keys that follow from numbers. */
import { hash } from '../crypto/sodium.ts'
import { makeCertificate } from '../crypto/identity.ts'
import { type Deed, encodeEntry, type Role, signJoin } from '../membership/entry.ts'
import { makeRotation, sealEpochKey } from '../membership/epoch-keys.ts'
import { Membership, memberIdOf } from '../membership/membership.ts'
import { installationSecrets, invitationSecrets, type MemberSecrets, publicKeysOf } from '../membership/secrets.ts'
import type { WriterIdentity } from '../log/writer.ts'
import { identityOf, seededRandom, SPACE } from './replicas.test-support.ts'

export const secretOf = (number: number): Uint8Array => hash(new TextEncoder().encode(`secret ${number}`))
export const installationOf = (number: number): MemberSecrets => installationSecrets(secretOf(number))
export const invitationOf = (number: number): MemberSecrets => invitationSecrets(secretOf(number))
export const keyOf = (number: number): Uint8Array => installationOf(number).signing.publicKey
export const memberOf = (number: number): string => memberIdOf(keyOf(number))
export const epochKeyOf = (epoch: number): Uint8Array => hash(new TextEncoder().encode(`epoch ${epoch}`))
export const START_AT_MS = Date.UTC(2026, 0, 1)
export const EXPIRES_MS = Date.UTC(2026, 1, 1)

/** A device of an installation, both by number. */
export const deviceOf = (number: number, installation: number): WriterIdentity => {
  const identity = identityOf(number)
  const { signing } = installationOf(installation)
  return {
    ...identity,
    certificate: makeCertificate(SPACE, identity.certificate.slice(0, 32), signing),
  }
}

/** What is done, by numbers of installations and invitations. */
export type Act =
  | { readonly kind: 'found' | 'rotate' }
  | { readonly kind: 'invite'; readonly invitation: number; readonly role: Role; readonly member?: number }
  | { readonly kind: 'withdraw'; readonly invitation: number }
  | { readonly kind: 'join'; readonly invitation: number }
  | { readonly kind: 'admit'; readonly installation: number; readonly role: Role; readonly member?: number }
  | { readonly kind: 'role'; readonly member: number; readonly role: Role }
  | { readonly kind: 'remove'; readonly member: number; readonly rotates?: boolean }
  | { readonly kind: 'revoke' | 'retire' | 'return'; readonly installation: number }

/** A log, and what would come next in it. */
export const createMembers = (space = SPACE) => {
  const membership = new Membership(space)
  const random = seededRandom(7)

  const deedOf = (by: number, act: Act): Deed => {
    const key = (): Uint8Array => epochKeyOf(Math.max(1, membership.epoch))
    const rotation = (recipients = membership.recipientsAfter(act as Deed)) =>
      makeRotation(
        membership,
        epochKeyOf(membership.epoch + 1),
        recipients,
        membership.epoch === 0 ? undefined : key(),
        random,
      )
    const optional = (member: number | undefined) => (member === undefined ? undefined : memberOf(member))
    switch (act.kind) {
      case 'found': {
        const keys = publicKeysOf(installationOf(by))
        return { kind: 'found', keys, rotation: rotation([keys]) }
      }
      case 'invite': {
        const keys = publicKeysOf(invitationOf(act.invitation))
        const sealed = sealEpochKey(key(), keys, random)
        const { role } = act
        return { kind: 'invite', keys, role, member: optional(act.member), expiresMs: EXPIRES_MS, sealed }
      }
      case 'withdraw':
        return { kind: 'withdraw', invitation: invitationOf(act.invitation).signing.publicKey }
      case 'join': {
        const keys = publicKeysOf(installationOf(by))
        const { signing } = invitationOf(act.invitation)
        const proof = signJoin(space, keys, signing)
        return { kind: 'join', keys, invitation: signing.publicKey, proof, sealed: sealEpochKey(key(), keys, random) }
      }
      case 'admit': {
        const keys = publicKeysOf(installationOf(act.installation))
        const sealed = sealEpochKey(key(), keys, random)
        return { kind: 'admit', keys, role: act.role, member: optional(act.member), sealed }
      }
      case 'role':
        return { kind: 'role', member: memberOf(act.member), role: act.role }
      case 'remove': {
        const outline = { kind: 'remove', member: memberOf(act.member) } as const
        const rotates = act.rotates ?? membership.installation(keyOf(by))?.member !== outline.member
        return { ...outline, rotation: rotates ? rotation(membership.recipientsAfter(outline)) : undefined }
      }
      case 'revoke': {
        const outline = { kind: 'revoke', installation: keyOf(act.installation) } as const
        return { ...outline, rotation: rotation(membership.recipientsAfter(outline)) }
      }
      case 'rotate':
        return { kind: 'rotate', rotation: rotation() }
      case 'retire':
      case 'return':
        return { kind: act.kind, installation: keyOf(act.installation) }
    }
  }

  const entryOf = (by: number, deed: Deed): Uint8Array =>
    encodeEntry(
      { space, position: membership.length + 1, before: membership.head, atMs: START_AT_MS + membership.length, deed },
      installationOf(by).signing,
    )

  const next = (by: number, act: Act): Uint8Array => entryOf(by, deedOf(by, act))
  /** Does it, or throws why it is not allowed. */
  const act = (by: number, ...acts: readonly Act[]): void => {
    for (const one of acts) membership.append(next(by, one))
  }
  return { membership, deedOf, entryOf, next, act }
}
export type TestMembers = ReturnType<typeof createMembers>

/** Another copy of a log, up to a position. */
export const copyUpTo = (membership: Membership, length = membership.length): Membership => {
  const copy = new Membership(membership.space)
  for (const entry of membership.entriesAfter(0, length)) copy.append(entry)
  return copy
}
