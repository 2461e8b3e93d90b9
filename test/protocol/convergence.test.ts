/** SYNC, ING: any number of devices and one server, in any order of events and under faults, end equal (no loss, contiguity, liveness). */
import { type BatchStore, cryptoReady, type DeviceId, sessionStatus } from '@driftlog/core'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { World } from './pump.ts'
import type { Backup, SimClient } from './sim-client.ts'
import { contents, SPACE, unionOf } from './stores.ts'

beforeAll(cryptoReady)

/** A stream of choices from a seed: mulberry32. */
const chooser = (seed: number) => {
  let state = seed >>> 0
  return (below: number): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296) * below)
  }
}

const lengthsOf = ({ choose }: World): number[] => Array.from({ length: 1 + choose(4) }, () => 1 + choose(3))

/** What happens to histories: copies of devices and of the server, and what they write apart. */
const branchOut = async (world: World, client: SimClient, backups: Map<SimClient, Backup>): Promise<void> => {
  const { choose, clients } = world
  switch (choose(7)) {
    case 0:
      if (clients.length < 6) await world.clone(client, choose(2) === 0 ? 'live' : 'roundTrip')
      break
    case 1: {
      const backup = backups.get(client)
      backups.delete(client)
      if (backup !== undefined) await world.restore(client, backup)
      break
    }
    case 2:
      await world.fork(client, lengthsOf(world))
      break
    case 3:
      await world.courier(client, clients[choose(clients.length)])
      break
    case 4:
      if (choose(3) === 0) await world.refillServer(choose(12), client)
      break
    default:
      backups.set(client, await client.backUp())
  }
}

const chaos = async (world: World, steps: number, hasBranches: boolean): Promise<void> => {
  const { choose, clients } = world
  const backups = new Map<SimClient, Backup>()
  for (let left = steps; left > 0; left--) {
    const client = clients[choose(clients.length)]
    if (hasBranches && choose(12) === 0) {
      await branchOut(world, client, backups)
      continue
    }
    switch (choose(24)) {
      case 0:
      case 1:
        await world.write(client, lengthsOf(world))
        break
      case 2:
        world.breakConnection(client)
        break
      case 3:
        world.input(client, { kind: choose(3) === 0 ? 'goOffline' : 'goOnline' })
        break
      case 4:
        world.input(client, choose(2) === 0 ? { kind: 'refresh' } : { kind: 'retryRefused' })
        break
      case 5:
        if (choose(3) === 0) world.restartServer()
        break
      case 6:
        if (choose(3) === 0) world.killSilently(client)
        else if (choose(4) === 0) await world.rollBackServer(choose(12))
        break
      default:
        await world.step()
    }
  }
}

/** Runs until all is quiet; fails where that takes more steps than there is work. */
const heal = async (world: World): Promise<void> => {
  world.faults = { duplicate: 0, clientStore: 0, serverStore: 0, loseExchange: 0 }
  for (const client of world.clients) {
    world.input(client, { kind: 'goOnline' })
    world.input(client, { kind: 'retryRefused' })
  }
  const batches = [...(await contents(await unionOf(storesOf(world)))).values()].flat().length
  const limit = world.steps + 400 + 40 * (batches + 1) * world.clients.length
  for (;;) {
    while (!world.isQuiet()) {
      if (world.steps > limit) throw new Error(`not quiet after ${limit} steps`)
      await world.step()
    }
    // What became quiet early has to ask once more for what the others pushed after.
    const before = JSON.stringify(await held(world))
    for (const client of world.clients) world.input(client, { kind: 'refresh' })
    while (!world.isQuiet()) {
      if (world.steps > limit) throw new Error(`not quiet after ${limit} steps`)
      await world.step()
    }
    if (JSON.stringify(await held(world)) === before) return
  }
}

const storesOf = ({ server, clients }: World): BatchStore[] => [server, ...clients.map(({ store }) => store)]

const held = (world: World): Promise<unknown[]> =>
  Promise.all(storesOf(world).map(async (store) => [...(await contents(store))]))

const run = async (
  seed: number,
  modes: readonly ('live' | 'roundTrip')[],
  steps: number,
  hasBranches = false,
): Promise<void> => {
  const world = new World(chooser(seed), modes)
  world.faults = { duplicate: 6, clientStore: 12, serverStore: 12, loseExchange: 8 }
  if (hasBranches) for (const client of world.clients) if (world.choose(4) === 0) client.role = 'reader'
  await chaos(world, steps, hasBranches)
  // What a rollback takes from all who had it is gone; what a writer or the server still has comes to all.
  const writers = world.clients.filter(({ role }) => role === 'writer').map(({ store }) => store)
  const shared = await unionOf([world.server, ...writers])
  const expected = await Promise.all(
    world.clients.map(async ({ role, store }) => contents(role === 'writer' ? shared : await unionOf([shared, store]))),
  )
  const { gaveUp } = world
  await heal(world)
  // What is not found at first is found by asking, not by waiting for the next try.
  if (hasBranches) expect(world.gaveUp).toBe(gaveUp)
  expect(await contents(world.server)).toEqual(await contents(shared))
  for (const [index, { role, session, store }] of world.clients.entries()) {
    expect(await contents(store)).toEqual(expected[index])
    const error = role === 'writer' ? undefined : sessionStatus(session).error
    expect(sessionStatus(session)).toMatchObject({ error, refused: [], caughtUp: true })
    if (error !== undefined) expect(error.code).toBe('FORBIDDEN')
  }
  await expectSilence(world)
}

/** SYNC20: where nothing is to be done nothing is asked, except the ping or the poll of an idle session. */
const expectSilence = async (world: World): Promise<void> => {
  for (const client of world.clients) client.sent.length = 0
  const until = world.nowMs + 10 * 60_000
  while (world.nowMs < until && (await world.step())) {
    // Let ten minutes pass.
  }
  for (const { session, sent } of world.clients) {
    expect(new Set(sent)).toEqual(new Set([session.mode === 'live' ? 'ping' : 'hello']))
    expect(sent.length).toBeLessThanOrEqual(45)
  }
}

describe('sessions', () => {
  it('SYNC: any interleaving of devices, losses, restarts and rollbacks ends in equal logs, in bounded steps', async () => {
    const mode = fc.constantFrom('live' as const, 'roundTrip' as const)
    await fc.assert(
      fc.asyncProperty(
        fc.nat(0xffffffff),
        fc.array(mode, { minLength: 1, maxLength: 4 }),
        fc.nat(250),
        (seed, modes, steps) => run(seed, modes, steps),
      ),
      { numRuns: 400 },
    )
  }, 120_000)

  it('SYNC22 SYNC23: the same where devices are cloned, restored and carried about, and servers filled again', async () => {
    const mode = fc.constantFrom('live' as const, 'roundTrip' as const)
    await fc.assert(
      fc.asyncProperty(
        fc.nat(0xffffffff),
        fc.array(mode, { minLength: 1, maxLength: 4 }),
        fc.nat(300),
        (seed, modes, steps) => run(seed, modes, steps, true),
      ),
      { numRuns: 300 },
    )
  }, 240_000)

  it('[SYNC8] seed 50: a pull by vector does not hide what the server is given meanwhile under a name that is held', () =>
    run(50, ['roundTrip', 'live'], 366, true))

  it('[SYNC16] seed 35: what was put off is no error any more once a page has brought it back', () =>
    run(35, ['live', 'live', 'roundTrip', 'live'], 214, true))

  it('[SYNC9] seed 4294967289: a live connection that gave up on a gap tries again', () =>
    run(4294967289, ['live', 'live', 'live'], 231))

  it('SYNC7: devices in sync exchange a hello and a welcome, and nothing else', async () => {
    const world = new World(chooser(1), ['live'])
    const [client] = world.clients
    await world.write(client, [2, 2])
    await heal(world)
    world.breakConnection(client)
    client.sent.length = 0
    while (!world.isQuiet()) await world.step()
    expect(client.sent).toEqual(['hello'])
  })

  it('SYNC21 SYNC22: a clone of equal length finds where it parts in a few words, and neither side sends its history again', async () => {
    const world = new World(chooser(4), ['live'])
    const [ann] = world.clients
    await world.write(
      ann,
      Array.from({ length: 200 }, () => 1),
    )
    await heal(world)
    const clone = await world.clone(ann, 'live')
    world.input(ann, { kind: 'goOffline' })
    await world.write(ann, [1, 1, 1])
    await world.write(clone, [1, 1, 1])
    world.input(clone, { kind: 'goOnline' })
    while (!sessionStatus(clone.session).caughtUp || sessionStatus(clone.session).syncing) await world.step()
    let carried = 0
    const input = world.input.bind(world)
    world.input = (client, given) => {
      if (given.kind === 'outboxRead') carried += given.batches.length
      if (given.kind === 'message' && given.message.type === 'page') carried += given.message.batches.length
      input(client, given)
    }
    ann.sent.length = 0
    await heal(world)
    expect(await contents(ann.store)).toEqual(await contents(await unionOf(storesOf(world))))
    expect(await contents(clone.store)).toEqual(await contents(ann.store))
    // Three batches each way, and what a page or two brings twice around a renaming.
    expect(carried).toBeLessThan(40)
    expect(ann.sent.length).toBeLessThan(30)
    expect(ann.sent).toContain('locate')
  })

  it('SYNC15: a server that lost what it had acknowledged gets it back from any device', async () => {
    const world = new World(chooser(2), ['live', 'live'])
    const [ann, bob] = world.clients
    await world.write(ann, [1, 2, 3])
    await world.write(bob, [1, 1])
    await heal(world)
    const expected = await contents(await unionOf(storesOf(world)))
    world.input(ann, { kind: 'goOffline' })
    await world.rollBackServer(0)
    while (!bob.session.isWelcomed || !sessionStatus(bob.session).caughtUp || sessionStatus(bob.session).syncing)
      await world.step()
    expect(await contents(world.server)).toEqual(expected)
  })

  it('SYNC10: a cursor that names the right batch in another history is found out by the vectors', async () => {
    const world = new World(chooser(3), ['live', 'live', 'live'])
    const [ann, bob, eve] = world.clients
    await world.write(ann, [1])
    await heal(world)
    await world.write(bob, [1])
    await heal(world)
    for (const client of world.clients) world.input(client, { kind: 'goOffline' })
    const all = (
      await world.server.readAfter(SPACE, { position: 0, tag: new Uint8Array(0) }, { batches: 9, bytes: 1e6 })
    ).batches
    expect(all.length).toBe(2)
    // Refilled in another order behind the same position: ann's batch, then eve's, then bob's where it was... one later.
    await world.write(eve, [1])
    await world.rollBackServer(1)
    const [mine] = (
      await eve.store.readAbove(
        SPACE,
        new Map([
          [ann.device.device, 9],
          [bob.device.device, 9],
        ] as [DeviceId, number][]),
        { batches: 9, bytes: 1e6 },
      )
    ).batches
    await world.server.append(SPACE, [mine.batch, all[1].batch])
    // Bob's cursor: position 3 with the tag of his own batch, which is right by itself.
    bob.cursor = { position: 3, tag: all[1].batch.header.tagAfter }
    bob.session = { ...bob.session, cursor: bob.cursor }
    await heal(world)
    expect((await bob.store.vector(SPACE)).get(eve.device.device)).toBe(1)
  })
})
