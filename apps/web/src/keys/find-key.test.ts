import {
  createVault,
  hasMembers,
  type InvitationCode,
  isInstallationKey,
  newSpaceKey,
  openReplica,
  type Transport,
  unlockVault,
  type Vault,
} from '@driftlog/client'
import { type BatchStore, memoryStore } from '@driftlog/core'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { schema } from '../data/schema.ts'
import { type Door, findKey, type Questions } from './find-key.ts'
import { KeyKeeper } from './key-keeper.ts'
import { forgetKey, keepInvitation, keepKey, keptInvitation, keptKey } from './kept-key.ts'
import type { Sight } from './look.ts'

const space = 'home'
const [own, other] = [newSpaceKey(), newSpaceKey()]
const nothing: Sight = { isBegun: false, isPlain: false, isWhole: true, refusal: undefined, unsent: 0, sample: [] }
const unseen: Sight = { ...nothing, isWhole: false }
const invitation: InvitationCode =
  'dlv1-hoE0DAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI'
/** Nobody answers. */
const transport: Transport = {
  mode: 'live',
  connect: (_space, { closed }) => {
    queueMicrotask(() => closed())
    return { send: () => {}, close: () => {} }
  },
}
let store: BatchStore
let asked: string[] = []
/** As the browser's locks: one after the other. Not every Node has them. */
beforeAll(() => {
  let last: Promise<unknown> = Promise.resolve()
  const request = (_name: string, run: () => Promise<unknown>) => {
    const done = last.then(run)
    last = done.catch(() => {})
    return done
  }
  vi.stubGlobal('navigator', { locks: { request } })
})
afterAll(() => void vi.unstubAllGlobals())
beforeEach(() => {
  store = memoryStore()
  asked = []
})

/** What is held where a device with the key wrote something. */
const heldWith = async (key: typeof own): Promise<Sight> => {
  const replica = await openReplica({ schema, space, key, store: memoryStore() })
  replica.mutate((tx) => tx.lists.insert({ name: 'Home' }))
  const sample = await replica.export()
  await replica.close()
  return { ...nothing, isBegun: true, sample }
}

class StartedOver extends Error {}

const find = (link: Door['link'], sight: Sight | undefined, answers: Partial<Questions> = {}) => {
  const noted: Questions = {
    slip: async () => undefined,
    join: () => Promise.reject(new Error('not answered')),
    invitation: () => Promise.reject(new Error('not answered')),
    unlock: () => unlockVault({ store, passphrase: 'correct horse' }),
    recoveryCode: async () => undefined,
    key: () => Promise.reject(new Error('not answered')),
    keyOrBegin: () => Promise.reject(new Error('not answered')),
    replace: () => Promise.reject(new Error('not answered')),
    plain: () => Promise.reject(new Error('a dead end')),
    ...answers,
  }
  const ask = new Proxy(noted, {
    get(questions, name: keyof Questions) {
      asked.push(name)
      return questions[name]
    },
  })
  const look = async () => {
    if (sight === undefined) throw new Error('looked')
    return sight
  }
  const startOver = () => Promise.reject(new StartedOver())
  return findKey({ space, store, transport, link, ask, look, startOver })
}

const protect = async (): Promise<Vault> => (await createVault({ store, passphrase: 'correct horse' })).vault

describe('without a passphrase', () => {
  test('the key that is kept opens without a look at the server, also where the link has the same', async () => {
    await keepKey(store, space, own)
    expect(await find(undefined, undefined)).toEqual({ key: own, vault: undefined, isNew: false })
    expect(await find(own, undefined)).toMatchObject({ key: own, isNew: false })
    expect(asked).toEqual([])
  })

  test('where nothing is held, the space is founded with a new key of this installation', async () => {
    const { key, isNew } = await find(undefined, nothing)
    expect(isNew).toBe(true)
    expect(isInstallationKey(key)).toBe(true)
    expect(await keptKey(store, space)).toBe(key)
    expect(asked).toEqual([])
    const replica = await openReplica({ schema, space, key, store })
    expect(replica.members?.list).toMatchObject({ role: 'admin', members: [{ isMe: true }] })
    await replica.close()
    expect(await find(undefined, undefined)).toEqual({ key, vault: undefined, isNew: false })
  })

  test('a founding that was cut off goes on with the key that was kept', async () => {
    const full = new Error('full')
    const { append } = store
    store.append = (place, ...rest) => (place === space ? Promise.reject(full) : append.call(store, place, ...rest))
    await expect(find(undefined, nothing)).rejects.toThrow('full')
    store.append = append
    const kept = await keptKey(store, space)
    expect(await hasMembers(store, space)).toBe(false)
    expect(await find(undefined, nothing)).toMatchObject({ key: kept, isNew: true })
  })

  test('an invitation is used only if the person says so; a join that was cut off goes on with the same key', async () => {
    const failed: unknown[] = []
    const tryOnce: Questions['join'] = async (join, isBegun) => {
      expect(isBegun).toBe(false)
      await join().catch((error: unknown) => failed.push(error))
      throw new Error('the window was closed')
    }
    await expect(find(invitation, undefined, { join: tryOnce })).rejects.toThrow('closed')
    expect(failed).toEqual([expect.objectContaining({ code: 'UNAVAILABLE' })])
    const kept = await keptKey(store, space)
    expect(kept !== undefined && isInstallationKey(kept)).toBe(true)
    expect(await keptInvitation(store, space)).toBe(invitation)
    // Loaded again without the link.
    const begun: boolean[] = []
    const again: Questions['join'] = async (join, isBegun) => {
      begun.push(isBegun)
      await join().catch(() => {})
      expect(await keptKey(store, space)).toBe(kept)
      return undefined
    }
    const needed = { ...nothing, isWhole: false, refusal: 'NOT_A_MEMBER' } as const
    const stop: Questions['invitation'] = () => Promise.reject(new Error('a dead end'))
    await expect(find(undefined, needed, { join: again, invitation: stop })).rejects.toThrow('a dead end')
    expect(begun).toEqual([true])
    expect(await keptInvitation(store, space)).toBeUndefined()
  })

  test('where the space has members, nothing but an invitation lets in', async () => {
    const needed = { ...nothing, isWhole: false, refusal: 'NOT_A_MEMBER' } as const
    const wrong: boolean[] = []
    const asks: Partial<Questions> = {
      invitation: async (isWrong) => {
        wrong.push(isWrong)
        return invitation
      },
      join: () => Promise.reject(new Error('asked to join')),
    }
    for (const link of [undefined, own]) await expect(find(link, needed, asks)).rejects.toThrow('asked to join')
    expect(wrong).toEqual([false, true])
    expect(await keptKey(store, space)).toBeUndefined()
  })

  test('an invitation takes the place of what is here only where the server does not go on with that', async () => {
    const { key } = await find(undefined, nothing)
    const rights: boolean[] = []
    const replace: Questions['replace'] = async (_sight, _offered, isRight) => {
      rights.push(isRight)
      return isRight ? 'replace' : 'keep'
    }
    expect(await find(invitation, nothing, { replace })).toMatchObject({ key })
    for (const refusal of ['NOT_A_MEMBER', 'MEMBERS_FORKED'] as const)
      await expect(find(invitation, { ...unseen, refusal }, { replace })).rejects.toThrow(StartedOver)
    // A key that devices share opens no space with members.
    expect(await find(own, { ...unseen, refusal: 'NOT_A_MEMBER' }, { replace })).toMatchObject({ key })
    await expect(find(own, { ...unseen, refusal: 'MEMBERS_FORKED' }, { replace })).rejects.toThrow(StartedOver)
    expect(rights).toEqual([false, true, true, false, true])
  })

  test('what was begun before is done where the space is open: its invitation is not tried again', async () => {
    const { key } = await find(undefined, nothing)
    await keepInvitation(store, space, invitation)
    expect(await find(undefined, undefined)).toMatchObject({ key })
    expect(asked).toEqual([])
  })

  test('two windows at once begin with one key', async () => {
    const [a, b] = await Promise.all([find(undefined, nothing), find(undefined, nothing)])
    expect(a.key).toBe(b.key)
    expect(a.isNew).not.toBe(b.isNew)
  })

  test('the key of a link is kept where it opens what is held, or nobody can tell', async () => {
    expect(await find(own, await heldWith(own))).toMatchObject({ key: own, isNew: false })
    await forgetKey(store, space)
    expect(await find(own, unseen)).toMatchObject({ key: own })
    expect(await keptKey(store, space)).toBe(own)
    expect(asked).toEqual([])
  })

  test('where something is held, no key is made: one is asked for, and a wrong one is not kept', async () => {
    const sight = await heldWith(own)
    const tried: boolean[] = []
    const found = await find(other, sight, {
      key: async (isRight, isWrong) => {
        tried.push(isWrong, await isRight(other), await isRight(own))
        expect(await keptKey(store, space)).toBeUndefined()
        return own
      },
    })
    expect(tried).toEqual([true, false, true])
    expect(found).toMatchObject({ key: own, isNew: false })
    expect(await keptKey(store, space)).toBe(own)
  })

  test('where nobody can tell, a space begins only because the person says so', async () => {
    expect(await find(undefined, unseen, { keyOrBegin: async () => 'begin' })).toMatchObject({ isNew: true })
    expect(asked).toEqual(['keyOrBegin'])
  })

  test('another key is never replaced silently', async () => {
    await keepKey(store, space, own)
    const sight = await heldWith(other)
    const rights: boolean[] = []
    const keep: Questions['replace'] = async (_sight, _offered, isRight) => {
      rights.push(isRight)
      return 'keep'
    }
    expect(await find(other, sight, { replace: keep })).toMatchObject({ key: own })
    expect(await find(newSpaceKey(), sight, { replace: keep })).toMatchObject({ key: own })
    expect(rights).toEqual([true, false])
    await expect(find(other, sight, { replace: async () => 'replace' })).rejects.toThrow(StartedOver)
    expect(await keptKey(store, space)).toBe(own)
  })

  test('half a key is said, and does no harm', async () => {
    await keepKey(store, space, own)
    expect(await find('slip', undefined)).toMatchObject({ key: own })
    expect(asked).toEqual(['slip'])
  })

  test('what is not encrypted is left alone', async () => {
    await expect(find(own, { ...nothing, isPlain: true })).rejects.toThrow('a dead end')
    expect(await keptKey(store, space)).toBeUndefined()
  })
})

describe('with a passphrase', () => {
  test('the vault has the key', async () => {
    await (await protect()).addSpace(space, own)
    expect(await find(undefined, undefined)).toMatchObject({ key: own, isNew: false })
    expect(asked).toEqual(['unlock'])
  })

  test('a new key goes into the vault, and nowhere else', async () => {
    const vault = await protect()
    expect(await find(own, await heldWith(own))).toMatchObject({ key: own })
    expect(await vault.spaceKey(space)).toBe(own)
    expect(await keptKey(store, space)).toBeUndefined()
  })

  test('the key of an installation goes into the vault, and nowhere else', async () => {
    const vault = await protect()
    const { key, isNew } = await find(undefined, nothing)
    expect(isNew).toBe(true)
    expect(await vault.installationKey(space)).toBe(key)
    expect(await keptKey(store, space)).toBeUndefined()
    expect(await find(undefined, undefined)).toMatchObject({ key, isNew: false })
  })

  test('a passphrase that is set later takes the key of the installation along', async () => {
    const { key } = await find(undefined, nothing)
    const noted: string[] = []
    const lockHere = async () => void noted.push('here')
    const keeper = new KeyKeeper({
      space,
      store,
      key,
      vault: undefined,
      lockOthers: () => noted.push('others'),
      lockHere,
    })
    expect(keeper.spaceKey).toBeUndefined()
    await keeper.protect('correct horse')
    expect(await keptKey(store, space)).toBe(key)
    await keeper.codeIsWritten()
    expect(await keptKey(store, space)).toBeUndefined()
    expect(noted).toEqual(['others'])
    asked = []
    expect(await find(undefined, undefined)).toMatchObject({ key, isNew: false })
    expect(asked).toEqual(['unlock'])
  })

  test('who left before the recovery code was written down gets another one, and then the key in the clear goes', async () => {
    await keepKey(store, space, own)
    await protect()
    let code = ''
    const found = await find(undefined, undefined, {
      recoveryCode: async (shown) => {
        code = shown
        expect(await keptKey(store, space)).toBe(own)
      },
    })
    expect(found.key).toBe(own)
    expect(await keptKey(store, space)).toBeUndefined()
    const vault = await unlockVault({ store, recoveryCode: code })
    expect(await vault.spaceKey(space)).toBe(own)
  })

  test('damaged keys are told from a wrong passphrase', async () => {
    await protect()
    const [record] = await store.records('driftlog-vault', 'wraps')
    record.value[9] ^= 1
    await store.append('driftlog-vault', [], { records: [record] })
    await expect(find(undefined, undefined)).rejects.toMatchObject({ code: 'KEYS_DAMAGED' })
  })
})
