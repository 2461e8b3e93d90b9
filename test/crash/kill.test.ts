/**
 * Devices and a server in processes of their own, on SQLite files, killed by SIGKILL in turn while they write.
 *
 * DRIFTLOG_CRASH_CYCLES: how many kills; 10 by default.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { seqOf } from '@driftlog/core'
import { sqlite } from '@driftlog/store-sqlite'
import { afterEach, expect, it } from 'vitest'
import { Child } from './child.ts'
import { openDevice } from './home.ts'

const CYCLES = Number(process.env.DRIFTLOG_CRASH_CYCLES ?? 10)

const cleanups: (() => Promise<unknown> | void)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

/** A process that is started again after each kill, and what its lives have said. */
class Phoenix {
  readonly said = { stored: 0, acknowledged: 0 }
  readonly #script: string
  readonly #args: () => readonly string[]
  #child: Child | undefined

  constructor(script: string, args: () => readonly string[]) {
    this.#script = script
    this.#args = args
    cleanups.push(() => this.#child?.end())
  }

  /** What it said when it was ready. */
  start(): Promise<string> {
    this.#child = new Child(this.#script, this.#args(), (word, value) => {
      if (word !== 'stored' && word !== 'acknowledged') throw new Error(`said ${word}`)
      this.said[word] = Math.max(this.said[word], Number(value))
    })
    return this.#child.ready()
  }

  async kill(): Promise<void> {
    await this.#child?.kill()
  }
}

it(`loses nothing and doubles nothing over ${CYCLES} kills`, { timeout: 60_000 + CYCLES * 15_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'driftlog-crash-'))
  cleanups.push(() => rmSync(folder, { recursive: true, force: true }))
  const file = (name: string) => join(folder, `${name}.db`)
  let port = 0
  const server = new Phoenix('./server-process.ts', () => [file('server'), String(port)])
  port = Number(await server.start())
  const devices = ['a', 'b'].map((name) => ({
    file: file(name),
    process: new Phoenix('./device-process.ts', () => [file(name), String(port)]),
  }))
  const ids = await Promise.all(devices.map(({ process }) => process.start()))

  const victims = [devices[0].process, server, devices[1].process, server]
  for (let cycle = 0; cycle < CYCLES; cycle++) {
    const victim = victims[cycle % victims.length]
    const before = devices.map(({ process }) => process.said.acknowledged)
    // Each life gets something done, so that there is something to lose.
    await expect
      .poll(() => devices.some(({ process }, i) => process.said.acknowledged > before[i]), { timeout: 20_000 })
      .toBe(true)
    await pause(50 + 450 * Math.random())
    await victim.kill()
    if (cycle % 3 === 0) await pause(200)
    await victim.start()
  }
  for (const { process } of devices) await process.kill()

  const stores = devices.map((device) => sqlite(device.file))
  for (const store of stores) cleanups.push(() => store.close())
  const replicas = []
  for (const [index, store] of stores.entries()) {
    const replica = await openDevice(store, port)
    cleanups.push(() => replica.close())
    expect(replica.device).toBe(ids[index])
    expect(seqOf(replica.held(), replica.device)).toBeGreaterThanOrEqual(devices[index].process.said.stored)
    replicas.push(replica)
  }
  for (const replica of [...replicas, ...replicas]) await replica.sync()
  const freshStore = sqlite(':memory:')
  const fresh = await openDevice(freshStore, port)
  cleanups.push(async () => {
    await fresh.close()
    await freshStore.close()
  })
  await fresh.sync()
  await server.kill()

  const atServer = sqlite(file('server'))
  cleanups.push(() => atServer.close())
  const vector = await atServer.vector('home')
  expect(vector).toEqual(fresh.held())
  for (const [index, { device }] of replicas.entries()) {
    const { stored, acknowledged } = devices[index].process.said
    expect(acknowledged).toBeGreaterThan(0)
    expect(stored).toBeGreaterThan(0)
    expect(seqOf(vector, device)).toBeGreaterThanOrEqual(Math.max(stored, acknowledged))
  }
  const ops = [...vector.values()].reduce((sum, seq) => sum + seq, 0)
  for (const replica of [fresh, ...replicas]) {
    expect(replica.digest()).toBe(fresh.digest())
    expect(replica.held()).toEqual(vector)
    const total = await replica.query((db) => db.selectFrom('totals').select('count'))
    const marks = await replica.query((db) => db.selectFrom('marks').select(({ fn }) => fn.countAll().as('count')))
    expect([...total, ...marks]).toEqual([{ count: ops }, { count: ops }])
  }
})
