import { defineSchema, f, table } from '@driftlog/core'
import { expect, it } from 'vitest'
import { openHistory } from './history.ts'
import { Host } from './host.ts'
import { settle } from './settle.ts'
import { Stage } from './stage.ts'

const schema = defineSchema({ version: 1, tables: { notes: table({ text: f.string() }) } })

it('tells by which device an op was written, and which ops a log has lost', async () => {
  const stage = new Stage({ seed: 1, simulator: { latencyMs: [20, 100], diskMs: [1, 1] } })
  await stage.begin()
  const [ana, ben] = ['ana', 'ben'].map((name) => new Host(stage, { name, schema, isRoundTrip: false }))
  for (const host of [ana, ben]) await host.open()
  await stage.settled(ana.mutate((tx) => tx.notes.insert({ id: 'a', text: 'synced' })).stored, 'storing')
  await settle(stage, stage.hosts)
  ben.setConnected(false)
  await stage.settled(ben.mutate((tx) => tx.notes.insert({ id: 'b', text: 'at one device only' })).stored, 'storing')

  const atServer = await openHistory(stage, [stage.server.disk.durable])
  expect([...stage.origins.missingIn(atServer.ops)]).toEqual([[ben.index, 1]])
  const everywhere = await openHistory(stage, [stage.server.disk.durable, ana.disk.durable, ben.disk.durable])
  expect([...stage.origins.missingIn(everywhere.ops)]).toEqual([])
  const rows = [...everywhere.cells.table('notes').rows.values()]
  expect(rows.map(({ id, created }) => [id, everywhere.authorOf(created).device])).toEqual([
    ['a', 'ana'],
    ['b', 'ben'],
  ])
  stage.end()
})
