import {
  type BatchStore,
  ByteReader,
  ByteWriter,
  DriftlogError,
  memoryMedium,
  memoryStore,
  systemPorts,
} from '@driftlog/core'
import { expect, it } from 'vitest'
import { withChecksum } from './checked.ts'
import { newInstallationKey, writeInstallationKey } from './installation-key.ts'
import { newSpaceKey, readSpaceKey, type SpaceKey } from './space-key.ts'
import { createVault, hasVault, unlockVault } from './vault.ts'

const none = new Uint8Array(0)
/** What somebody who writes JavaScript may pass. */
const noText = [undefined, null, 0, 1234, true, none, {}, ['p']] as unknown as string[]

const codeOf = async (run: () => unknown): Promise<string> => {
  try {
    await run()
    return 'ok'
  } catch (error) {
    if (error instanceof DriftlogError) return error.code
    throw error
  }
}

const bytesAtRest = async (store: BatchStore): Promise<Buffer> =>
  Buffer.concat((await store.records('driftlog-vault', '')).map(({ value }) => Buffer.from(value)))

it('[KEY1] a key as text: there and back, and no slip goes unnoticed', () => {
  const key = newSpaceKey()
  expect(readSpaceKey(key)).toHaveLength(32)
  expect(newSpaceKey()).not.toBe(key)
  for (let at = 0; at < key.length; at++) {
    const slip = `${key.slice(0, at)}${key[at] === 'A' ? 'B' : 'A'}${key.slice(at + 1)}`
    expect(() => readSpaceKey(slip)).toThrowError(expect.objectContaining({ code: 'OPTION_INVALID' }))
    expect(() => readSpaceKey(key.slice(0, at))).toThrowError(expect.objectContaining({ code: 'OPTION_INVALID' }))
  }
  // What is secret is in no message.
  try {
    readSpaceKey(`${key}A`)
  } catch (error) {
    expect(String(error)).not.toContain(key.slice(5, 20))
  }
})

it('[KEY2] passphrase and recovery code open the same vault; anything else is KEY_WRONG', async () => {
  const store = memoryStore()
  expect(await hasVault(store)).toBe(false)
  expect(await codeOf(() => unlockVault({ store, passphrase: 'x' }))).toBe('KEY_MISSING')
  expect(await codeOf(() => createVault({ store, passphrase: '' }))).toBe('OPTION_INVALID')
  const { vault, recoveryCode } = await createVault({ store, passphrase: 'correct horse' })
  expect(await codeOf(() => createVault({ store, passphrase: 'again' }))).toBe('OPTION_INVALID')
  const key = await vault.createSpace('home')
  expect(await codeOf(() => vault.createSpace('home'))).toBe('OPTION_INVALID')
  for (const secret of [
    { passphrase: 'correct horse' },
    { recoveryCode },
    { recoveryCode: recoveryCode.toLowerCase().replaceAll('-', '  ').replaceAll('0', 'o').replaceAll('1', 'l') },
  ]) {
    const opened = await unlockVault({ store, ...secret })
    expect(await opened.spaceKey('home')).toBe(key)
    expect(await opened.spaces()).toEqual(['home'])
  }
  for (const secret of [
    { passphrase: 'correct hors' },
    { passphrase: '' },
    { recoveryCode: recoveryCode.replace(/^./, (first) => (first === 'A' ? 'B' : 'A')) },
    { recoveryCode: 'short' },
    { recoveryCode: `${recoveryCode}00` },
  ]) {
    expect(await codeOf(() => unlockVault({ store, ...secret }))).toBe('KEY_WRONG')
  }
  const composed = await createVault({ store: memoryStore(), passphrase: 'é' })
  expect(composed.recoveryCode).not.toBe(recoveryCode)
})

it('[KEY2] a new passphrase, or recovery code, makes a new wrap and leaves the other and the keys', async () => {
  const store = memoryStore()
  const { vault, recoveryCode } = await createVault({ store, passphrase: 'e\u0301clair' })
  const key = await vault.createSpace('home')
  const before = await store.records('driftlog-vault', 'space/')
  await vault.changePassphrase('another one')
  expect(await store.records('driftlog-vault', 'space/')).toEqual(before)
  // Two ways to write one letter, of which the old passphrase had one.
  expect(await codeOf(() => unlockVault({ store, passphrase: '\u00e9clair' }))).toBe('KEY_WRONG')
  expect(await (await unlockVault({ store, passphrase: 'another one' })).spaceKey('home')).toBe(key)
  expect(await (await unlockVault({ store, recoveryCode })).spaceKey('home')).toBe(key)
  const renewed = await vault.renewRecoveryCode()
  expect(await codeOf(() => unlockVault({ store, recoveryCode }))).toBe('KEY_WRONG')
  expect(await (await unlockVault({ store, recoveryCode: renewed })).spaceKey('home')).toBe(key)
  expect(await codeOf(() => vault.changePassphrase(''))).toBe('OPTION_INVALID')
})

it('[KEY8] of two windows that make a vault at once one does, and its account key is the one that counts', async () => {
  const medium = memoryMedium()
  const made = await Promise.allSettled(
    ['one', 'two', 'three'].map((passphrase) => createVault({ store: memoryStore(medium), passphrase })),
  )
  const won = made.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []))
  const lost = made.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []))
  expect(won).toHaveLength(1)
  for (const reason of lost) expect(reason).toMatchObject({ code: 'OPTION_INVALID' })
  const key = await won[0].vault.createSpace('home')
  const opened = await unlockVault({ store: memoryStore(medium), recoveryCode: won[0].recoveryCode })
  expect(await opened.spaceKey('home')).toBe(key)
})

it('[KEY8] nor do two changes at once undo each other', async () => {
  const medium = memoryMedium()
  const { vault } = await createVault({ store: memoryStore(medium), passphrase: 'first' })
  const other = await unlockVault({ store: memoryStore(medium), passphrase: 'first' })
  const [, recoveryCode] = await Promise.all([vault.changePassphrase('second'), other.renewRecoveryCode()])
  for (const secret of [{ passphrase: 'second' }, { recoveryCode }])
    expect(await codeOf(() => unlockVault({ store: memoryStore(medium), ...secret }))).toBe('ok')
  const keys = await Promise.allSettled([vault.createSpace('home'), other.createSpace('home')])
  expect(keys.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
})

it('[KEY8] where somebody rotated it meanwhile, the one of before changes nothing any more', async () => {
  const store = memoryStore()
  const { vault } = await createVault({ store, passphrase: 'first' })
  const { recoveryCode } = await (await unlockVault({ store, passphrase: 'first' })).rotate('second')
  const before = await store.records('driftlog-vault', '')
  for (const change of [
    () => vault.changePassphrase('third'),
    () => vault.renewRecoveryCode(),
    () => vault.rotate('third'),
    () => vault.createSpace('home'),
    () => vault.addSpace('home', newSpaceKey()),
  ])
    expect(await codeOf(change)).toBe('KEY_WRONG')
  expect(await store.records('driftlog-vault', '')).toEqual(before)
  for (const secret of [{ passphrase: 'second' }, { recoveryCode }])
    expect(await codeOf(() => unlockVault({ store, ...secret }))).toBe('ok')
})

it('[KEY2] nothing at rest is a key, or a passphrase', async () => {
  const store = memoryStore()
  const { vault, recoveryCode } = await createVault({ store, passphrase: 'correct horse' })
  const key = await vault.createSpace('home')
  const bytes = await bytesAtRest(store)
  for (const secret of [Buffer.from('correct horse'), Buffer.from(recoveryCode), Buffer.from(readSpaceKey(key))])
    expect(bytes.includes(secret)).toBe(false)
})

it('[KEY3] damage is told from a wrong passphrase, wherever it is', async () => {
  const store = memoryStore()
  const { vault } = await createVault({ store, passphrase: 'correct horse' })
  await vault.createSpace('home')
  const [space, wraps] = await store.records('driftlog-vault', '')
  for (let at = 0; at < wraps.value.length; at += 5) {
    const damaged = memoryStore()
    const value = wraps.value.slice()
    value[at] ^= 4
    await damaged.append('driftlog-vault', [], { records: [{ key: wraps.key, value }] })
    expect(await codeOf(() => unlockVault({ store: damaged, passphrase: 'correct horse' }))).toBe('KEYS_DAMAGED')
  }
  const value = space.value.slice()
  value[40] ^= 1
  await store.append('driftlog-vault', [], { records: [{ key: space.key, value }] })
  expect(await codeOf(() => vault.spaceKey('home'))).toBe('KEYS_DAMAGED')
})

it('[KEY3] a forged record is damage too: a cost that nobody would pay, or that is none, or fields that end early', async () => {
  const store = memoryStore()
  await createVault({ store, passphrase: 'p' })
  const [wraps] = await store.records('driftlog-vault', 'wraps')
  const rest = wraps.value.subarray(4)
  const reader = new ByteReader(rest)
  for (let field = 0; field < 3; field++) reader.varint()
  const withCost = (passes: number, memoryBytes: number): Uint8Array =>
    new ByteWriter().varint(1).varint(passes).varint(memoryBytes).raw(rest.subarray(reader.position)).finish()
  const forged = [
    withCost(0, 8192),
    withCost(17, 8192),
    withCost(1, 8191),
    withCost(1, 512 * 1024 * 1024 + 1),
    rest.subarray(0, rest.length - 1),
    rest.subarray(0, 3),
    none,
  ]
  for (const bytes of forged) {
    await store.append('driftlog-vault', [], { records: [{ key: wraps.key, value: withChecksum(bytes) }] })
    expect(await codeOf(() => hasVault(store))).toBe('KEYS_DAMAGED')
  }
  await store.append('driftlog-vault', [], { records: [{ key: wraps.key, value: withChecksum(withCost(1, 8192)) }] })
  expect(await codeOf(() => unlockVault({ store, passphrase: 'p' }))).toBe('KEY_WRONG')
})

it('[KEY2] what is no text is no passphrase, recovery code or key', async () => {
  const store = memoryStore()
  for (const passphrase of noText) expect(await codeOf(() => createVault({ store, passphrase }))).toBe('OPTION_INVALID')
  expect(await hasVault(store)).toBe(false)
  const { vault } = await createVault({ store, passphrase: 'p' })
  const before = await store.records('driftlog-vault', '')
  for (const secret of noText) {
    for (const misuse of [
      () => unlockVault({ store, passphrase: secret }),
      () => unlockVault({ store, recoveryCode: secret }),
      () => vault.changePassphrase(secret),
      () => vault.rotate(secret),
      () => vault.addSpace('home', secret as SpaceKey),
    ])
      expect(await codeOf(misuse)).toBe('OPTION_INVALID')
  }
  expect(await codeOf(() => unlockVault({ store } as { store: BatchStore; passphrase: string }))).toBe('OPTION_INVALID')
  expect(await store.records('driftlog-vault', '')).toEqual(before)
})

it('keys that others shared are kept; one space has one key', async () => {
  const store = memoryStore()
  const { vault } = await createVault({ store, passphrase: 'p', random: systemPorts.random })
  const key = newSpaceKey()
  await vault.addSpace('club', key)
  await vault.addSpace('club', key)
  expect(await vault.spaceKey('club')).toBe(key)
  expect(await codeOf(() => vault.addSpace('club', newSpaceKey()))).toBe('OPTION_INVALID')
  expect(await codeOf(() => vault.addSpace('other', 'dlk1-nonsense' as SpaceKey))).toBe('OPTION_INVALID')
  expect(await codeOf(() => vault.spaceKey('other'))).toBe('KEY_MISSING')
})

it('a vault keeps the key of a space, or of an installation in it, and tells which', async () => {
  const { vault } = await createVault({ store: memoryStore(), passphrase: 'correct horse' })
  const [shared, own] = [newSpaceKey(), newInstallationKey()]
  await vault.addSpace('home', shared)
  await vault.addSpace('team', own)
  await vault.addSpace('team', own)
  expect(await Promise.all(['home', 'team', 'none'].map((space) => vault.keyFor(space)))).toEqual([
    shared,
    own,
    undefined,
  ])
  expect([await vault.spaceKey('home'), await vault.installationKey('team')]).toEqual([shared, own])
  expect(await codeOf(() => vault.addSpace('team', newInstallationKey()))).toBe('OPTION_INVALID')
  // The same bytes are not the same key.
  expect(await codeOf(() => vault.addSpace('home', writeInstallationKey(readSpaceKey(shared))))).toBe('OPTION_INVALID')
  expect(await codeOf(() => vault.spaceKey('team'))).toBe('KEY_MISSING')
})

it('[KEY2] rotated, everything is encrypted anew in one step; what opened it before opens an old copy and no more', async () => {
  const store = memoryStore()
  const { vault, recoveryCode } = await createVault({ store, passphrase: 'first' })
  const [home, club] = [await vault.createSpace('home'), await vault.createSpace('club')]
  const before = await store.records('driftlog-vault', '')
  const rotated = await vault.rotate('second')
  const after = await store.records('driftlog-vault', '')
  expect(after.map(({ key }) => key)).toEqual(before.map(({ key }) => key))
  for (const [index, { value }] of after.entries()) expect(value).not.toEqual(before[index].value)
  for (const secret of [{ passphrase: 'first' }, { recoveryCode }])
    expect(await codeOf(() => unlockVault({ store, ...secret }))).toBe('KEY_WRONG')
  for (const secret of [{ passphrase: 'second' }, { recoveryCode: rotated.recoveryCode }]) {
    const opened = await unlockVault({ store, ...secret })
    expect([await opened.spaceKey('home'), await opened.spaceKey('club')]).toEqual([home, club])
  }
  expect(await rotated.vault.spaceKey('home')).toBe(home)
  // The account key of before opens nothing of now.
  expect(await codeOf(() => vault.spaceKey('home'))).toBe('KEY_WRONG')
  expect(await codeOf(() => vault.rotate('third'))).toBe('KEY_WRONG')
  await rotated.vault.removeSpace('club')
  expect(await rotated.vault.spaces()).toEqual(['home'])
  expect(await codeOf(() => rotated.vault.spaceKey('club'))).toBe('KEY_MISSING')
})
