/** What simulations of apps found in the product, as scenarios. */
import { defineSchema, f, table } from '@driftlog/core'
import { expect, it } from 'vitest'
import { scenario } from './mod.ts'

const schema = defineSchema({ version: 1, tables: { tasks: table({ title: f.string() }) } })

// Seeds 16 and 22: with the disk set back, nobody had what the server's ops waited for, and all devices waited for ever.
it.each([240, 320, 400, 600, 2_000])(
  '[BR2] sends what was written ahead of time before what follows it, and is set back after %i ms',
  async (afterMs) => {
    const s = await scenario({ schema, devices: ['ana', 'ben'] })
    await s.ana.mutate((tx) => tx.tasks.insert({ id: 'milk', title: 'Milk' }))
    await s.sync()
    const backup = await s.ana.backup()
    s.ana.clock.jump({ days: 3_650 })
    await s.ana.mutate((tx) => tx.tasks.insert({ id: 'far', title: 'written ten years ahead' }))
    await s.wait({ ms: 160 })
    await s.ana.mutate((tx) => tx.tasks.insert({ id: 'after', title: 'written when the clock was set right' }))
    await s.wait({ ms: afterMs })
    await s.disconnect('ana')
    await s.ana.restore(backup)
    await s.sync()
    await s.expectSame()
    const ids = (await s.ben.rows('tasks')).map(({ id }) => id)
    expect([['milk'], ['far', 'milk'], ['after', 'far', 'milk']]).toContainEqual(ids)
  },
)
