/** A space with members, over real servers: founding, inviting, roles, removal, revocation, and what goes wrong. */
import {
  foundSpace,
  http,
  type InstallationKey,
  installationCode,
  joinSpace,
  newInstallationKey,
  newSpaceKey,
  openReplica,
  restoreBackup,
  type Replica,
  type Transport,
  webSocket,
} from '@driftlog/client'
import { type BatchStore, defineSchema, DriftlogError, f, memoryStore, startCursor, table } from '@driftlog/core'
import { createServer, jwt, listen, mintToken, passes } from '@driftlog/server'
import { sqlite } from '@driftlog/store-sqlite'
import { afterEach, describe, expect, it } from 'vitest'

const schema = defineSchema({ version: 1, tables: { tasks: table({ title: f.string(), votes: f.counter() }) } })
type Device = Replica<typeof schema>

const cleanups: (() => Promise<unknown> | void)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

const serve = async (store: BatchStore = sqlite(':memory:'), auth = passes()) => {
  const listening = await listen(createServer({ store, auth }), { port: 0, hostname: '127.0.0.1' })
  cleanups.push(() => listening.close())
  return listening
}

interface Installed {
  readonly device: Device
  readonly store: BatchStore
  readonly key: InstallationKey
}

const space = 'team'

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

const write = async ({ device }: Installed, title: string): Promise<void> => {
  await device.mutate((tx) => tx.tasks.insert({ title })).acknowledged
}

const codeOf = async (work: Promise<unknown> | (() => unknown)): Promise<string> => {
  try {
    await (typeof work === 'function' ? work() : work)
    return 'none'
  } catch (error) {
    return error instanceof DriftlogError ? error.code : String(error)
  }
}

const transports: Record<string, (url: string) => Transport> = {
  webSocket: (url) => webSocket(url),
  http: (url) => http(url, { pollMs: 30 }),
}

describe.each(Object.keys(transports))('a space with members, over %s', (name) => {
  const to = transports[name]

  it('is founded offline, shared by a link, and syncs', async () => {
    const ada = await found()
    ada.device.mutate((tx) => tx.tasks.insert({ title: 'before there was a server' }))
    await ada.device.close()
    const { url } = await serve()
    const online = await open(to(url), ada.key, ada.store)
    await online.device.sync()
    const ben = await join(to(url), await online.device.members!.invite({ role: 'writer' }))
    await write(ben, 'from ben')
    await expect.poll(() => titles(online)).toEqual(['before there was a server', 'from ben'])
    expect(await titles(ben)).toEqual(['before there was a server', 'from ben'])
    const { members, role } = ben.device.members!.list
    expect(role).toBe('writer')
    expect(members).toMatchObject([
      { role: 'admin', isMe: false },
      { role: 'writer', isMe: true },
    ])
    await expect.poll(() => online.device.members!.list.members.length).toBe(2)
    expect(online.device.members!.memberOf(ben.device.device)).toBe(members[1].id)
  })

  it('MEM4: an invitation lets in one installation, until it is withdrawn or expires', async () => {
    const { url } = await serve()
    const ada = await found(to(url))
    await ada.device.sync()
    const once = await ada.device.members!.invite({ role: 'writer' })
    await join(to(url), once)
    expect(await codeOf(join(to(url), once))).toBe('INVITATION_INVALID')
    const withdrawn = await ada.device.members!.invite({ role: 'writer' })
    await ada.device.members!.withdraw(ada.device.members!.list.invitations[0].id)
    expect(await codeOf(join(to(url), withdrawn))).toBe('INVITATION_INVALID')
    const late = await ada.device.members!.invite({ role: 'writer' }, { expiresInMs: 1 })
    expect(await codeOf(join(to(url), late))).toBe('INVITATION_INVALID')
    expect(await codeOf(join(to(url), `${once.slice(0, -1)}x`))).toBe('INVITATION_INVALID')
  })

  it('MEM6: a reader reads, and writes once it is a writer', async () => {
    const { url } = await serve()
    const ada = await found(to(url))
    await write(ada, 'hello')
    const ben = await join(to(url), await ada.device.members!.invite({ role: 'reader' }))
    await expect.poll(() => titles(ben)).toEqual(['hello'])
    expect(await codeOf(() => ben.device.mutate((tx) => tx.tasks.insert({ title: 'no' })))).toBe('FORBIDDEN')
    await expect.poll(() => ada.device.members!.list.members.length).toBe(2)
    await ada.device.members!.setRole(ada.device.members!.list.members[1].id, 'writer')
    await expect.poll(() => ben.device.members!.list.role).toBe('writer')
    await write(ben, 'yes')
    await expect.poll(() => titles(ada)).toEqual(['hello', 'yes'])
    expect(await codeOf(ben.device.members!.invite({ role: 'reader' }))).toBe('MEMBERS_REFUSED')
  })

  it('MEM3: who is removed keeps what it has, and gets nothing of what comes', async () => {
    const { url } = await serve()
    const ada = await found(to(url))
    await write(ada, 'shared')
    const ben = await join(to(url), await ada.device.members!.invite({ role: 'writer' }))
    const eve = await join(to(url), await ada.device.members!.invite({ role: 'writer' }))
    await expect.poll(() => titles(eve)).toEqual(['shared'])
    await expect.poll(() => ada.device.members!.list.members.length).toBe(3)
    await ada.device.members!.remove(ada.device.members!.list.members[2].id)
    await write(ada, 'secret')
    await expect.poll(() => titles(ben)).toEqual(['secret', 'shared'])
    await expect.poll(() => eve.device.status.error?.code).toBe('NOT_A_MEMBER')
    expect(await titles(eve)).toEqual(['shared'])
    // It is told so much of the log, and no more; so it writes nothing that nobody would take in, offline neither.
    await expect.poll(() => eve.device.members!.list.role).toBe(undefined)
    expect(await codeOf(() => eve.device.mutate((tx) => tx.tasks.insert({ title: 'afterwards' })))).toBe('NOT_A_MEMBER')
    await ada.device.members!.rotate()
    await eve.device.close()
    const offline = await open(undefined, eve.key, eve.store)
    expect(await codeOf(() => offline.device.mutate((tx) => tx.tasks.insert({ title: 'later' })))).toBe('NOT_A_MEMBER')
    await offline.device.close()
    const again = await open(to(url), eve.key, eve.store)
    await expect.poll(() => again.device.status.error?.code).toBe('NOT_A_MEMBER')
    expect(await titles(again)).toEqual(['shared'])
    await write(ben, 'still here')
    await expect.poll(() => titles(ada)).toEqual(['secret', 'shared', 'still here'])
  })

  it('a second device joins by its code, and a lost one is revoked', async () => {
    const { url } = await serve()
    const ada = await found(to(url))
    await write(ada, 'one')
    const [key, store] = [newInstallationKey(), memoryStore()]
    expect(
      await codeOf(
        joinSpace({ space, store, transport: to(url), key, by: { spaceCode: ada.device.members!.spaceCode } }),
      ),
    ).toBe('NOT_A_MEMBER')
    await ada.device.members!.admit(installationCode(key), { self: true })
    await joinSpace({ space, store, transport: to(url), key, by: { spaceCode: ada.device.members!.spaceCode } })
    const phone = await open(to(url), key, store)
    await write(phone, 'two')
    await expect.poll(() => titles(ada)).toEqual(['one', 'two'])
    const [me] = ada.device.members!.list.members
    expect(me.installations).toHaveLength(2)
    await ada.device.members!.revoke(me.installations[1].id)
    await expect.poll(() => phone.device.status.error?.code).toBe('NOT_A_MEMBER')
    await write(ada, 'three')
    expect(await titles(phone)).toEqual(['one', 'two'])
  })

  it('MEM9: a server that was set back is told the log of members again', async () => {
    const before = await serve()
    const ada = await found(to(before.url))
    await ada.device.sync()
    const ben = await join(to(before.url), await ada.device.members!.invite({ role: 'writer' }))
    await write(ben, 'kept')
    await expect.poll(() => titles(ada)).toEqual(['kept'])
    await ada.device.close()
    await ben.device.close()
    await before.close()
    // Nothing of it is there any more; whoever comes first founds it again, with the same log.
    const after = await serve()
    const again = await open(to(after.url), ben.key, ben.store)
    await again.device.sync()
    const founder = await open(to(after.url), ada.key, ada.store)
    await write(founder, 'and on')
    await expect.poll(() => titles(again)).toEqual(['and on', 'kept'])
  })
})

it('two admins change the members at the same time: each change waits for what the other did, and is done', async () => {
  const { url } = await serve()
  const ada = await found(webSocket(url))
  await ada.device.sync()
  const ben = await join(webSocket(url), await ada.device.members!.invite({ role: 'admin' }))
  await ben.device.sync()
  // Without waiting for the ones before: while one is refused because the other was first, the next is asked for.
  const inviteSome = async ({ device }: Installed): Promise<void> => {
    const made: Promise<string>[] = []
    for (let times = 0; times < 8; times++) {
      made.push(device.members!.invite({ role: 'reader' }))
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
    await Promise.all(made)
  }
  await Promise.all([inviteSome(ada), inviteSome(ben)])
  await expect.poll(() => ada.device.members!.list.invitations.length).toBe(16)
  await expect.poll(() => ben.device.members!.list.invitations.length).toBe(16)
})

it('nobody founds a space that others began with a key', async () => {
  const { url } = await serve()
  const secret = 'a secret of at least thirty-two characters'
  const token = () =>
    mintToken({ secret, subject: 'all', spaces: { team: 'writer' }, expiresInSeconds: 600, nowMs: Date.now() })
  const begun = await serve(memoryStore(), jwt({ secret }))
  const transport = webSocket(begun.url, { token })
  const old = await openReplica({ schema, space, key: newSpaceKey(), store: memoryStore(), transport })
  cleanups.push(() => old.close())
  await old.mutate((tx) => tx.tasks.insert({ title: 'before there were members' })).acknowledged
  const late = await found(transport)
  await expect.poll(() => late.device.status.error?.code).toBe('MEMBERS_FORKED')
  await old.mutate((tx) => tx.tasks.insert({ title: 'and on' })).acknowledged
  // Elsewhere it is founded as it is.
  await late.device.close()
  const elsewhere = await open(webSocket(url), late.key, late.store)
  await write(elsewhere, 'elsewhere')
})

it('MEM8: a token caps what a member may do, and alone lets nobody into a space with members', async () => {
  const secret = 'a secret of at least thirty-two characters'
  const token = (role: 'reader' | 'admin') => () =>
    mintToken({ secret, subject: role, spaces: { team: role }, expiresInSeconds: 600, nowMs: Date.now() })
  const { url } = await serve(memoryStore(), jwt({ secret }))
  const ada = await found(webSocket(url, { token: token('admin') }))
  await write(ada, 'hello')
  const store = memoryStore()
  const stranger = await openReplica({
    schema,
    space,
    key: 'unencrypted',
    store,
    transport: webSocket(url, { token: token('admin') }),
  })
  cleanups.push(() => stranger.close())
  await expect.poll(() => stranger.status.error?.code).toBe('NOT_A_MEMBER')
  await ada.device.close()
  const capped = await open(webSocket(url, { token: token('reader') }), ada.key, ada.store)
  capped.device.mutate((tx) => tx.tasks.insert({ title: 'not from here' }))
  await expect.poll(() => capped.device.status.error?.code).toBe('FORBIDDEN')
})

it('BACK5: a founder who lost everything but a backup goes on as the admin that they were', async () => {
  const { url } = await serve()
  const ada = await found(webSocket(url))
  await write(ada, 'kept')
  const ben = await join(webSocket(url), await ada.device.members!.invite({ role: 'writer' }))
  const file = await ada.device.backup({ passphrase: 'correct horse' })
  await ada.device.close()
  const store = memoryStore()
  const { key } = await restoreBackup(file, { store, passphrase: 'correct horse' })
  expect(key).toBe(ada.key)
  const offline = await open(undefined, ada.key, store)
  expect(await titles(offline)).toEqual(['kept'])
  await offline.device.close()
  const again = await open(webSocket(url), ada.key, store)
  expect(again.device.device).not.toBe(ada.device.device)
  await write(again, 'and on')
  await expect.poll(() => titles(ben)).toEqual(['and on', 'kept'])
  await again.device.members!.setRole(again.device.members!.list.members[1].id, 'reader')
  await expect.poll(() => ben.device.members!.list.role).toBe('reader')
})

it('MEM5: who gets ops by a courier gets what they name of the log of members too', async () => {
  const { url } = await serve()
  const ada = await found(webSocket(url))
  await write(ada, 'one')
  const ben = await join(webSocket(url), await ada.device.members!.invite({ role: 'writer' }))
  await expect.poll(() => titles(ben)).toEqual(['one'])
  ben.device.setOnline(false)
  await join(webSocket(url), await ada.device.members!.invite({ role: 'writer' }))
  await ada.device.members!.rotate()
  await write(ada, 'two')
  expect(await ben.device.import(await ada.device.export())).toEqual([])
  expect(await titles(ben)).toEqual(['one', 'two'])
  expect(ben.device.members!.list.members).toHaveLength(3)
})

it('MEM3: when somebody leaves, an admin who is there rotates the key', async () => {
  const { url } = await serve()
  const ada = await found(webSocket(url))
  await write(ada, 'one')
  const ben = await join(webSocket(url), await ada.device.members!.invite({ role: 'writer' }))
  await expect.poll(() => titles(ben)).toEqual(['one'])
  await ben.device.members!.leave()
  await expect.poll(() => ben.device.status.error?.code).toBe('NOT_A_MEMBER')
  await expect.poll(() => ada.device.members!.list.members.length).toBe(1)
  // The new epoch is in force: what is written now is sealed with a key that who left was never given.
  await expect
    .poll(async () => {
      await write(ada, 'two')
      const stored = await ada.store.readAfter(space, startCursor, { batches: 100, bytes: 1e6 })
      return stored.batches.at(-1)?.batch.header.keyEpoch
    })
    .toBe(2)
  expect(await codeOf(ada.device.members!.leave())).toBe('MEMBERS_REFUSED')
})

it('MEM8: what a removed member wrote before enters only with the work of a member that is built on it', async () => {
  const { url } = await serve()
  const ada = await found(webSocket(url))
  await write(ada, 'one')
  const ben = await join(webSocket(url), await ada.device.members!.invite({ role: 'writer' }))
  const eve = await join(webSocket(url), await ada.device.members!.invite({ role: 'writer' }))
  await expect.poll(() => titles(eve)).toEqual(['one'])
  await expect.poll(() => titles(ben)).toEqual(['one'])
  eve.device.setOnline(false)
  ben.device.setOnline(false)
  eve.device.mutate((tx) => tx.tasks.insert({ title: 'by eve' }))
  await ben.device.import(await eve.device.export())
  ben.device.mutate((tx) => tx.tasks.insert({ title: 'by ben, who saw it' }))
  // Nobody else has this.
  eve.device.mutate((tx) => tx.tasks.insert({ title: 'kept to herself' }))
  await expect.poll(() => ada.device.members!.list.members.length).toBe(3)
  await ada.device.members!.remove(ada.device.members!.list.members[2].id)
  eve.device.setOnline(true)
  await expect.poll(() => eve.device.status.error?.code).toBe('NOT_A_MEMBER')
  ben.device.setOnline(true)
  await ben.device.sync()
  await expect.poll(() => titles(ada)).toEqual(['by ben, who saw it', 'by eve', 'one'])
})

it('CUT2: an installation is retired and reinstated, and stays what it is', async () => {
  const { url } = await serve()
  const ada = await found(webSocket(url))
  await write(ada, 'one')
  const ben = await join(webSocket(url), await ada.device.members!.invite({ role: 'writer' }))
  await expect.poll(() => ada.device.members!.list.members.length).toBe(2)
  const bens = (): { id: string; isRetired: boolean } => ada.device.members!.list.members[1].installations[0]
  await ada.device.members!.retire(bens().id)
  expect(bens().isRetired).toBe(true)
  await write(ben, 'two')
  await ada.device.members!.reinstate(bens().id)
  expect(bens().isRetired).toBe(false)
  expect(await codeOf(ada.device.members!.reinstate(bens().id))).toBe('MEMBERS_REFUSED')
})
