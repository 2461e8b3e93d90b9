/**
 * With real processes, ended by SIGKILL: what was acknowledged is there, and what was locked is free. Children are ended
 * by their own pid and run bounded loops, so none outlives the test by much.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { type Batch, cryptoReady, equalBytes, startCursor } from '@driftlog/core'
import { makeTestDevice, makeTestHistory } from '@driftlog/testkit'
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { sqlite } from './mod.ts'

const space = 'home'
const wide = { batches: 100_000, bytes: Number.MAX_SAFE_INTEGER }
let folder: string
let path: string
const children = new Set<Child>()

type Child = ChildProcessByStdio<Writable, Readable, null>

/** Runs a module; each line that it prints becomes one item. */
const start = (script: string, ...args: readonly string[]): { child: Child; lines: AsyncIterator<string> } => {
  const child = spawn(
    process.execPath,
    ['--conditions=driftlog-source', '--no-warnings', '--input-type=module', '--eval', script, '--', ...args],
    { cwd: import.meta.dirname, stdio: ['pipe', 'pipe', 'inherit'] },
  )
  children.add(child)
  child.once('exit', () => children.delete(child))
  return { child, lines: createInterface({ input: child.stdout })[Symbol.asyncIterator]() }
}
const kill = (child: Child): Promise<unknown> => {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve()
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGKILL')
  return ended
}
const writeBatches = (name: string, batches: readonly Batch[]): string => {
  const file = join(folder, name)
  writeFileSync(file, JSON.stringify(batches.map(({ bytes }) => Buffer.from(bytes).toString('base64'))))
  return file
}

/** Claims a slot, says which, and stays until it is killed or its input ends. */
const CLAIMER = `
  import { sqlite } from '@driftlog/store-sqlite'
  const [path, space] = process.argv.slice(1)
  const { slot } = await sqlite(path).claimSlot(space)
  console.log(slot)
  process.stdin.resume()
  process.stdin.once('end', () => process.exit())
`

/** Appends a list of batches one after the other and prints each acknowledged position; several in flight. */
const APPENDER = `
  import { readFileSync } from 'node:fs'
  import { writeSync } from 'node:fs'
  import { decodeBatch } from '@driftlog/core'
  import { sqlite } from '@driftlog/store-sqlite'
  const [path, space, file, parallel] = process.argv.slice(1)
  const batches = JSON.parse(readFileSync(file, 'utf8')).map((text) => decodeBatch(new Uint8Array(Buffer.from(text, 'base64'))))
  const store = sqlite(path)
  const say = (outcome) => { if (outcome.kind === 'appended') writeSync(1, outcome.position + '\\n') }
  for (let index = 0; index < batches.length; index += Number(parallel)) {
    const calls = batches.slice(index, index + Number(parallel)).map((batch) => store.append(space, [batch]))
    for (const call of calls) (await call).forEach(say)
  }
  await store.close()
  writeSync(1, 'done\\n')
`

const collect = async (lines: AsyncIterator<string>, enough: number): Promise<string[]> => {
  const collected: string[] = []
  while (collected.length < enough) {
    const { value, done } = await lines.next()
    if (done === true) break
    collected.push(value)
  }
  return collected
}

beforeAll(cryptoReady)
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'driftlog-sqlite-'))
  path = join(folder, 'log.db')
})
afterEach(async () => {
  await Promise.all([...children].map(kill))
  rmSync(folder, { recursive: true })
})

describe('processes', { timeout: 60_000 }, () => {
  it('a slot is exclusive between processes and free after SIGKILL', async () => {
    const store = sqlite(path)
    const first = start(CLAIMER, path, space)
    expect(await collect(first.lines, 1)).toEqual(['0'])
    const second = start(CLAIMER, path, space)
    expect(await collect(second.lines, 1)).toEqual(['1'])
    expect((await store.claimSlot(space)).slot).toBe(2)
    await kill(first.child)
    expect((await store.claimSlot(space)).slot).toBe(0)
    second.child.stdin.end()
    await collect(second.lines, 1)
    await vi.waitFor(() => expect(second.child.exitCode).toBe(0))
    expect((await store.claimSlot(space)).slot).toBe(1)
    await store.close()
  })

  it('processes that start at the same time get different slots, without a gap', async () => {
    const claimers = Array.from({ length: 4 }, () => start(CLAIMER, path, space))
    const slots = (await Promise.all(claimers.map(({ lines }) => collect(lines, 1)))).flat()
    expect(slots.sort()).toEqual(['0', '1', '2', '3'])
  })

  for (const parallel of [1, 8]) {
    it(`STORE4 kill -9 loses nothing that was acknowledged (${parallel} appends in flight)`, async () => {
      const author = makeTestDevice(space, 1)
      const history = makeTestHistory(
        author,
        Array.from({ length: 2000 }, () => 1),
      )
      const file = writeBatches('batches.json', history)
      let acknowledged = 0
      for (const enough of [3, 40, 25]) {
        const { child, lines } = start(APPENDER, path, space, file, String(parallel))
        const seen = await collect(lines, enough)
        expect(seen).toHaveLength(enough)
        const ended = kill(child)
        // What it could still say before the kill reached it counts too.
        const all = [...seen, ...(await collect(lines, Infinity))].filter((line) => line !== 'done')
        await ended
        acknowledged = Math.max(acknowledged, ...all.map(Number))

        const store = sqlite(path)
        const { batches } = await store.readAfter(space, startCursor, wide)
        expect(batches.length).toBeGreaterThanOrEqual(acknowledged)
        expect(batches.every(({ batch }, index) => equalBytes(batch.bytes, history[index].bytes))).toBe(true)
        expect(await store.vector(space)).toEqual(new Map([[author.device, batches.length]]))
        await store.close()
      }
      expect(acknowledged).toBeLessThan(history.length)
    })
  }

  it('STORE5 two processes that append the same and other batches share one order; a third watches', async () => {
    const store = sqlite(path, { pollMs: 5 })
    const listener = vi.fn()
    store.watch(space, listener)
    const histories = [1, 2, 3].map((seed) =>
      makeTestHistory(
        makeTestDevice(space, seed),
        Array.from({ length: 40 }, () => 1),
      ),
    )
    const [ann, bob, shared] = histories
    const files = [writeBatches('one.json', [...ann, ...shared]), writeBatches('two.json', [...shared, ...bob])]
    const runs = files.map((file) => start(APPENDER, path, space, file, '4'))
    const said = (await Promise.all(runs.map(({ lines }) => collect(lines, Infinity)))).flat()
    expect(said.filter((line) => line === 'done')).toHaveLength(2)
    const positions = said.filter((line) => line !== 'done').map(Number)
    expect(new Set(positions).size).toBe(120)
    expect(positions).toHaveLength(120)
    const page = await store.readAfter(space, startCursor, wide)
    expect(page.batches.map(({ position }) => position)).toEqual(positions.sort((a, b) => a - b))
    expect([...(await store.vector(space)).values()]).toEqual([40, 40, 40])
    await vi.waitFor(() => expect(listener).toHaveBeenCalled())
    await store.close()
  })
})
