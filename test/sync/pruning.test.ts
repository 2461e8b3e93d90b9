/** Pruning, end to end: what is stated, what goes, and that nobody can tell by what is shown. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { restoreBackup, type Transport } from '@driftlog/client'
import {
  type ClientMessage,
  copyMedium,
  decodePruningRequest,
  decodeStatement,
  encodePruningRequest,
  encodeStatement,
  memoryStore,
  type PruningRequest,
  systemPorts,
  f,
} from '@driftlog/core'
import { bytesOf, type Installed, keysOf, PruningSpace, publicKeyOf, space, stoppingAt } from './pruning-space.ts'

let team: PruningSpace
beforeEach(() => {
  team = new PruningSpace()
})
afterEach(() => team.close())

const patience = { timeout: 15_000, interval: 20 }

/** A little of everything, over rows that it made or found. */
const write = async (by: Installed, rounds: number): Promise<void> => {
  const { device } = by
  for (let round = 0; round < rounds; round++) {
    const rows = await device.query((db) => db.selectFrom('tasks').select(['id', 'title']).orderBy('id'))
    const id = `${device.device.slice(0, 6)}-${round}`
    const { stored } = device.mutate((tx) => {
      tx.tasks.insert({ id, title: `new ${round}`, votes: 1, tags: ['a', 'b'], steps: ['x', 'y'] })
      const at = rows[round % Math.max(1, rows.length)]
      if (at === undefined) return
      if (round % 5 === 4) tx.tasks.delete(at.id)
      else tx.tasks.update(at.id, { title: `${at.title}.` })
    })
    await stored
  }
}

const allEqual = async (...all: readonly Installed[]): Promise<void> => {
  for (const { device } of all) await device.sync()
  await expect.poll(() => new Set(all.map(({ device }) => device.digest())).size, patience).toBe(1)
}

const pruned = async ({ store }: { readonly store: PruningSpace['store'] }): Promise<boolean> =>
  (await store.floors(space)).size > 0

const three = async (): Promise<[Installed, Installed, Installed]> => {
  const ada = await team.found()
  const ben = await team.join(ada)
  const eve = await team.join(ada)
  await allEqual(ada, ben, eve)
  return [ada, ben, eve]
}

describe('a space that prunes', () => {
  it.each(['http', 'webSocket'])(
    'PRUNE1 to PRUNE4: three installations promise, complete, fold, confirm; the log shrinks, and nothing else changes (%s)',
    async (transport) => {
      if (transport === 'webSocket') await team.listen()
      const [ada, ben, eve] = await three()
      for (const by of [ada, ben, eve]) await write(by, 8)
      await allEqual(ada, ben, eve)
      const before = await bytesOf(team.store)
      const shown = ada.device.digest()
      await new Promise((resolve) => setTimeout(resolve, 200))
      expect(await pruned(team)).toBe(false)
      await ada.device.members!.setHistory('prune')
      await expect.poll(() => pruned(team), patience).toBe(true)
      for (const one of [ada, ben, eve]) await expect.poll(() => pruned(one), patience).toBe(true)
      await allEqual(ada, ben, eve)
      const after = await bytesOf(team.store)
      expect(after.batches).toBeLessThan(before.batches / 4)
      const digest = ada.device.digest()
      expect(digest).toBe(shown)
      for (const one of [ada, ben, eve]) {
        expect(one.device.status.error).toBeUndefined()
        await team.reopen(one)
        expect(one.device.digest()).toBe(digest)
      }
      for (const by of [ada, ben, eve]) await write(by, 2)
      await allEqual(ada, ben, eve)
    },
    60_000,
  )

  const prunes = async (...all: readonly Installed[]): Promise<void> => {
    for (const by of all) await write(by, 12)
    await allEqual(...all)
    await all[0].device.members!.setHistory('prune')
    await expect.poll(() => pruned(team), patience).toBe(true)
  }

  it('PRUNE6: who never saw the log goes on from the base, writes, and counts from then on', async () => {
    const all = await three()
    await prunes(...all)
    const joe = await team.join(all[0])
    await allEqual(...all, joe)
    expect(await pruned(joe)).toBe(true)
    expect((await bytesOf(joe.store)).batches).toBe((await bytesOf(team.store)).batches)
    await expect.poll(() => stands(team, joe), patience).toBe('settled')
    await write(joe, 3)
    await write(all[0], 3)
    await allEqual(...all, joe)
    await team.reopen(joe)
    await allEqual(...all, joe)
    // The next base waits for it too, is folded from the one before, and comes to another one that joins.
    const before = await floorsOf(team)
    for (const by of [...all, joe]) await write(by, 8)
    await expect.poll(async () => (await floorsOf(team)) > before, patience).toBe(true)
    await allEqual(...all, joe)
    const kim = await team.join(all[0])
    await allEqual(...all, joe, kim)
  }, 60_000)

  it('PRUNE3, CUT1: what somebody new wrote when it had seen everything gets in once it has said so', async () => {
    const all = await three()
    await prunes(...all)
    // As slow as it is, so that it writes before.
    team.ports = systemPorts
    const joe = await team.join(all[0])
    await joe.device.sync()
    expect(await stands(team, joe)).toBe('below')
    await write(joe, 2)
    await expect.poll(() => joe.device.status.error?.code, patience).toBe('BELOW_BASE')
    await expect.poll(() => stands(team, joe), patience).toBe('settled')
    await allEqual(...all, joe)
    expect(joe.device.status.error).toBeUndefined()
  }, 60_000)

  it('CUT2: who is offline is waited for, until it is retired; with nothing unsent it comes back as it was', async () => {
    const [ada, ben, eve] = await three()
    await write(eve, 4)
    await allEqual(ada, ben, eve)
    await eve.device.close()
    await write(ada, 12)
    await write(ben, 12)
    await ada.device.members!.setHistory('prune')
    await allEqual(ada, ben)
    await new Promise((resolve) => setTimeout(resolve, 500))
    expect(await pruned(team)).toBe(false)
    const [{ id }] = ada.device.members!.list.members[2].installations
    await ada.device.members!.retire(id)
    await expect.poll(() => pruned(team), patience).toBe(true)
    await allEqual(ada, ben)
    await team.reopen(eve)
    await allEqual(ada, ben, eve)
    expect(eve.device.status.error).toBeUndefined()
    expect(await pruned(eve)).toBe(true)
    await expect.poll(() => stands(team, eve), patience).toBe('settled')
    await write(eve, 3)
    await allEqual(ada, ben, eve)
    await ada.device.members!.reinstate(id)
  }, 60_000)

  it('CUT11: a retired installation comes back with work that nobody saw: nothing of either side is lost, and what was written at the same time is a conflict', async () => {
    const [ada, ben, eve] = await three()
    const row = ada.device.mutate((tx) => tx.tasks.insert({ title: 'all', tags: ['all'], steps: ['all'] })).value
    const gone = ada.device.mutate((tx) => tx.tasks.insert({ title: 'to be deleted' })).value
    await allEqual(ada, ben, eve)
    eve.device.setOnline(false)
    const changed = (by: string) => ({ title: by, votes: f.increment(1), tags: f.add(by), steps: f.insertItem(by) })
    eve.device.mutate((tx) => tx.tasks.update(row, changed('eve')))
    eve.device.mutate((tx) => tx.tasks.update(gone, { title: 'kept by eve' }))
    await eve.device.mutate((tx) => tx.tasks.insert({ title: 'new by eve' })).stored
    ada.device.mutate((tx) => tx.tasks.update(row, changed('ada')))
    ben.device.mutate((tx) => tx.tasks.update(row, { votes: f.increment(1), tags: f.remove('all') }))
    ada.device.mutate((tx) => tx.tasks.delete(gone))
    await allEqual(ada, ben)
    const [{ id }] = ada.device.members!.list.members[2].installations
    await ada.device.members!.retire(id)
    await ada.device.members!.setHistory('prune')
    for (let row = 0; row < 30; row++) await ada.device.mutate((tx) => tx.tasks.insert({ title: `more ${row}` })).stored
    await allEqual(ada, ben)
    await expect.poll(() => pruned(team), patience).toBe(true)
    for (const one of [ada, ben]) await expect.poll(() => pruned(one), patience).toBe(true)
    const shown = async ({ device }: Installed) => {
      const rows = await device.query((db) => db.selectFrom('tasks').selectAll())
      return { titles: rows.map(({ title }) => title), row: rows.find((one) => one.id === row)! }
    }
    const before = await shown(ada)
    expect(before.titles).not.toContain('kept by eve')
    eve.device.setOnline(true)
    await expect.poll(() => stands(team, eve), patience).toBe('settled')
    await allEqual(ada, ben, eve)
    expect(eve.device.status.error).toBeUndefined()
    expect(await pruned(eve)).toBe(true)
    for (const one of [ada, ben, eve]) {
      const after = await shown(one)
      expect(after.row.votes).toBe(before.row.votes + 1)
      expect(new Set(after.row.tags)).toEqual(new Set([...before.row.tags, 'eve']))
      expect(after.row.tags).not.toContain('all')
      const steps = after.row.steps.map(({ value }) => value)
      expect(steps).toEqual(expect.arrayContaining([...before.row.steps.map(({ value }) => value), 'eve']))
      // Whoever deleted it had not seen that it was changed.
      const others = before.titles.filter((title) => title !== before.row.title)
      expect(after.titles).toEqual(expect.arrayContaining([...others, 'kept by eve', 'new by eve']))
      const titles = one.device.candidates('tasks', row, 'title').map(({ value }) => value)
      expect(titles).toEqual(expect.arrayContaining([before.row.title, 'eve']))
      expect(titles).not.toContain('all')
    }
    for (const one of [ada, ben, eve]) await write(one, 2)
    await allEqual(ada, ben, eve)
    await team.reopen(eve)
    await allEqual(ada, ben, eve)
    await ada.device.members!.reinstate(id)
    const floors = await floorsOf(team)
    for (const one of [ada, ben, eve]) await write(one, 8)
    await expect.poll(async () => (await floorsOf(team)) > floors, patience).toBe(true)
    await allEqual(ada, ben, eve)
  }, 60_000)

  it('PRUNE5: a copy of an installation that went on elsewhere sends nothing that it wrote before', async () => {
    const [ada, ben, eve] = await three()
    await eve.device.close()
    const copy: Installed = { ...eve, store: memoryStore(copyMedium(eve.medium)) }
    await team.reopen(eve)
    copy.device = await team.open(copy.key, copy.store, 20, 'none')
    await write(copy, 2)
    await copy.device.close()
    await prunes(ada, ben, eve)
    await team.reopen(copy)
    await expect.poll(() => copy.device.status.error?.code, patience).toBe('BELOW_BASE')
    await allEqual(ada, ben, eve)
    expect(copy.device.status.pending).toBeGreaterThan(0)
  }, 60_000)

  it('PRUNE4: where two do not make the same base nothing is pruned, and both say so', async () => {
    const [ada, ben] = await three()
    for (const one of [ada, ben]) {
      await one.device.close()
      one.device = await team.open(one.key, one.store, 20, lyingOfBases(team.transport, one))
    }
    await write(ada, 12)
    await write(ben, 12)
    await ada.device.sync()
    await ada.device.members!.setHistory('prune')
    for (const { device } of [ada, ben]) {
      await expect.poll(() => device.status.error?.code, patience).toBe('BASE_DISPUTED')
    }
    await new Promise((resolve) => setTimeout(resolve, 300))
    for (const one of [team, ada, ben]) expect(await pruned(one)).toBe(false)
    expect((await team.standing()).established).toBeUndefined()
  }, 60_000)

  it('BACK: a backup of a pruned space carries its base, and opens without a server', async () => {
    const [ada, ben, eve] = await three()
    await write(ada, 1)
    const whole = memoryStore(copyMedium(ada.medium))
    await prunes(ada, ben, eve)
    await expect.poll(() => pruned(ada), patience).toBe(true)
    await write(ada, 2)
    await allEqual(ada, ben, eve)
    const digest = ada.device.digest()
    const file = await ada.device.backup({ passphrase: 'correct horse' })
    await ada.device.close()
    const store = memoryStore()
    await restoreBackup(file, { store, passphrase: 'correct horse' })
    const offline = await team.open(ada.key, store, 20, 'none')
    expect(offline.digest()).toBe(digest)
    await offline.close()
    // Once more changes nothing; into a store that has the log it does not go.
    await restoreBackup(file, { store, passphrase: 'correct horse' })
    const again: Installed = { ...ada, store, device: await team.open(ada.key, store) }
    await write(again, 2)
    await allEqual(again, ben, eve)
    const intoWhole = restoreBackup(file, { store: whole, passphrase: 'correct horse' })
    await expect(intoWhole).rejects.toMatchObject({ code: 'FORK' })
  }, 60_000)

  it('PRUNE2: what would be below comes by no courier either', async () => {
    const [ada, ben, eve] = await three()
    eve.device.setOnline(false)
    await write(eve, 2)
    const carried = await eve.device.export()
    const [{ id }] = ada.device.members!.list.members[2].installations
    await ada.device.members!.retire(id)
    await prunes(ada, ben)
    await allEqual(ada, ben)
    const digest = ada.device.digest()
    const refused = await ada.device.import(carried)
    expect(refused.map(({ code }) => code)).toEqual(['BELOW_BASE'])
    expect(ada.device.digest()).toBe(digest)
    await team.reopen(ada)
    ada.device.setOnline(false)
    expect((await ada.device.import(carried)).map(({ code }) => code)).toEqual(['BELOW_BASE'])
  }, 60_000)

  it('STORE4: a server or a device that stops at any of its writes loses nothing, and pruning goes on after it', async () => {
    for (const where of ['server', 'device'] as const) {
      let isOver = false
      for (let at = 1; !isOver; at++) {
        const space = new PruningSpace()
        team = space
        const ada = await space.found()
        const eve = await space.join(ada)
        for (const by of [ada, eve]) await write(by, 12)
        await allEqual(ada, eve)
        const digest = ada.device.digest()
        const failing = stoppingAt(at)
        if (where === 'server') space.failing = failing
        else {
          await eve.device.close()
          eve.device = await space.open(eve.key, failing.around(eve.store))
          await eve.device.sync()
        }
        await ada.device.members!.setHistory('prune').catch(() => undefined)
        await expect.poll(() => failing.hasStopped || failing.isQuiet, patience).toBe(true)
        isOver = !failing.hasStopped
        failing.goOn()
        if (where === 'device') {
          await eve.device.close().catch(() => undefined)
          eve.device = await space.open(eve.key, eve.store)
        }
        const { members } = ada.device
        await expect
          .poll(
            () =>
              members!.list.history === 'prune' ||
              members!.setHistory('prune').then(
                () => true,
                () => false,
              ),
            patience,
          )
          .toBe(true)
        await expect.poll(() => pruned(space), patience).toBe(true)
        for (const one of [ada, eve]) await expect.poll(() => pruned(one), patience).toBe(true)
        await allEqual(ada, eve)
        expect(eve.device.digest()).toBe(digest)
        await space.reopen(eve)
        expect(eve.device.digest()).toBe(digest)
        const joe = await space.join(ada)
        await allEqual(ada, joe)
        expect(joe.device.digest()).toBe(digest)
        await space.close()
      }
    }
  }, 280_000)
})

/** What the server says of an installation's work. */
const stands = async (of: PruningSpace, installed: Installed): Promise<string> =>
  (await of.standing()).admits(publicKeyOf(installed))

/** How much is pruned at the server. */
const floorsOf = async ({ store }: PruningSpace): Promise<number> =>
  [...(await store.floors(space)).values()].reduce((sum, { seq }) => sum + seq, 0)

/** As if whoever speaks by it had folded something else. */
const lyingOfBases = (transport: Transport, by: Installed): Transport => {
  const otherThan = (digest: Uint8Array): Uint8Array => digest.map((byte) => byte ^ 1)
  const lie = (message: ClientMessage): ClientMessage => {
    if (message.type !== 'call') return message
    const request = decodePruningRequest(message.body)
    const told = (changed: PruningRequest): ClientMessage => ({ ...message, body: encodePruningRequest(changed) })
    if (request.kind === 'store') return told({ ...request, digest: otherThan(request.digest) })
    if (request.kind !== 'state') return message
    const { number, stated } = decodeStatement(request.statement)
    if (stated.kind !== 'base') return message
    const lied = { ...stated, digest: otherThan(stated.digest) }
    return told({ ...request, statement: encodeStatement(space, number, lied, keysOf(by).signing) })
  }
  return {
    ...transport,
    connect: (to, events) => {
      const connection = transport.connect(to, events)
      return { ...connection, send: (messages) => connection.send(messages.map(lie)) }
    },
  }
}
