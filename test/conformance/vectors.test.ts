import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { ed25519 } from '@noble/curves/ed25519.js'
import { argon2id as secondArgon2id } from '@noble/hashes/argon2.js'
import { blake2b } from '@noble/hashes/blake2.js'
import {
  assembleBatch,
  cryptoReady,
  decodeClientFrame,
  decodeServerFrame,
  decodeTips,
  decodeVector,
  defineSchema,
  f,
  table,
  type DeviceId,
  argon2id,
  decrypt,
  deriveKey,
  encrypt,
  hash,
  Keyring,
  Law,
  Membership,
  memoryStore,
  padded,
  signingKeysFromSeed,
  startCursor,
} from '@driftlog/core'
import { createVault, newSpaceKey, openReplica, restoreBackup, unlockVault } from '@driftlog/client'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { ByteReader } from '../../packages/core/src/codec/bytes.ts'
import { sign, verify } from '../../packages/core/src/crypto/sodium.ts'
import { decodeBatch } from '../../packages/core/src/log/batch.ts'
import { openBatch, sealBatch } from '../../packages/core/src/log/seal.ts'
import { decodeRun, encodeRun } from '../../packages/core/src/op/run-codec.ts'
import { readValue } from '../../packages/core/src/op/value.ts'
import {
  createReplica,
  forgeRun,
  identityOf,
  plainKeys,
  seededRandom,
  SPACE,
  shapes,
} from '../../packages/core/src/testing/replicas.test-support.ts'
import type { makeMembers } from './make-members.ts'
import * as secondCipher from './second-cipher.ts'
import { describeHeader, describeRun, fromJson, type JsonValue, makeVectors, plantTree } from './make-vectors.ts'
import * as second from './second-implementation.ts'
import * as secondMembers from './second-members.ts'
import { fromHex, toHex } from './second-implementation.ts'

beforeAll(cryptoReady)

const CHANGED = `The bytes of a format have changed. What was written before must stay readable for ever: give the new bytes a
format number of their own, keep reading the old ones, and write a decision record (docs/decisions). If a case was only
added, write the vectors with DRIFTLOG_WRITE_VECTORS=1 and look at the diff: no line that was there may change.`

const pathOf = (name: string): string => fileURLToPath(new URL(`vectors/${name}`, import.meta.url))
const isWriting = process.env.DRIFTLOG_WRITE_VECTORS === '1'
const format = (contents: unknown): string => `${JSON.stringify(contents, null, 2)}\n`

const load = <T>(name: string): T => JSON.parse(readFileSync(pathOf(name), 'utf8')) as T

interface Values {
  values: { value: JsonValue; hex: string }[]
  refused: { why: string; hex: string }[]
  tooDeep: { hex: string }
}
type CryptoVectors = Record<
  | 'space'
  | 'seed'
  | 'publicKey'
  | 'installationSeed'
  | 'installationKey'
  | 'certificate'
  | 'replacedDevice'
  | 'certificateThatReplaces'
  | 'chainStart'
  | 'shifts'
  | 'chainStartWithShifts'
  | 'run'
  | 'chainNext'
  | 'tagDevice'
  | 'tagKey'
  | 'tag',
  string
> & {
  references: string[]
  branches: { device: string; base: number; tagBefore: string; firstTag: string; branch: string }[]
}
interface History {
  space: string
  batches: { device: string; fromSeq: number; toSeq: number; tagAfter: string; chainAfter: string; hex: string }[]
  projected: [string, number][]
  voidOps: number
  rows: (Omit<second.RowJson, 'registers'> & {
    registers: { path: string[]; writes: { dot: second.DotJson; value: JsonValue }[] }[]
  })[]
  digest: string
}

interface Laws extends Pick<History, 'batches' | 'projected' | 'voidOps' | 'digest'> {
  rows: second.RowJson[]
}

interface TreeBatch {
  device: string
  fromSeq: number
  toSeq: number
  tagBefore: string
  firstTag: string
  tagAfter: string
  branch: string
}

const valueOf = (hex: string) => {
  const reader = new ByteReader(fromHex(hex))
  const value = readValue(reader)
  reader.expectEnd()
  return value
}

describe('golden vectors', () => {
  it.each([
    'values.json',
    'clock.json',
    'crypto.json',
    'headers.json',
    'runs.json',
    'trees.json',
    'history.json',
    'laws.json',
    'frames.json',
    'members.json',
  ])('%s is what the code makes', (name) => {
    const made = makeVectors()[name]
    if (isWriting) writeFileSync(pathOf(name), format(made))
    // Line by line of one layout, so that the message names the first case that changed.
    const lines = format(made).split('\n')
    const onFile = format(load(name)).split('\n')
    const changed = lines.findIndex((line, at) => line !== onFile[at])
    expect(lines[changed], CHANGED).toBe(onFile[changed])
    expect(lines.length, CHANGED).toBe(onFile.length)
  })

  it('[OP2] values read back; what is no value is refused', () => {
    const { values, refused, tooDeep } = load<Values>('values.json')
    for (const { value, hex } of values) expect(valueOf(hex)).toEqual(fromJson(value))
    for (const { hex } of refused) expect(() => valueOf(hex)).toThrow(expect.objectContaining({ code: 'MALFORMED' }))
    expect(valueOf(tooDeep.hex)).toBeUndefined()
  })

  it('[PRO1 PRO6] frames read back to their messages', () => {
    const { frames } = load<{ frames: { name: string; from: string; message: object; hex: string }[] }>('frames.json')
    for (const { name, from, message, hex } of frames) {
      const read = from === 'device' ? decodeClientFrame(fromHex(hex)) : decodeServerFrame(fromHex(hex))
      expect(read, name).toEqual(fromJson(message as JsonValue))
    }
    // Every kind of message has its frame here: a new one is added with its own.
    const kinds = new Set(frames.map(({ message }) => (message as { type: string }).type))
    expect([...kinds].sort()).toEqual([
      'call',
      'entries',
      'hello',
      'locate',
      'located',
      'page',
      'ping',
      'pong',
      'propose',
      'proposed',
      'pull',
      'push',
      'pushed',
      'refused',
      'reply',
      'welcome',
    ])
  })

  it('[VV1] vectors read back', () => {
    const { vectors } = load<{ vectors: { entries: [string, number][]; hex: string }[] }>('clock.json')
    for (const { entries, hex } of vectors) {
      expect(Object.fromEntries(decodeVector(fromHex(hex)))).toEqual(Object.fromEntries(entries))
    }
  })

  it('[SYNC7] tips read back', () => {
    const { tips } = load<{ tips: { entries: [string, number, string][]; hex: string }[] }>('clock.json')
    for (const { entries, hex } of tips) {
      const read = [...decodeTips(fromHex(hex))].map(([branch, { seq, mark }]) => [branch, seq, toHex(mark)])
      const expected = entries.map(([branch, seq, tag]) => [branch, seq, tag.slice(0, 16)])
      expect(Object.fromEntries(read.map((entry) => [entry[0], entry]))).toEqual(
        Object.fromEntries(expected.map((entry) => [entry[0], entry])),
      )
    }
  })

  it('[ENV1] headers read back, by another implementation too', () => {
    const { headers } = load<{ headers: (second.HeaderJson & { name: string; hex: string })[] }>('headers.json')
    for (const { name, hex, ...described } of headers) {
      expect(second.readHeader(fromHex(hex)), name).toEqual(described)
      const batch = assembleBatch(fromHex(hex), new Uint8Array(0), new Uint8Array(64))
      expect(describeHeader(batch.header), name).toEqual(described)
    }
  })

  it('[BR1] branches are called what they are, in whatever order their batches came', async () => {
    const { batches } = load<{ batches: TreeBatch[] }>('trees.json')
    // By another implementation: of each batch that parts from another one.
    for (const { device, fromSeq, tagBefore, firstTag, branch } of batches) {
      const isHere = (other: TreeBatch): boolean =>
        other.device === device && other.fromSeq === fromSeq && other.tagBefore === tagBefore
      if (batches.filter(isHere).length === 1) continue
      expect(second.branchOf(device, fromSeq - 1, fromHex(tagBefore), fromHex(firstTag))).toBe(branch)
    }
    const branchAt = new Map(batches.map(({ tagAfter, branch }) => [tagAfter, branch] as const))
    const planted = plantTree()
    for (const order of [planted, planted.toReversed()]) {
      const store = memoryStore()
      // Those that came before what they go on from are gaps or forks, and come again.
      for (const _ of planted) await store.append(SPACE, order)
      const held = (await store.readAfter(SPACE, startCursor, { batches: 100, bytes: 1_000_000 })).batches
      expect(held).toHaveLength(batches.length)
      for (const { batch, branch } of held) expect(branch).toBe(branchAt.get(toHex(batch.header.tagAfter)))
    }
  })

  it('[OP3] runs read back', () => {
    const { runs } = load<{ runs: { name: string; device: DeviceId; hex: string }[] }>('runs.json')
    for (const { name, device, hex, ...described } of runs) {
      expect(describeRun(decodeRun(fromHex(hex), device, 1_000)), name).toEqual(described)
    }
  })

  it('[OP8 OP3 ENV3] certificates, chain and tags by another library', () => {
    const vectors = load<CryptoVectors>('crypto.json')
    const [seed, installationSeed, certificate, run] = (
      ['seed', 'installationSeed', 'certificate', 'run'] as const
    ).map((name) => fromHex(vectors[name]))
    const publicKey = second.publicKeyOf(seed)
    expect(toHex(publicKey)).toBe(vectors.publicKey)
    expect(toHex(second.publicKeyOf(installationSeed))).toBe(vectors.installationKey)
    expect(toHex(second.makeCertificate(vectors.space, publicKey, installationSeed))).toBe(vectors.certificate)
    const replaced = second.deviceBytes(vectors.replacedDevice)
    expect(toHex(second.makeCertificate(vectors.space, publicKey, installationSeed, replaced))).toBe(
      vectors.certificateThatReplaces,
    )
    const start = second.chainStart(vectors.space, certificate)
    expect(toHex(start)).toBe(vectors.chainStart)
    const shifted = second.chainStart(vectors.space, certificate, fromHex(vectors.shifts))
    expect(toHex(shifted)).toBe(vectors.chainStartWithShifts)
    const next = second.chainNext(start, run, vectors.references.map(fromHex))
    expect(toHex(next)).toBe(vectors.chainNext)
    const key = second.tagKey(new Uint8Array(32), vectors.space, vectors.tagDevice)
    expect(toHex(key)).toBe(vectors.tagKey)
    expect(toHex(second.tagOf(next, key))).toBe(vectors.tag)
    for (const { device, base, tagBefore, firstTag, branch } of vectors.branches) {
      expect(second.branchOf(device, base, fromHex(tagBefore), fromHex(firstTag))).toBe(branch)
    }
  })

  it('[ENV1 LOG2 CELL7] the history: signatures and the digest by another library, the state in any order of devices', () => {
    const { space, batches, projected, voidOps, rows, digest } = load<History>('history.json')
    const keys = new Map<string, Uint8Array>()
    const ends = new Map<string, string>()
    for (const { hex, device, fromSeq, toSeq, chainAfter, tagAfter } of batches) {
      const bytes = fromHex(hex)
      const { certificate, flags } = decodeBatch(bytes).header
      // Not compressed: the bytes of a deflate stream are not part of the format.
      expect(flags).toBe(0)
      if (certificate !== undefined) keys.set(device, certificate.subarray(0, 32))
      expect(second.fingerprint(keys.get(device)!)).toBe(device)
      const { header, body } = second.checkBatch(bytes, keys.get(device)!)
      const read = second.readHeader(header)
      expect(read).toMatchObject({ device, fromSeq, toSeq, tagAfter, innerEnds: [], shifts: [] })
      // Each goes on from where the one before it of its device ended.
      expect(read.tagBefore).toBe(ends.get(`${device} ${fromSeq - 1}`) ?? read.tagBefore)
      expect(fromSeq === 1 || ends.has(`${device} ${fromSeq - 1}`)).toBe(true)
      ends.set(`${device} ${toSeq}`, tagAfter)
      expect(second.runsOf(body)).toHaveLength(1)
      const changed = bytes.slice()
      changed[bytes.length - 70] ^= 1
      expect(() => second.checkBatch(changed, keys.get(device)!)).toThrow()
      expect(toHex(second.tagOf(fromHex(chainAfter), second.tagKey(new Uint8Array(32), space, device)))).toBe(tagAfter)
    }
    const withBytes = rows.map((row) => ({
      ...row,
      registers: row.registers.map(({ path, writes }) => ({
        path,
        writes: writes.map(({ dot, value }) => ({ dot, hex: encodeJson(value) })),
      })),
    }))
    expect(toHex(second.digestOf(withBytes))).toBe(digest)
    const devices = [...new Set(batches.map(({ device }) => device))]
    for (const [index, order] of [
      devices,
      devices.toReversed(),
      [...devices.slice(2), ...devices.slice(0, 2)],
    ].entries()) {
      const reader = createReplica(20 + index)
      for (const device of order) {
        for (const batch of batches) if (batch.device === device) reader.receive(fromHex(batch.hex))
      }
      expect(reader.digest()).toBe(digest)
      expect(reader.projector.voidCount).toBe(voidOps)
      expect(Object.fromEntries(reader.projector.projected)).toEqual(Object.fromEntries(projected))
    }
  })

  it('[CELL] the laws: the digest by another library, the state in any order of devices', () => {
    const { batches, projected, voidOps, rows, digest } = load<Laws>('laws.json')
    // Deflate is not one stream of bytes: a vector must not depend on which.
    expect(batches.map(({ hex }) => decodeBatch(fromHex(hex)).header.flags)).toEqual(batches.map(() => 0))
    expect(toHex(second.digestOf(rows))).toBe(digest)
    // Every law but those of history.json has left something.
    expect(new Set(rows.flatMap(({ composed = [] }) => composed.map(({ law }) => law)))).toEqual(
      new Set([Law.add, Law.put, Law.item]),
    )
    expect(rows.some(({ erased = [] }) => erased.length > 0)).toBe(true)
    expect(rows.some(({ grown = [] }) => grown.length > 0)).toBe(true)
    expect(rows.some(({ registers }) => registers.some(({ writes }) => writes.some((write) => write.isReopened)))).toBe(
      true,
    )
    const devices = [...new Set(batches.map(({ device }) => device))]
    for (const order of [devices, devices.toReversed(), [...devices.slice(1), devices[0]]]) {
      const reader = createReplica(20)
      for (const device of order) {
        for (const batch of batches) if (batch.device === device) reader.receive(fromHex(batch.hex))
      }
      expect(reader.digest()).toBe(digest)
      expect(reader.projector.voidCount).toBe(voidOps)
      expect(Object.fromEntries(reader.projector.projected)).toEqual(Object.fromEntries(projected))
    }
  })

  it('[ENV1] a compressed batch opens to its run: the stream is any deflate, its bytes are not fixed', () => {
    const name = 'compressed-batch.json'
    if (isWriting && !existsSync(pathOf(name))) writeFileSync(pathOf(name), format(makeCompressed()))
    const { batch, device, run } = load<{ batch: string; device: DeviceId; run: string }>(name)
    const decoded = decodeBatch(fromHex(batch))
    expect(decoded.header.flags).toBe(1)
    expect(decoded.header.device).toBe(device)
    expect(openBatch(decoded, Keyring.unencrypted(SPACE)).map(({ bytes }) => toHex(bytes))).toEqual([run])
  })

  it('[ENV1 ENV3] encrypted batches open to their runs, and their tags are keyed by the epochs of writing', () => {
    const name = 'encrypted-batches.json'
    if (isWriting && !existsSync(pathOf(name))) writeFileSync(pathOf(name), format(makeEncrypted()))
    const { space, keys, batches, digest } = load<EncryptedVectors>(name)
    const keyring = Keyring.encrypted(
      space,
      new Map(Object.entries(keys).map(([epoch, key]) => [Number(epoch), fromHex(key)])),
    )
    const reader = createReplica(2, space, undefined, keyring)
    for (const { hex, run } of batches) {
      const batch = decodeBatch(fromHex(hex))
      expect(openBatch(batch, keyring).map(({ bytes }) => toHex(bytes))).toEqual([run])
      reader.receive(fromHex(hex))
      const epochKey = fromHex(keys[batch.header.keyEpoch])
      const bodyKey = secondCipher.deriveKey(epochKey, 'driftlog/batch', new TextEncoder().encode(space))
      const plain = secondCipher.decrypt(batch.body, batch.headerBytes, bodyKey)
      expect(plain.length).toBe(secondCipher.padded(plain.length))
      expect(second.runsOf(secondCipher.unpad(plain)).map(toHex)).toEqual([run])
    }
    expect(reader.digest()).toBe(digest)
  })
})

describe('the log of members', () => {
  const { space, installations, invitations, spaceCode, entries, members, passes } = load<MemberVectors>('members.json')

  it('[MEM1 MEM4] entries are bound, signed and let in as a second implementation has it', () => {
    let log = secondMembers.EMPTY
    for (const [index, { deed, hash, hex }] of entries.entries()) {
      const taken = secondMembers.take(log, space, index + 1, fromHex(hex))
      expect([taken.deed, toHex(taken.log.head)]).toEqual([deed, hash])
      expect(() => secondMembers.take(taken.log, space, index + 2, fromHex(hex))).toThrow()
      const bent = fromHex(hex)
      bent[bent.length - 1] ^= 1
      expect(() => secondMembers.take(log, space, index + 1, bent)).toThrow()
      log = taken.log
    }
    expect([...log.roles]).toEqual(members.flatMap(({ id, role }) => (role === undefined ? [] : [[id, role]])))
  })

  it('[MEM3] the keys of all epochs open for who is in at the end, and for nobody else', () => {
    let log = secondMembers.EMPTY
    for (const [index, { hex }] of entries.entries()) log = secondMembers.take(log, space, index + 1, fromHex(hex)).log
    const all = [
      ...installations.map((one) => ({ ...one, keys: secondMembers.keysOf(fromHex(one.secret), 'installation') })),
      ...invitations.map((one) => ({ ...one, keys: secondMembers.keysOf(fromHex(one.secret), 'invitation') })),
    ]
    for (const { key, sealingKey, keys, epochKeys } of all) {
      expect([toHex(keys.key), toHex(keys.sealingKey)]).toEqual([key, sealingKey])
      expect(log.boxes.has(key) ? secondMembers.openKeys(log, space, keys) : []).toEqual(epochKeys)
    }
    expect(all.filter(({ epochKeys }) => epochKeys.length > 0)).toHaveLength(3)
  })

  it('[MEM4 MEM8] codes and passes', () => {
    const genesis = fromHex(entries[0].hash)
    expect(toHex(secondMembers.codeBytes(spaceCode, 'dls1-'))).toBe(toHex(genesis))
    for (const { secret, invitationCode } of invitations)
      expect(toHex(secondMembers.codeBytes(invitationCode, 'dlv1-'))).toBe(`${toHex(genesis)}${secret}`)
    for (const { secret, installationKey, installationCode: code, key, sealingKey } of installations) {
      expect(toHex(secondMembers.codeBytes(installationKey, 'dli1-'))).toBe(secret)
      expect(toHex(secondMembers.codeBytes(code, 'dlp1-'))).toBe(`${key}${sealingKey}`)
    }
    for (const { hex, key, expiresMs } of passes)
      expect(secondMembers.readPass(fromHex(hex))).toEqual({ space, key, expiresMs })
  })

  it('[MEM1] a whole log is taken in by a fresh replica', () => {
    const membership = new Membership(space)
    for (const { hex } of entries) membership.append(fromHex(hex))
    expect(toHex(membership.head)).toBe(entries.at(-1)!.hash)
  })
})

describe('what is at rest', () => {
  const passphrase = 'correct horse'

  it('[KEY2 KEY4] a vault, and the keys of a replica', async () => {
    const name = 'keys.json'
    if (isWriting && !existsSync(pathOf(name))) writeFileSync(pathOf(name), format(await makeKeys(passphrase)))
    const { space, key, vault, replica } = load<KeyVectors>(name)
    const accountKey = secondCipher.openVaultRecord(fromHex(vault.wraps), passphrase)
    const recordsKey = secondCipher.deriveKey(accountKey, 'driftlog/vault/records', new Uint8Array(0))
    expect(toHex(secondCipher.openRecord(fromHex(vault.space), 'driftlog-vault', `space/${space}`, recordsKey))).toBe(
      key,
    )
    const localKey = secondCipher.deriveKey(fromHex(key), 'driftlog/local', new TextEncoder().encode(space))
    expect(toHex(secondCipher.openRecord(fromHex(replica), space, 'keys', localKey))).toBe(`0101${key}`)
    // And they open as they always did.
    const store = memoryStore()
    const records = [
      { key: 'wraps', value: fromHex(vault.wraps) },
      { key: `space/${space}`, value: fromHex(vault.space) },
    ]
    await store.append('driftlog-vault', [], { records })
    await store.append(space, [], { records: [{ key: 'keys', value: fromHex(replica) }] })
    const opened = await openReplica({
      schema: backupSchema,
      space,
      key: await unlockVault({ store, passphrase }),
      store,
    })
    await opened.close()
  })

  it('[BACK1] a backup', async () => {
    const name = 'backup.json'
    if (isWriting && !existsSync(pathOf(name))) writeFileSync(pathOf(name), format(await makeBackup(passphrase)))
    const { file, space, keys, batches } = load<BackupVectors>(name)
    const opened = secondCipher.openBackup(fromHex(file), passphrase)
    expect({ ...opened, batches: opened.batches.map(toHex) }).toEqual({ space, keys, batches })
    expect(await restoreBackup(fromHex(file), { store: memoryStore(), passphrase })).toMatchObject({ space })
    expect(() => secondCipher.openBackup(fromHex(file), 'wrong')).toThrow()
  })
})

type MemberVectors = ReturnType<typeof makeMembers>

interface KeyVectors {
  readonly space: string
  readonly key: string
  readonly vault: { readonly wraps: string; readonly space: string }
  readonly replica: string
}

interface BackupVectors {
  readonly file: string
  readonly space: string
  readonly keys: readonly string[]
  readonly batches: readonly string[]
}

const backupSchema = defineSchema({ version: 1, tables: { notes: table({ text: f.string() }) } })

const makeKeys = async (passphrase: string): Promise<KeyVectors> => {
  const store = memoryStore()
  const { vault } = await createVault({ store, passphrase })
  await vault.createSpace(SPACE)
  await (await openReplica({ schema: backupSchema, space: SPACE, key: vault, store })).close()
  const valueOf = async (space: string, key: string): Promise<string> =>
    toHex((await store.records(space, key)).find((record) => record.key === key)!.value)
  return {
    space: SPACE,
    key: toHex(await vault.keyOf(SPACE)),
    vault: {
      wraps: await valueOf('driftlog-vault', 'wraps'),
      space: await valueOf('driftlog-vault', `space/${SPACE}`),
    },
    replica: await valueOf(SPACE, 'keys'),
  }
}

const makeBackup = async (passphrase: string): Promise<BackupVectors> => {
  const key = newSpaceKey({ bytes: (length) => new Uint8Array(length).fill(3) })
  const replica = await openReplica({ schema: backupSchema, space: SPACE, key, store: memoryStore() })
  for (const text of ['one', 'two']) await replica.mutate((tx) => tx.notes.insert({ text })).stored
  const file = await replica.backup({ passphrase })
  const batches = (await replica.export()).map(toHex)
  await replica.close()
  return { file: toHex(file), space: SPACE, keys: [`1 ${'03'.repeat(32)}`], batches }
}

interface EncryptedVectors {
  readonly space: string
  readonly keys: Readonly<Record<string, string>>
  readonly batches: readonly { readonly hex: string; readonly run: string }[]
  readonly digest: string
}

const makeEncrypted = (): EncryptedVectors => {
  const keys = { 1: new Uint8Array(32).fill(1), 2: new Uint8Array(32).fill(2) }
  const keyring = Keyring.encrypted(SPACE, new Map([[1, keys[1]]]))
  const author = createReplica(1, SPACE, undefined, keyring)
  const batches: { hex: string; run: string }[] = []
  for (const row of ['first', 'second', 'third']) {
    if (row === 'third') keyring.add(2, keys[2])
    author.write(5, author.change(shapes.insert, row), author.change(shapes.title, row, `the ${row} title`))
    const [hex] = author.seal().map(toHex)
    const [run] = openBatch(decodeBatch(fromHex(hex)), keyring)
    batches.push({ hex, run: toHex(run.bytes) })
  }
  return { space: SPACE, keys: { 1: toHex(keys[1]), 2: toHex(keys[2]) }, batches, digest: author.digest() }
}

const encodeJson = (value: JsonValue): string => {
  const found = load<Values>('values.json').values.find(
    (candidate) => JSON.stringify(candidate.value) === JSON.stringify(value),
  )
  if (found !== undefined) return found.hex
  // Short text and what is in values.json is all that the history holds.
  const bytes = new TextEncoder().encode(value as string)
  return bytes.length < 128 && bytes.every((byte) => byte < 128)
    ? toHex(Uint8Array.of(128 + bytes.length, ...bytes))
    : toHex(second.join(Uint8Array.of(6), second.prefixed(bytes)))
}

const makeCompressed = () => {
  const identity = identityOf(1)
  const changes = Array.from({ length: 12 }, (_, index) => ({
    shape: shapes.title,
    row: { id: `row ${index}` },
    value: 'a title',
  }))
  const run = encodeRun(forgeRun(identity.device, 1, [{ hlc: 5, changes }]))
  const part = {
    ...identity,
    fromSeq: 1,
    toSeq: 1,
    maxHlc: 5,
    tagBefore: new Uint8Array(16),
    tagAfter: new Uint8Array(16),
  }
  return {
    device: identity.device,
    run: toHex(run),
    batch: toHex(sealBatch(part, [run], plainKeys(identity.keys)).bytes),
  }
}

describe('primitives, against a second library', () => {
  const bytes = fc.uint8Array({ maxLength: 300 })
  const key = fc.uint8Array({ minLength: 16, maxLength: 64 })

  it('BLAKE2b of any length, keyed and not', () => {
    fc.assert(
      fc.property(bytes, fc.integer({ min: 16, max: 64 }), key, (message, dkLen, secret) => {
        expect(toHex(hash(message, dkLen))).toBe(toHex(blake2b(message, { dkLen })))
        expect(toHex(hash(message, dkLen, secret))).toBe(toHex(blake2b(message, { dkLen, key: secret })))
      }),
    )
  })

  const secret = fc.uint8Array({ minLength: 32, maxLength: 32 })

  it('[ENV1] committing encryption: each opens what the other sealed, and no other bytes', () => {
    fc.assert(
      fc.property(bytes, bytes, secret, fc.nat(), (plain, associated, secretKey, flip) => {
        const sealed = encrypt(plain, associated, secretKey, seededRandom(flip))
        expect(toHex(secondCipher.decrypt(sealed, associated, secretKey))).toBe(toHex(plain))
        const again = secondCipher.encrypt(plain, associated, secretKey, sealed.slice(0, 24))
        expect(toHex(again)).toBe(toHex(sealed))
        const bent = sealed.slice()
        bent[flip % bent.length] ^= 1 << (flip % 8)
        expect(typeof decrypt(bent, associated, secretKey)).toBe('string')
        expect(() => secondCipher.decrypt(bent, associated, secretKey)).toThrow()
      }),
    )
  })

  it('derived keys, padding, and what a passphrase becomes', () => {
    fc.assert(
      fc.property(secret, bytes, fc.nat(2_000_000), (secretKey, context, length) => {
        expect(toHex(deriveKey(secretKey, 'purpose', context))).toBe(
          toHex(secondCipher.deriveKey(secretKey, 'purpose', context)),
        )
        expect(padded(length)).toBe(secondCipher.padded(length))
      }),
    )
    const salt = new Uint8Array(16).fill(3)
    const passphrase = new TextEncoder().encode('correct horse')
    const cost = { passes: 2, memoryBytes: 256 * 1024 }
    expect(toHex(argon2id(passphrase, salt, cost))).toBe(
      toHex(secondArgon2id(passphrase, salt, { t: cost.passes, m: 256, p: 1, dkLen: 32 })),
    )
  })

  it('Ed25519: the same keys, the same signatures, each accepted by the other', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), bytes, fc.nat(511), (seed, message, flip) => {
        const keys = signingKeysFromSeed(seed)
        expect(toHex(keys.publicKey)).toBe(toHex(ed25519.getPublicKey(seed)))
        const signature = sign(message, keys)
        expect(toHex(signature)).toBe(toHex(ed25519.sign(message, seed)))
        expect(verify(signature, message, keys.publicKey)).toBe(true)
        const changed = signature.slice()
        changed[flip >> 3] ^= 1 << (flip & 7)
        expect(verify(changed, message, keys.publicKey)).toBe(false)
      }),
      { numRuns: 30 },
    )
  })

  it('Ed25519: a signature whose S is not reduced, and a key of small order, are refused', () => {
    const seed = new Uint8Array(32).fill(3)
    const keys = signingKeysFromSeed(seed)
    const message = Uint8Array.of(1, 2, 3)
    const signature = sign(message, keys)
    const order = 2n ** 252n + 27742317777372353535851937790883648493n
    let scalar = BigInt(`0x${toHex(signature.slice(32).reverse())}`) + order
    const malleated = signature.slice()
    for (let at = 32; at < 64; at++, scalar >>= 8n) malleated[at] = Number(scalar & 255n)
    expect(verify(malleated, message, keys.publicKey)).toBe(false)
    expect(ed25519.verify(malleated, message, keys.publicKey, { zip215: false })).toBe(false)
    const smallOrder = Uint8Array.of(1, ...new Uint8Array(31))
    expect(
      verify(
        new Uint8Array(64).fill(0, 32).map((_, at) => (at === 0 ? 1 : 0)),
        message,
        smallOrder,
      ),
    ).toBe(false)
  })
})
