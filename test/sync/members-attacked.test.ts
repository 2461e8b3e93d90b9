/** What a member with a modified client, a server that lies, a token, a lost answer or a full disk can do to a space with members. */
import {
  foundSpace,
  type InstallationKey,
  installationCode,
  joinSpace,
  newInstallationKey,
  openReplica,
  type Replica,
  type Transport,
  webSocket,
} from '@driftlog/client'
import {
  type BatchStore,
  type ClientMessage,
  defineSchema,
  type Deed,
  DriftlogError,
  encodeEntry,
  EPOCH_KEY_BYTES,
  f,
  installationSecrets,
  makePass,
  makeRotation,
  type MemberSecrets,
  Membership,
  memoryStore,
  PROTOCOL_VERSION,
  publicKeysOf,
  type Rotation,
  type ServerMessage,
  START_HASH,
  startCursor,
  systemPorts,
  table,
} from '@driftlog/core'
import { createServer, jwt, listen, mintToken, passes } from '@driftlog/server'
import { afterEach, describe, expect, it } from 'vitest'
import { readInstallationKey } from '../../packages/client/src/keys/installation-key.ts'
import { loadMembership } from '../../packages/client/src/members/local-members.ts'
import { talk } from '../../packages/client/src/members/member-talk.ts'

const schema = defineSchema({ version: 1, tables: { tasks: table({ title: f.string() }) } })
const { random, timers } = systemPorts

const cleanups: (() => Promise<unknown> | void)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

const space = 'team'
const secret = 'a secret of at least thirty-two characters'

const serve = async (store: BatchStore = memoryStore(), auth = passes()) => {
  const listening = await listen(createServer({ store, auth }), { port: 0, hostname: '127.0.0.1' })
  cleanups.push(() => listening.close())
  return listening
}

interface Installed {
  readonly device: Replica<typeof schema>
  readonly store: BatchStore
  readonly key: InstallationKey
}

const open = async (transport: Transport | undefined, key: InstallationKey, store: BatchStore): Promise<Installed> => {
  const device = await openReplica({ schema, space, key, store, transport })
  cleanups.push(() => device.close())
  return { device, store, key }
}

const found = async (transport?: Transport): Promise<Installed> => {
  const [key, store] = [newInstallationKey(), memoryStore()]
  await foundSpace({ space, store, key })
  return open(transport, key, store)
}

const join = async (transport: Transport, invitation: string): Promise<Installed> => {
  const [key, store] = [newInstallationKey(), memoryStore()]
  await joinSpace({ space, store, transport, key, by: { invitation } })
  return open(transport, key, store)
}

const titles = async ({ device }: Installed): Promise<string[]> => {
  const rows = await device.query((db) => db.selectFrom('tasks').select('title').orderBy('title'))
  return rows.map(({ title }) => title)
}

const insert = ({ device }: Installed, title: string) => device.mutate((tx) => tx.tasks.insert({ title }))

const codeOf = async (work: Promise<unknown> | (() => unknown)): Promise<string> => {
  try {
    await (typeof work === 'function' ? work() : work)
    return 'none'
  } catch (error) {
    return error instanceof DriftlogError ? error.code : String(error)
  }
}

const secretsOf = (key: InstallationKey): MemberSecrets => installationSecrets(readInstallationKey(key))

/** A modified client: proposes whatever it likes. */
const propose = async (
  transport: Transport,
  key: InstallationKey,
  make: (membership: Membership) => Deed,
): Promise<void> => {
  const { signing } = secretsOf(key)
  const pass = makePass(space, signing, Date.now() + 60_000)
  await talk({ transport, space, pass, timers }, async (server) => {
    const membership = new Membership(space)
    for (const entry of (await server.entries(0)).entries) membership.append(entry)
    const place = { space, position: membership.length + 1, before: membership.head, atMs: 0 }
    await server.propose(encodeEntry({ ...place, deed: make(membership) }, signing))
  })
}

const garbage = (membership: Membership, change: Partial<Rotation> = {}): Deed => {
  const key = random.bytes(EPOCH_KEY_BYTES)
  const recipients = membership.recipientsAfter({ kind: 'rotate' })
  const rotation = makeRotation(membership, key, recipients, random.bytes(EPOCH_KEY_BYTES), random)
  return { kind: 'rotate', rotation: { ...rotation, sealed: recipients.map(() => new Uint8Array(80)), ...change } }
}

describe('a member with a modified client', () => {
  it('[MEM10] an admin who seals garbage stops writing, and nothing else; any other rotation mends it', async () => {
    const { url } = await serve()
    const ada = await found(webSocket(url))
    await insert(ada, 'before').acknowledged
    const ben = await join(webSocket(url), await ada.device.members!.invite({ role: 'admin' }))
    await expect.poll(() => titles(ben)).toEqual(['before'])
    await propose(webSocket(url), ben.key, garbage)
    await expect.poll(async () => (await loadMembership(ada.store, space)).epoch).toBe(2)
    expect(await codeOf(() => insert(ada, 'with the old key'))).toBe('KEY_MISSING')
    // What came after it is stored after it, so that the log of members is whole.
    await propose(webSocket(url), ben.key, () => ({
      kind: 'retire',
      installation: secretsOf(ben.key).signing.publicKey,
    }))
    await expect.poll(async () => (await loadMembership(ada.store, space)).length).toBe(5)
    await ada.device.close()
    const again = await open(webSocket(url), ada.key, ada.store)
    expect(await titles(again)).toEqual(['before'])
    expect(await codeOf(() => insert(again, 'with the old key'))).toBe('KEY_MISSING')
    await again.device.sync()
    // Whoever has the newest key; here nobody has, so a new one is made by who has the one before.
    const { membership } = { membership: await loadMembership(again.store, space) }
    expect(membership.epoch).toBe(2)
    expect(await codeOf(again.device.members!.rotate())).toBe('none')
    await insert(again, 'after').acknowledged
    await expect.poll(() => titles(ben)).toEqual(['after', 'before'])
  })

  it('[MEM6] a reader that writes all the same reaches nobody, and a removed member neither', async () => {
    const { url } = await serve()
    const ada = await found(webSocket(url))
    await ada.device.sync()
    const eve = await join(webSocket(url), await ada.device.members!.invite({ role: 'writer' }))
    await eve.device.sync()
    await eve.device.close()
    const offline = await open(undefined, eve.key, eve.store)
    insert(offline, 'offline')
    await expect.poll(() => ada.device.members!.list.members.length).toBe(2)
    await ada.device.members!.remove(ada.device.members!.list.members[1].id)
    const carried = await offline.device.export()
    await offline.device.close()
    // Who was removed wrote it when it might: it comes in by who carries it, and by nobody else.
    const back = await open(webSocket(url), eve.key, eve.store)
    await expect.poll(() => back.device.status.error?.code).toBe('NOT_A_MEMBER')
    expect(await titles(ada)).toEqual([])
    expect(await ada.device.import(carried)).toEqual([])
    expect(await titles(ada)).toEqual(['offline'])
    await ada.device.sync()
  })
})

describe('who left', () => {
  it('[MEM3] by itself is followed by a new key, as soon as an admin is there', async () => {
    const { url } = await serve()
    const ada = await found(webSocket(url))
    await ada.device.sync()
    const ben = await join(webSocket(url), await ada.device.members!.invite({ role: 'writer' }))
    await ben.device.sync()
    await ben.device.members!.leave()
    await expect.poll(async () => (await loadMembership(ada.store, space)).epoch).toBe(2)
    await expect.poll(async () => (await loadMembership(ada.store, space)).needsRotation).toBe(false)
    expect((await loadMembership(ada.store, space)).length).toBe(5)
  })

  it('[MEM4] a link that has expired is withdrawn by an admin, and no later key is sealed to it', async () => {
    const { url } = await serve()
    const ada = await found(webSocket(url))
    await ada.device.sync()
    await ada.device.members!.invite({ role: 'writer' }, { expiresInMs: 1 })
    await ada.device.close()
    const again = await open(webSocket(url), ada.key, ada.store)
    await expect.poll(async () => (await loadMembership(again.store, space)).epoch).toBe(2)
    expect(again.device.members!.list.invitations).toEqual([])
  })
})

describe('a server', () => {
  it('[MEM9] that was set back long after invitations expired is told the whole log again', async () => {
    const before = await serve()
    const ada = await found(webSocket(before.url))
    await ada.device.sync()
    const ben = await join(
      webSocket(before.url),
      await ada.device.members!.invite({ role: 'writer' }, { expiresInMs: 2_000 }),
    )
    await insert(ben, 'kept').acknowledged
    await expect.poll(() => titles(ada)).toEqual(['kept'])
    await ada.device.close()
    await ben.device.close()
    await before.close()
    await new Promise((resolve) => setTimeout(resolve, 2_000))
    const after = await serve()
    const again = await open(webSocket(after.url), ada.key, ada.store)
    await again.device.sync()
    const other = await open(webSocket(after.url), ben.key, ben.store)
    await other.device.sync()
    await insert(again, 'and on').acknowledged
    await expect.poll(() => titles(other)).toEqual(['and on', 'kept'])
  })

  /** One that lies: it says that it has more, or less, and gives nothing. */
  const liar = (answer: (message: ClientMessage) => ServerMessage | undefined) => {
    const said: ClientMessage[] = []
    const transport: Transport = {
      mode: 'live',
      connect(_, events) {
        let isOpen = true
        queueMicrotask(() => isOpen && events.opened())
        return {
          send(messages) {
            for (const message of messages) {
              said.push(message)
              const answered = answer(message)
              if (answered !== undefined) setTimeout(() => isOpen && events.message(answered), 0)
            }
          },
          close() {
            isOpen = false
          },
        }
      },
    }
    return { said, transport }
  }

  const welcome = (length: number, head: Uint8Array): ServerMessage => ({
    type: 'welcome',
    protocol: PROTOCOL_VERSION,
    serverTimeMs: Date.now(),
    role: 'admin',
    inSync: true,
    cursorValid: true,
    end: startCursor,
    members: { length, head },
  })

  it('[MEM9] that claims entries and gives none is not asked again and again', async () => {
    const { said, transport } = liar((message) => {
      if (message.type === 'hello') return welcome(100, new Uint8Array(32))
      if (message.type === 'entries')
        return { type: 'entries', id: message.id, after: message.after, entries: [], more: true }
      return undefined
    })
    const ada = await found(transport)
    await expect.poll(() => ada.device.status.error?.code).toBe('PROTOCOL_VIOLATION')
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(said.length).toBeLessThan(10)
  })

  it('[MEM9] that takes entries and forgets them is not told them again and again', async () => {
    const { said, transport } = liar((message) => {
      if (message.type === 'hello') return welcome(0, START_HASH)
      if (message.type === 'propose') return { type: 'proposed', id: message.id, position: 0 }
      return undefined
    })
    const ada = await found(transport)
    await expect.poll(() => ada.device.status.error?.code).toBe('PROTOCOL_VIOLATION')
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(said.length).toBeLessThan(10)
  })

  it('[MEM9] that has forgotten who this is whenever it greets is met after a back-off, not at once', async () => {
    let head: Uint8Array = START_HASH
    const { said, transport } = liar((message) => {
      if (message.type === 'hello') return welcome(1, head)
      if (message.type === 'propose') return { type: 'proposed', id: message.id, position: 2 }
      return undefined
    })
    const { url } = await serve()
    const ada = await found(webSocket(url))
    await ada.device.sync()
    const ben = await join(webSocket(url), await ada.device.members!.invite({ role: 'writer' }))
    await ben.device.close()
    const { membership } = { membership: await loadMembership(ben.store, space) }
    expect(membership.length).toBe(3)
    head = membership.hashAt(1)
    await open(transport, ben.key, ben.store)
    await new Promise((resolve) => setTimeout(resolve, 400))
    expect(said.filter(({ type }) => type === 'hello').length).toBeLessThan(5)
  })

  it('[MEM9] that shows another log is not synced with', async () => {
    const { transport } = liar((message) =>
      message.type === 'hello' ? welcome(1, new Uint8Array(32).fill(1)) : undefined,
    )
    const ada = await found(transport)
    await expect.poll(() => ada.device.status.error?.code).toBe('MEMBERS_FORKED')
  })

  it('[MEM4] that shows another space than was meant lets nobody join it', async () => {
    const { url } = await serve()
    const [ada, other] = [await found(webSocket(url)), await found()]
    await ada.device.sync()
    const key = newInstallationKey()
    await ada.device.members!.admit(installationCode(key), { role: 'writer' })
    const by = { spaceCode: other.device.members!.spaceCode }
    expect(await codeOf(joinSpace({ space, store: memoryStore(), transport: webSocket(url), key, by }))).toBe(
      'MEMBERS_FORKED',
    )
  })
})

describe('two admins at once', () => {
  it('[MEM7] who remove each other: one of them is gone, and everybody sees the same', async () => {
    const { url } = await serve()
    const ada = await found(webSocket(url))
    await ada.device.sync()
    const ben = await join(webSocket(url), await ada.device.members!.invite({ role: 'admin' }))
    const cyd = await join(webSocket(url), await ada.device.members!.invite({ role: 'writer' }))
    for (const one of [ada, ben, cyd]) await expect.poll(() => one.device.members!.list.members.length).toBe(3)
    const [first, second] = ada.device.members!.list.members
    const codes = await Promise.all([
      codeOf(ada.device.members!.remove(second.id)),
      codeOf(ben.device.members!.remove(first.id)),
    ])
    expect(codes.filter((code) => code === 'none')).toHaveLength(1)
    const left = codes[0] === 'none' ? ada : ben
    await expect.poll(() => cyd.device.members!.list.members.length).toBe(2)
    await insert(cyd, 'and on').acknowledged
    await expect.poll(() => titles(left)).toEqual(['and on'])
  })

  it('[MEM7] who do different things: both get through, one after the other', async () => {
    const { url } = await serve()
    const ada = await found(webSocket(url))
    await ada.device.sync()
    const ben = await join(webSocket(url), await ada.device.members!.invite({ role: 'admin' }))
    await expect.poll(() => ben.device.members!.list.role).toBe('admin')
    await ben.device.sync()
    const invitations = Array.from({ length: 4 }, (_, index) =>
      (index % 2 === 0 ? ada : ben).device.members!.invite({ role: 'reader' }),
    )
    expect(new Set(await Promise.all(invitations)).size).toBe(4)
    await Promise.all([ada.device.members!.rotate(), ben.device.members!.rotate()])
    await expect.poll(() => ada.device.members!.list.invitations.length).toBe(4)
    expect((await loadMembership(ada.store, space)).epoch).toBe(3)
  })
})

describe('a clock that is years off', () => {
  it.each([-10, 10])(
    '[MEM7] by %i years: its device founds, invites, joins and removes all the same',
    async (years) => {
      const { url } = await serve()
      const offMs = years * 365 * 24 * 60 * 60 * 1_000
      const ports = { ...systemPorts, clock: { now: () => Date.now() + offMs } }
      const openOff = async (key: InstallationKey, store: BatchStore): Promise<Installed> => {
        const device = await openReplica({ schema, space, key, store, transport: webSocket(url), ports })
        cleanups.push(() => device.close())
        return { device, store, key }
      }
      const [key, store] = [newInstallationKey(), memoryStore()]
      await foundSpace({ space, store, key, ports })
      const off = await openOff(key, store)
      await off.device.sync()
      const right = await join(webSocket(url), await off.device.members!.invite({ role: 'admin' }))
      await right.device.sync()
      const invitation = await right.device.members!.invite({ role: 'writer' })
      const [otherKey, otherStore] = [newInstallationKey(), memoryStore()]
      await joinSpace({ space, store: otherStore, transport: webSocket(url), key: otherKey, by: { invitation }, ports })
      const other = await openOff(otherKey, otherStore)
      await other.device.sync()
      await insert(right, 'from now').acknowledged
      await expect.poll(() => titles(other)).toEqual(['from now'])
      await off.device.members!.remove(off.device.members!.list.members[2].id)
      await expect.poll(() => other.device.status.error?.code).toBe('NOT_A_MEMBER')
      // Open links stay open: their end is by the server's clock.
      await right.device.members!.invite({ role: 'writer' })
      await expect.poll(() => off.device.members!.list.invitations.length).toBe(1)
    },
  )
})

describe('who has a token', () => {
  const token = (role: 'reader' | 'writer') => () =>
    mintToken({ secret, subject: role, spaces: { team: role }, expiresInSeconds: 600, nowMs: Date.now() })

  it('[MEM8] cannot shut the others out of a space by founding it anew', async () => {
    const { url } = await serve(memoryStore(), jwt({ secret }))
    const store = memoryStore()
    const transport = webSocket(url, { token: token('writer') })
    const plain = await openReplica({ schema, space, key: 'unencrypted', store, transport })
    cleanups.push(() => plain.close())
    await plain.mutate((tx) => tx.tasks.insert({ title: 'here first' })).acknowledged
    for (const role of ['reader', 'writer'] as const) {
      const eve = await found(webSocket(url, { token: token(role) }))
      await expect.poll(() => eve.device.status.error?.code).toBe(role === 'reader' ? 'FORBIDDEN' : 'MEMBERS_FORKED')
    }
    await plain.mutate((tx) => tx.tasks.insert({ title: 'and still here' })).acknowledged
  })
})

describe('what a device loses', () => {
  it('[MEM8] its store: the same key joins again, and all that was synced is there', async () => {
    const { url } = await serve()
    const ada = await found(webSocket(url))
    await insert(ada, 'one').acknowledged
    const { spaceCode } = ada.device.members!
    await ada.device.close()
    const store = memoryStore()
    expect(await codeOf(openReplica({ schema, space, key: ada.key, store }))).toBe('NOT_A_MEMBER')
    await joinSpace({ space, store, transport: webSocket(url), key: ada.key, by: { spaceCode } })
    const again = await open(webSocket(url), ada.key, store)
    await expect.poll(() => titles(again)).toEqual(['one'])
    await insert(again, 'two').acknowledged
    expect(again.device.members!.list.role).toBe('admin')
  })

  it('[MEM1] a byte of its log of members: it says so and does not judge by it', async () => {
    const ada = await found()
    await ada.device.close()
    const [{ key, value }] = await ada.store.records(space, 'member/')
    const bent = value.slice()
    bent[bent.length - 70] ^= 1
    await ada.store.append(space, [], { records: [{ key, value: bent }] })
    expect(await codeOf(openReplica({ schema, space, key: ada.key, store: ada.store }))).toBe('STORAGE_DAMAGED')
  })

  it('[MEM4] the answer to its join: asked again with the same key it goes on', async () => {
    const { url } = await serve()
    const ada = await found(webSocket(url))
    await ada.device.sync()
    const invitation = await ada.device.members!.invite({ role: 'writer' })
    const [key, store] = [newInstallationKey(), memoryStore()]
    const failing = new Proxy(store, {
      get(target, name) {
        const held: unknown = Reflect.get(target, name)
        if (name === 'append') return () => Promise.reject(new DriftlogError('STORAGE_FULL'))
        return typeof held === 'function' ? held.bind(target) : held
      },
    })
    const options = { space, transport: webSocket(url), key, by: { invitation } }
    expect(await codeOf(joinSpace({ ...options, store: failing }))).toBe('STORAGE_FULL')
    expect(await codeOf(joinSpace({ ...options, store }))).toBe('none')
    expect(await codeOf(joinSpace({ ...options, store }))).toBe('OPTION_INVALID')
    const ben = await open(webSocket(url), key, store)
    await insert(ben, 'in').acknowledged
    expect(publicKeysOf(secretsOf(key)).key).toHaveLength(32)
  })

  it('[MEM4] a race of two windows to join with one store: one of them does', async () => {
    const { url } = await serve()
    const ada = await found(webSocket(url))
    await ada.device.sync()
    const store = memoryStore()
    const joins = await Promise.all(
      [1, 2].map(async () => {
        const [key, invitation] = [newInstallationKey(), await ada.device.members!.invite({ role: 'writer' })]
        return { key, code: codeOf(joinSpace({ space, store, transport: webSocket(url), key, by: { invitation } })) }
      }),
    )
    const codes = await Promise.all(joins.map(({ code }) => code))
    expect([...codes].sort()).toEqual(['RECORD_EXISTS', 'none'])
    const { key } = joins[codes.indexOf('none')]
    const ben = await open(webSocket(url), key, store)
    await insert(ben, 'in').acknowledged
  })

  it('[MEM5] its connection, in a second window: it reads what the first one was told', async () => {
    const { url } = await serve()
    const ada = await found(webSocket(url))
    await ada.device.sync()
    const ben = await join(webSocket(url), await ada.device.members!.invite({ role: 'writer' }))
    await ben.device.sync()
    const window = await open(undefined, ben.key, ben.store)
    await expect.poll(() => ada.device.members!.list.members.length).toBe(2)
    await ada.device.members!.rotate()
    await insert(ada, 'with a new key').acknowledged
    await expect.poll(() => titles(ben)).toEqual(['with a new key'])
    await expect.poll(() => titles(window)).toEqual(['with a new key'])
    insert(window, 'from the second window')
    await expect.poll(() => titles(ada)).toEqual(['from the second window', 'with a new key'])
  })
})
