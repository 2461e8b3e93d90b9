import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { http, newSpaceKey, openReplica } from '@driftlog/client'
import { defineSchema, f, memoryStore, table } from '@driftlog/core'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'

const main = fileURLToPath(new URL('../main.ts', import.meta.url))
const TIMEOUT_MS = 180_000

let folder = ''
const running = new Set<ChildProcess>()
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'driftlog-serve-'))
})
afterEach(() => {
  for (const child of running) child.kill('SIGKILL')
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const driftlog = (...args: string[]) => {
  const child = spawn(process.execPath, ['--conditions=driftlog-source', main, ...args])
  running.add(child)
  child.once('exit', () => running.delete(child))
  const said = { stdout: '', stderr: '' }
  child.stdout.on('data', (chunk) => (said.stdout += chunk))
  child.stderr.on('data', (chunk) => (said.stderr += chunk))
  const ended = once(child, 'close').then(([exitCode]) => ({ exitCode: exitCode as number | null, ...said }))
  return { child, said, ended }
}

const serve = async (database: string) => {
  const { child, said, ended } = driftlog('serve', '--demo', '--port', '0', '--db', database)
  await expect.poll(() => said.stdout, { timeout: TIMEOUT_MS }).toContain('Ctrl+C')
  const url = /http:\/\/localhost:\d+/.exec(said.stdout)?.[0] ?? ''
  const stop = () => {
    child.kill('SIGTERM')
    return ended
  }
  return { url, stop }
}

interface Demo {
  readonly space: string
  readonly token: string
}

const demoOf = async (url: string): Promise<Demo> => (await (await fetch(`${url}/config.json`)).json()) as Demo

const holds = async (url: string): Promise<unknown> => {
  const { space, token } = await demoOf(url)
  const { exitCode, stdout } = await driftlog('status', url, '--space', space, '--token', token, '--json').ended
  expect(exitCode).toBe(0)
  return JSON.parse(stdout)
}

const schema = defineSchema({ version: 1, tables: { notes: table({ text: f.string() }) } })

/** As the first who opens the app does. */
const begin = async (url: string): Promise<void> => {
  const { space, token } = await demoOf(url)
  const transport = http(url, { token: () => token })
  const replica = await openReplica({ schema, space, key: newSpaceKey(), store: memoryStore(), transport })
  replica.mutate((tx) => tx.notes.insert({ text: 'first' }))
  await replica.sync()
  await replica.close()
}

test('the demo begins empty, survives a restart, and stops when asked to', { timeout: TIMEOUT_MS }, async () => {
  const database = join(folder, 'demo.db')
  const first = await serve(database)
  const holding = (ops: number) => ({ isReady: true, space: { id: 'demo', role: 'writer', devices: ops, ops } })
  expect(await holds(first.url)).toMatchObject(holding(0))
  await begin(first.url)
  expect(await holds(first.url)).toMatchObject(holding(1))
  const port = new URL(first.url).port
  const taken = await driftlog('serve', '--port', port, '--db', join(folder, 'other.db')).ended
  expect(taken).toMatchObject({ exitCode: 1, stderr: expect.stringMatching(/^PORT_IN_USE .*\n$/) })
  expect(await first.stop()).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('Stopped.'), stderr: '' })
  const second = await serve(database)
  expect(await holds(second.url)).toMatchObject(holding(1))
  await second.stop()
})

test('what cannot work says so in one line', { timeout: TIMEOUT_MS }, async () => {
  const line = (code: string) => expect.stringMatching(new RegExp(`^${code} .*\n$`))
  const [short, noApp, nobody] = await Promise.all([
    driftlog('serve', '--db', join(folder, 'x.db'), '--secret', 'short').ended,
    driftlog('serve', '--db', join(folder, 'y.db'), '--web', folder).ended,
    driftlog('status', 'http://127.0.0.1:9').ended,
  ])
  expect(short).toMatchObject({ exitCode: 2, stderr: line('USAGE') })
  expect(noApp).toMatchObject({ exitCode: 2, stderr: line('USAGE') })
  expect(nobody).toMatchObject({ exitCode: 1, stderr: line('SERVER_UNREACHABLE') })
})
