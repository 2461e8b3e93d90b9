/** MEM: the log of members, written a second time on @noble and on nothing of core. See second-implementation. */
import { hsalsa, xsalsa20poly1305 } from '@noble/ciphers/salsa.js'
import { ed25519, x25519 } from '@noble/curves/ed25519.js'
import { sha512 } from '@noble/hashes/sha2.js'
import { decrypt, deriveKey } from './second-cipher.ts'
import { hash, join, readerOf, text, toHex, varint } from './second-implementation.ts'

const none = new Uint8Array(0)
const isSame = (a: Uint8Array, b: Uint8Array): boolean => Buffer.from(a).equals(b)

export interface Keys {
  readonly signingSeed: Uint8Array
  readonly key: Uint8Array
  readonly sealingSecret: Uint8Array
  readonly sealingKey: Uint8Array
}

/** MEM2: what a secret of an installation, or of an invitation, stands for. */
export const keysOf = (secret: Uint8Array, what: 'installation' | 'invitation'): Keys => {
  const signingSeed = deriveKey(secret, `driftlog/${what}/sign`, none)
  const sealingSecret = sha512(deriveKey(secret, `driftlog/${what}/seal`, none)).slice(0, 32)
  const key = ed25519.getPublicKey(signingSeed)
  return { signingSeed, key, sealingSecret, sealingKey: x25519.getPublicKey(sealingSecret) }
}

export const memberId = (key: Uint8Array): string =>
  Buffer.from(hash(join(text('driftlog/member/1'), key), 16)).toString('base64url')

const words = (bytes: Uint8Array): Uint32Array => new Uint32Array(Uint8Array.from(bytes).buffer)
const SIGMA = words(new TextEncoder().encode('expand 32-byte k'))

/** A sealed box of NaCl. Throws where it is not for these keys. */
export const openSealed = (box: Uint8Array, { sealingSecret, sealingKey }: Keys): Uint8Array => {
  const ephemeral = box.subarray(0, 32)
  const shared = x25519.getSharedSecret(sealingSecret, ephemeral)
  const key = new Uint32Array(8)
  hsalsa(SIGMA, words(shared), new Uint32Array(4), key)
  const nonce = hash(join(ephemeral, sealingKey), 24)
  return xsalsa20poly1305(new Uint8Array(key.buffer), nonce).decrypt(box.subarray(32))
}

const verify = (signature: Uint8Array, message: Uint8Array, key: Uint8Array): void => {
  if (!ed25519.verify(signature, message, key, { zip215: false })) throw new Error('signature')
}

/** Text behind its prefix: a CRC-32 and bytes. */
export const codeBytes = (code: string, prefix: string): Uint8Array => {
  if (!code.startsWith(prefix)) throw new Error('prefix')
  const bytes = Uint8Array.from(Buffer.from(code.slice(prefix.length), 'base64url'))
  let crc = -1
  for (const byte of bytes.subarray(4)) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xed_b8_83_20 : 0)
  }
  if (new DataView(bytes.buffer).getUint32(0) !== ~crc >>> 0) throw new Error('checksum')
  return bytes.slice(4)
}

export const readPass = (pass: Uint8Array): { space: string; key: string; expiresMs: number } => {
  const { take, number, at } = readerOf(pass)
  if (number() !== 1) throw new Error('format')
  const space = Buffer.from(take(number())).toString()
  const key = take(32)
  const expiresMs = number()
  const signed = pass.subarray(0, at())
  verify(take(64), join(text('driftlog/members/pass/1'), signed), key)
  if (at() !== pass.length) throw new Error('end')
  return { space, key: toHex(key), expiresMs }
}

const deeds = [
  'found',
  'invite',
  'withdraw',
  'join',
  'admit',
  'role',
  'remove',
  'revoke',
  'rotate',
  'retire',
  'return',
] as const
const roles = ['reader', 'writer', 'admin'] as const

interface Epoch {
  readonly commitment: Uint8Array
  readonly previous: Uint8Array
}

/** The log up to here: who is in, and what is sealed to whom. It checks what binds an entry, not whether its author may do that. */
export interface Log {
  readonly head: Uint8Array
  /** Installation or invitation → the member that it is of; an invitation for a new member is of none. In order. */
  readonly installations: ReadonlyMap<string, string>
  readonly invitations: ReadonlyMap<string, { member: string; role: string; by: string }>
  readonly roles: ReadonlyMap<string, string>
  readonly epochs: readonly Epoch[]
  readonly boxes: ReadonlyMap<string, Uint8Array>
}

export const EMPTY: Log = {
  head: new Uint8Array(32),
  installations: new Map(),
  invitations: new Map(),
  roles: new Map(),
  epochs: [],
  boxes: new Map(),
}

/** Throws where the entry does not come next, or is not signed. */
export const take = (log: Log, space: string, position: number, entry: Uint8Array): { log: Log; deed: string } => {
  const reader = readerOf(entry)
  const word = (): string => Buffer.from(reader.take(reader.number())).toString()
  const bytes = (): Uint8Array => reader.take(reader.number())
  const keys = (): { key: string; raw: Uint8Array } => {
    const raw = reader.take(64)
    return { key: toHex(raw.subarray(0, 32)), raw }
  }
  const rotation = () => {
    const epoch = reader.number()
    const commitment = reader.take(32)
    const previous = bytes()
    const boxes = Array.from({ length: reader.number() }, bytes)
    if (epoch !== log.epochs.length + 1) throw new Error('epoch')
    return { epoch: { commitment, previous }, boxes }
  }
  if (Buffer.from(reader.take(3)).toString() !== 'DLM' || reader.number() !== 1) throw new Error('format')
  if (word() !== space || reader.number() !== position || !isSame(reader.take(32), log.head)) throw new Error('place')
  const author = reader.take(32)
  reader.number()
  const deed = deeds[reader.take(1)[0]]
  const installations = new Map(log.installations)
  let invitations = new Map(log.invitations)
  const roleOf = new Map(log.roles)
  const epochs = [...log.epochs]
  const boxes = new Map(log.boxes)
  let rotated: ReturnType<typeof rotation> | undefined
  const enter = (key: string, member: string, role: string): void => {
    const id = member === '' ? memberId(Uint8Array.from(Buffer.from(key, 'hex'))) : member
    installations.set(key, id)
    if (member === '') roleOf.set(id, role)
  }
  const dropInvitations = (isOut: (invitation: { member: string; by: string }, key: string) => boolean): void => {
    invitations = new Map([...invitations].filter(([key, one]) => !isOut(one, key)))
  }
  switch (deed) {
    case 'found': {
      const { key } = keys()
      enter(key, '', 'admin')
      rotated = rotation()
      break
    }
    case 'invite':
    case 'admit': {
      const { key } = keys()
      const role = roles[reader.take(1)[0]]
      const member = word()
      if (deed === 'invite') {
        reader.number()
        invitations.set(key, { member, role, by: toHex(author) })
      } else enter(key, member, role)
      boxes.set(key, bytes())
      break
    }
    case 'withdraw': {
      const key = toHex(reader.take(32))
      dropInvitations((_, at) => at === key)
      break
    }
    case 'join': {
      const { key, raw } = keys()
      const invitation = reader.take(32)
      const { member, role } = invitations.get(toHex(invitation))!
      verify(reader.take(64), join(text('driftlog/members/join/1'), text(space), raw), invitation)
      invitations.delete(toHex(invitation))
      enter(key, member, role)
      boxes.set(key, bytes())
      break
    }
    case 'role': {
      const member = word()
      const role = roles[reader.take(1)[0]]
      roleOf.set(member, role)
      if (role !== 'admin') dropInvitations((one) => log.installations.get(one.by) === member && one.member !== member)
      break
    }
    case 'remove': {
      const member = word()
      roleOf.delete(member)
      for (const [key, of] of log.installations) if (of === member) installations.delete(key)
      dropInvitations((one) => one.member === member || log.installations.get(one.by) === member)
      if (reader.take(1)[0] === 1) rotated = rotation()
      break
    }
    case 'revoke': {
      const key = toHex(reader.take(32))
      installations.delete(key)
      dropInvitations((one) => one.by === key)
      rotated = rotation()
      break
    }
    case 'rotate':
      rotated = rotation()
      break
    default:
      reader.take(32)
  }
  if (rotated !== undefined) {
    epochs.push(rotated.epoch)
    boxes.clear()
    const recipients = [...installations.keys(), ...invitations.keys()]
    for (const [index, key] of recipients.entries()) boxes.set(key, rotated.boxes[index])
  }
  const signed = entry.subarray(0, reader.at())
  verify(reader.take(64), join(text('driftlog/members/entry/1'), signed), author)
  if (reader.at() !== entry.length) throw new Error('end')
  const head = hash(join(text('driftlog/members/hash/1'), entry))
  return { log: { head, installations, invitations, roles: roleOf, epochs, boxes }, deed }
}

const place = (space: string, epoch: number): Uint8Array =>
  join(text('driftlog/members/epoch/1'), text(space), varint(epoch))

/** MEM3: the keys of all epochs, the newest first, in hex. */
export const openKeys = ({ boxes, epochs }: Log, space: string, keys: Keys): string[] => {
  const opened: string[] = []
  let key = openSealed(boxes.get(toHex(keys.key))!, keys)
  for (let epoch = epochs.length; epoch > 0; epoch--) {
    const { commitment, previous } = epochs[epoch - 1]
    const told = hash(join(place(space, epoch), deriveKey(key, 'driftlog/members/commitment', none)))
    if (!isSame(told, commitment)) throw new Error('commitment')
    opened.push(toHex(key))
    if (epoch > 1) key = decrypt(previous, place(space, epoch), deriveKey(key, 'driftlog/members/previous', none))
  }
  return opened
}
