import { defineSchema, f, table } from '@driftlog/core'
import { describe, expect, it } from 'vitest'
import { scenario } from './mod.ts'

const schema = defineSchema({
  version: 1,
  tables: { tasks: table({ title: f.string(), done: f.boolean().default(false), votes: f.counter() }) },
})

describe('a scenario', () => {
  it('brings a device together with the others that was offline for a month, which takes no time', async () => {
    const s = await scenario({ schema, devices: ['ana', 'ben'] })
    await s.ana.mutate((tx) => tx.tasks.insert({ id: 'milk', title: 'Milk' }))
    await s.sync()
    await s.disconnect('ana')
    await s.ana.mutate((tx) => tx.tasks.update('milk', { title: 'Oat milk' }))
    await s.wait({ days: 30 })
    await s.ben.mutate((tx) => tx.tasks.update('milk', { done: true, title: 'Soy milk' }))
    expect((await s.ben.row('tasks', 'milk'))?.title).toBe('Soy milk')
    expect(s.ana.status.pending).toBe(1)
    await s.sync()
    await s.expectSame()
    expect((await s.report()).text).toMatchInlineSnapshot(`
      "tasks/milk: lives
        title  'Soy milk'  <- ben, day 31 00:00:03
               'Oat milk'  <- ana, day 1 00:00:02 (concurrent, not shown)
        done   true  <- ben, day 31 00:00:03
        votes  0  <- never written"
    `)
  })

  it.each([
    [0, 0],
    [1, 64],
    [2, 128],
  ])('cuts a push after %i frames, and nothing is lost or doubled', async (arrives, shown) => {
    const s = await scenario({ schema, devices: ['ana', 'ben'] })
    await s.disconnect('ana')
    for (let n = 0; n < 150; n++) await s.ana.mutate((tx) => tx.tasks.insert({ title: `task ${n}`, votes: 1 }))
    await s.ana.interruptPush({ arrives })
    await s.ana.connect()
    await s.ben.open()
    await s.wait({ seconds: 4 })
    expect(await s.ben.rows('tasks')).toHaveLength(shown)
    await s.crash('ana')
    await s.sync()
    await s.expectSame()
    const rows = await s.ben.rows('tasks')
    expect(rows).toHaveLength(150)
    expect(rows.every(({ votes }) => votes === 1)).toBe(true)
  })

  it('cuts an exchange of a device that syncs by round trips', async () => {
    for (const arrives of [0, 1]) {
      const s = await scenario({ schema, devices: ['ana', 'ben'], roundTrips: ['ana'] })
      await s.sync()
      await s.ana.interruptPush({ arrives })
      await s.ana.mutate((tx) => tx.tasks.insert({ id: 'milk', title: 'Milk', votes: 1 }))
      await s.sync()
      await s.expectSame()
      expect(await s.ben.row('tasks', 'milk')).toMatchObject({ votes: 1 })
    }
  })

  it('holds many devices that do the same at once', async () => {
    const s = await scenario({ schema, devices: 20 })
    await s.devices[0].mutate((tx) => tx.tasks.insert({ id: 'poll', title: 'Who comes?' }))
    await s.sync()
    for (const device of s.devices) {
      await device.mutate((tx) => tx.tasks.update('poll', { votes: f.increment(1), title: `${device.name} comes` }))
    }
    await s.sync()
    await s.expectSame()
    const [poll] = await s.devices[7].query((db) => db.selectFrom('tasks').select(['title', 'votes']))
    expect(poll).toEqual({ title: 'device20 comes', votes: 20 })
    const { conflicts } = await s.report()
    expect(conflicts[0].fields[0].others).toHaveLength(19)
  })

  it('tells where a clock that was off decided who won', async () => {
    const s = await scenario({ schema, devices: ['ana', 'ben'] })
    await s.ana.mutate((tx) => tx.tasks.insert({ id: 'milk', title: 'Milk' }))
    await s.sync()
    s.ana.clock.jump({ seconds: 50 })
    await s.ana.mutate((tx) => tx.tasks.update('milk', { title: 'Oat milk' }))
    await s.ben.mutate((tx) => tx.tasks.update('milk', { title: 'Soy milk' }))
    await s.sync()
    await s.expectSame()
    expect((await s.report()).text).toMatchInlineSnapshot(`
      "tasks/milk: lives
        title  'Oat milk'  <- ana, day 1 00:00:02 (stamped day 1 00:00:52)
               'Soy milk'  <- ben, day 1 00:00:03 (concurrent, not shown)
        done   false  <- never written
        votes  0  <- never written"
    `)
  })

  it('[BR2] heals a clock that is years off', async () => {
    const s = await scenario({ schema, devices: ['ana', 'ben'] })
    await s.ana.mutate((tx) => tx.tasks.insert({ id: 'milk', title: 'Milk' }))
    await s.sync()
    s.ana.clock.jump({ days: 3650 })
    await s.ana.mutate((tx) => tx.tasks.update('milk', { title: 'Oat milk' }))
    await s.ben.mutate((tx) => tx.tasks.update('milk', { title: 'Soy milk' }))
    await s.sync()
    await s.expectSame()
    expect((await s.report()).text).toMatchInlineSnapshot(`
      "tasks/milk: lives
        title  'Oat milk'  <- ana, day 1 00:00:02 (stamped day 1 00:00:03.085)
               'Soy milk'  <- ben, day 1 00:00:03 (concurrent, not shown)
        done   false  <- never written
        votes  0  <- never written"
    `)
  })

  it('[BR3] heals a device that was restored from a backup and writes on', async () => {
    const s = await scenario({ schema, devices: ['ana', 'ben'] })
    await s.ana.mutate((tx) => tx.tasks.insert({ id: 'milk', title: 'Milk' }))
    const backup = await s.ana.backup()
    await s.ana.mutate((tx) => tx.tasks.insert({ id: 'eggs', title: 'Eggs' }))
    await s.sync()
    await s.disconnect()
    await s.ana.restore(backup)
    expect(await s.ana.rows('tasks')).toHaveLength(1)
    await s.ana.mutate((tx) => tx.tasks.insert({ id: 'bread', title: 'Bread' }))
    await s.sync()
    await s.expectSame()
    expect((await s.ana.rows('tasks')).map(({ id }) => id)).toEqual(['bread', 'eggs', 'milk'])
    expect((await s.report()).text).toMatchInlineSnapshot(`
      "tasks/milk: lives
        title  'Milk'  <- ana, day 1 00:00:01
        done   false  <- never written
        votes  0  <- never written

      tasks/eggs: lives
        title  'Eggs'  <- ana, day 1 00:00:02
        done   false  <- never written
        votes  0  <- never written

      tasks/bread: lives
        title  'Bread'  <- ana, day 1 00:00:03
        done   false  <- never written
        votes  0  <- never written"
    `)
  })

  it('[BR1] tells a device and its clone apart', async () => {
    const s = await scenario({ schema, devices: ['ana', 'ben'] })
    await s.ana.mutate((tx) => tx.tasks.insert({ id: 'milk', title: 'Milk' }))
    await s.sync()
    const twin = await s.clone('ana', 'twin')
    await s.ana.mutate((tx) => tx.tasks.update('milk', { title: 'Oat milk' }))
    await twin.mutate((tx) => tx.tasks.update('milk', { title: 'Soy milk' }))
    await s.sync()
    await s.expectSame()
    expect((await s.report()).text).toMatchInlineSnapshot(`
      "tasks/milk: lives
        title  'Soy milk'  <- twin, day 1 00:00:03
               'Oat milk'  <- ana, day 1 00:00:02 (concurrent, not shown)
        done   false  <- never written
        votes  0  <- never written"
    `)
  })

  it('closes, kills and opens devices again, and sets the server back', async () => {
    const s = await scenario({ schema, devices: ['ana', 'ben'], roundTrips: ['ben'] })
    await s.ana.mutate((tx) => tx.tasks.insert({ id: 'milk', title: 'Milk' }))
    await s.close('ana')
    expect(s.ana.isOpen).toBe(false)
    await s.sync()
    const backup = await s.server.backup()
    await s.ben.mutate((tx) => tx.tasks.update('milk', { done: true }))
    await s.sync()
    await s.server.restore(backup)
    await s.crash('ana')
    await s.sync()
    await s.expectSame()
    expect(await s.ana.row('tasks', 'milk')).toMatchObject({ done: true })
  })

  it('says what differs where devices do not show the same', async () => {
    const s = await scenario({ schema, devices: ['ana', 'ben'] })
    await s.ana.mutate((tx) => tx.tasks.insert({ id: 'milk', title: 'Milk' }))
    await expect(s.expectSame()).rejects.toThrowErrorMatchingInlineSnapshot(`
      [Error: these devices do not show the same
        ana and ben hold different states; ben lacks 1 changes that ana has
        tasks/milk: ana shows it, ben does not]
    `)
  })

  it('refuses names that there are not, and those that it has itself', async () => {
    const s = await scenario({ schema, devices: ['ana', 'ben'] })
    await expect(s.sync('nobody')).rejects.toThrow('no device nobody: there are ana, ben')
    expect(() => s.add('ana')).toThrow('there is a device ana already')
    await expect(scenario({ schema, devices: ['sync'] })).rejects.toThrow('a device cannot be called sync')
  })

  it('shows what a full disk does to an app, and what stands in the way of syncing', async () => {
    const s = await scenario({ schema, devices: ['ana', 'ben'] })
    await s.sync()
    await s.ana.breakDisk('full')
    const insert = s.ana.mutate((tx) => tx.tasks.insert({ id: 'milk', title: 'Milk' }))
    await expect(insert).rejects.toThrow('ana could not store it: STORAGE_FULL')
    expect(await s.ana.rows('tasks')).toHaveLength(1)
    await expect(s.sync()).rejects.toThrow(/within an hour\n {2}ana is error, .*1 to store.*STORAGE_FULL/)
    await s.ana.mendDisk()
    await s.sync()
    await s.expectSame()
    expect(await s.ben.rows('tasks')).toHaveLength(1)
  })

  it('loses nothing that was stored when the power fails, and does in order what is asked for, awaited or not', async () => {
    const s = await scenario({ schema, devices: ['ana'] })
    const inserted = s.ana.mutate((tx) => tx.tasks.insert({ title: 'Milk' }))
    const crashed = s.crash('ana')
    const rows = await s.ana.rows('tasks')
    await Promise.all([inserted, crashed])
    expect(rows.map(({ title }) => title)).toEqual(['Milk'])
    await expect(s.ana.mutate((tx) => tx.tasks.delete('nothing'))).rejects.toMatchObject({ code: 'ROW_NOT_FOUND' })
    expect(await s.ana.rows('tasks')).toEqual(rows)
  })

  it('lets two versions of an app meet', async () => {
    const older = defineSchema({ version: 1, tables: { tasks: table({ title: f.string() }) } })
    const s = await scenario({ schema, devices: ['ana', 'ben'], schemas: { ben: older } })
    await s.ana.mutate((tx) => tx.tasks.insert({ id: 'milk', title: 'Milk', done: true }))
    await s.sync()
    await s.ben.mutate((tx) => tx.tasks.update('milk', { title: 'Oat milk' }))
    await s.sync()
    await s.expectSame()
    expect(await s.ana.row('tasks', 'milk')).toMatchObject({ title: 'Oat milk', done: true })
  })
})
